"""A table in semicolons, decimal commas, dotted dates and currency goes from init to a served model untouched."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from conftest import Client
from slipway.model.contents import schema_of
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore

ROWS = 400


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, str]:
    """The same rows: typed, and as a German spreadsheet saves them."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "Alter": random.integers(18, 65, ROWS),
            "Größe": np.round(random.normal(1.75, 0.1, ROWS), 2),
            "Einkommen": np.round(random.lognormal(8, 0.5, ROWS), 2),
            "Rabatt": random.integers(0, 40, ROWS),
            "Eintritt": pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 3_000, ROWS), unit="D"),
            "PLZ": random.choice(["01067", "10115", "80331"], ROWS),
            "Einwohner": random.integers(200, 90_000, ROWS),
        }
    )
    price = 0.3 * frame["Einkommen"] + 900 * (frame["PLZ"] == "01067") - 20 * frame["Rabatt"] + 0.01 * frame["Einwohner"]
    frame["Preis"] = np.round(price + random.normal(0, 20, ROWS), 2)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow(
            [
                row.Alter,
                str(row.Größe).replace(".", ","),
                f"{german(row.Einkommen)} €",
                f"{row.Rabatt} %",
                row.Eintritt.strftime("%d.%m.%Y"),
                row.PLZ,
                f"{row.Einwohner:,}".replace(",", "."),
                f"{german(row.Preis)} €",
            ]
        )
    return frame, "sep=;\r\n" + text.getvalue()


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,")).replace("-", "\u2212")


def test_it_goes_from_init_to_a_served_model_untouched(tables, run, tmp_path, monkeypatch):
    frame, text = tables
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kunden.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert run("init", "kunden.csv", "--target", "Preis").code == 0
    monkeypatch.setenv("SLIPWAY_SEARCH_TRIALS", "1")
    trained = run("train")
    assert trained.code == 0, trained.err
    problem = load_problem(tmp_path / "slipway.yaml", {})
    assert dict(problem.formats) == {
        "Größe": "1.234,56",
        "Einkommen": "1.234,56 €",
        "Rabatt": "1.234,56 %",
        "Eintritt": "31.12.2024",
        "Einwohner": "1.234,56",
        "Preis": "1.234,56 €",
    }
    bundle = LocalStore(tmp_path / "artifacts").champion()
    schema = schema_of(bundle)
    assert {field.name: field.type for field in schema} == {
        "Alter": "integer",
        "Größe": "number",
        "Einkommen": "number",
        "Rabatt": "integer",
        "Eintritt": "date",
        "PLZ": "category",
        "Einwohner": "integer",
    }
    for name in ("Größe", "Einkommen", "Einwohner"):
        assert (schema[name].minimum, schema[name].maximum) == (frame[name].min(), frame[name].max())

    assert run("predict", "kunden.csv", "-o", "out.csv").code == 0
    content = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert content.startswith("sep=;\n")
    scored = list(csv.DictReader(io.StringIO(content.split("\n", 1)[1]), delimiter=";"))
    answers = np.array([float(row["prediction"]) for row in scored])
    assert len(answers) == ROWS and np.corrcoef(answers, frame["Preis"])[0, 1] > 0.95

    app = build(problem, {})
    app.test_client_class = Client
    client = app.test_client()
    uploaded = client.post("/predict/file", data=text.encode(), content_type="text/csv").text.split("\n", 1)[1]
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(uploaded), delimiter=";")] == [
        row["prediction"] for row in scored
    ]
    typed = frame.drop(columns="Preis").assign(Eintritt=frame["Eintritt"].dt.strftime("%Y-%m-%d")).to_dict("records")
    posted = client.post("/predict", json=typed).json["predictions"]
    assert [row["prediction"] for row in posted] == answers.tolist()
    example = client.get("/apispec.json").json["paths"]["/predict/file"]["post"]["parameters"][0]["schema"]["example"]
    assert client.post("/predict/file", data=example.encode(), content_type="text/csv").text.splitlines()[1].endswith(",,")
