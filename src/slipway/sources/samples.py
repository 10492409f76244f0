"""Sample tables with the columns of well-known public ones, made here: same columns and habits, invented rows.

Numbers are rounded before they are written, so that the last digits of a platform's mathematics do not show.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

ROWS = {"insurance": 1_338, "loan": 614, "truck": 6_000}
SENSORS = 170


def insurance(rows: int) -> list[list[str]]:
    """Patients and their yearly charges: smokers pay most, the more so when overweight."""
    random = np.random.default_rng(1338)
    age = random.integers(18, 65, rows)
    sex = random.choice(["female", "male"], rows)
    bmi = np.round(np.clip(random.normal(30.7, 6.1, rows), 16, 53), 2)
    children = random.choice(6, rows, p=[0.43, 0.24, 0.18, 0.12, 0.02, 0.01])
    smoker = random.random(rows) < 0.2
    region = random.choice(["northeast", "northwest", "southeast", "southwest"], rows)
    charges = 3.3 * age**2 + 500 * children + 250 * (region == "northeast") + 1_200
    charges = charges + smoker * (12_500 + 19_000 * (bmi > 30) + 350 * (bmi - 30))
    accident = (random.random(rows) < 0.08) * random.gamma(2.0, 5_500.0, rows)
    charges = np.maximum(1_100, charges + accident + random.normal(0, 300, rows))
    header = ["age", "sex", "bmi", "children", "smoker", "region", "charges"]
    columns = [age, sex, bmi, children, np.where(smoker, "yes", "no"), region, np.round(charges, 2)]
    return _table(header, columns)


def loan(rows: int) -> list[list[str]]:
    """Loan applications with missing cells; the credit history decides most."""
    random = np.random.default_rng(614)
    income = np.round(np.clip(random.lognormal(8.4, 0.6, rows), 150, 81_000))
    partner = np.where(random.random(rows) < 0.45, 0, np.round(random.lognormal(7.6, 0.7, rows)))
    amount = np.round(np.clip((income + partner) / 48 + random.normal(0, 35, rows), 9, 700))
    history = (random.random(rows) < 0.84).astype(int)
    area = random.choice(["Rural", "Semiurban", "Urban"], rows, p=[0.29, 0.38, 0.33])
    married = random.choice(["Yes", "No"], rows, p=[0.65, 0.35])
    score = -2.6 + 3.9 * history + 0.6 * (area == "Semiurban") + 0.4 * (married == "Yes") - 25 * amount / (income + partner)
    approved = random.random(rows) < 1 / (1 + np.exp(-score))
    header = [
        "Loan_ID",
        "Gender",
        "Married",
        "Dependents",
        "Education",
        "Self_Employed",
        "ApplicantIncome",
        "CoapplicantIncome",
        "LoanAmount",
        "Loan_Amount_Term",
        "Credit_History",
        "Property_Area",
        "Loan_Status",
    ]
    columns = [
        np.array([f"LP{number:06d}" for number in range(1_002, 1_002 + rows)]),
        _holes(random, random.choice(["Male", "Female"], rows, p=[0.81, 0.19]), 0.02),
        married,
        _holes(random, random.choice(["0", "1", "2", "3+"], rows, p=[0.57, 0.17, 0.17, 0.09]), 0.025),
        random.choice(["Graduate", "Not Graduate"], rows, p=[0.78, 0.22]),
        _holes(random, random.choice(["No", "Yes"], rows, p=[0.86, 0.14]), 0.05),
        income.astype(int),
        partner.astype(int),
        _holes(random, amount.astype(int), 0.035),
        _holes(random, random.choice([360, 180, 480, 300, 120], rows, p=[0.85, 0.08, 0.03, 0.02, 0.02]), 0.02),
        _holes(random, history, 0.08),
        area,
        np.where(approved, "Y", "N"),
    ]
    return _table(header, columns)


def truck(rows: int) -> list[list[str]]:
    """Sensor readings of trucks, `na` where one failed; two of a hundred have a fault of the air pressure system."""
    random = np.random.default_rng(170)
    fault = random.random(rows) < 0.02
    header, columns = ["class"], [np.where(fault, "pos", "neg")]
    for sensor in range(SENSORS):
        scale = 10 ** random.uniform(1, 5)
        signal = random.choice([0.0] * 12 + [0.3, 0.6])
        readings = np.round(scale * random.lognormal(0, 0.8, rows) * np.exp(signal * fault))
        header.append(f"{chr(97 + sensor // 10)}{chr(97 + sensor % 7)}_{sensor:03d}")
        columns.append(_holes(random, readings.astype(np.int64), random.choice([0.0, 0.01, 0.08, 0.4]), "na"))
    return _table(header, columns)


SAMPLES: dict[str, Callable[[int], list[list[str]]]] = {"insurance": insurance, "loan": loan, "truck": truck}


def _holes(random: np.random.Generator, values: ArrayLike, share: float, marker: str = "") -> np.ndarray:
    """Some of the cells missing."""
    cells = np.asarray(values)
    return np.where(random.random(len(cells)) < share, marker, cells.astype(str))


def _table(header: list[str], columns: list[np.ndarray]) -> list[list[str]]:
    return [header, *([str(cell) for cell in row] for row in zip(*columns))]
