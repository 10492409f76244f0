"""Small tables and problems for tests."""

from pathlib import Path

import numpy as np
import pandas as pd

from slipway.problem import Problem, load_problem


def charges(rows: int = 240, seed: int = 0, noise: float = 500.0) -> pd.DataFrame:
    """Insurance-like rows with text cells, a missing cell here and there, and a numeric target."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 65, rows)
    smoker = random.choice(["yes", "no"], rows, p=[0.3, 0.7])
    bmi = np.round(random.normal(30, 6, rows), 2)
    target = 200 * age + 20_000 * (smoker == "yes") + 50 * bmi + random.normal(0, noise, rows)
    frame = pd.DataFrame(
        {
            "age": age.astype(str),
            "bmi": bmi.astype(str),
            "smoker": smoker,
            "region": random.choice(["north", "south", "east"], rows),
            "charges": np.round(target, 2).astype(str),
        }
    )
    frame.loc[::17, "bmi"] = "NA"
    return frame


def grades(rows: int = 300, seed: int = 0, classes: int = 2) -> pd.DataFrame:
    """Rows with a label that depends on two of three numbers."""
    random = np.random.default_rng(seed)
    numbers = np.round(random.normal(size=(rows, 3)), 3)
    level = np.digitize(numbers[:, 0] + 0.5 * numbers[:, 1] + random.normal(0, 0.3, rows), [0, 0.8][: classes - 1])
    frame = pd.DataFrame(numbers, columns=["x", "y", "z"]).astype(str)
    frame.loc[::11, "z"] = "?"
    return frame.assign(grade=np.array(["low", "high", "top"])[level])


def problem(folder: Path, frame: pd.DataFrame, target: str, **settings) -> Problem:
    """A problem file beside a CSV of `frame`, loaded; nested settings by their dotted path."""
    frame.to_csv(folder / "table.csv", index=False)
    fast = {"name": "trial", "source": "table.csv", "search.trials": 1, "candidates": ["linear", "boosting"]}
    lines = [f"target: {target}"]
    groups: dict[str, list[str]] = {}
    for path, value in (fast | settings).items():
        group, _, name = path.rpartition(".")
        groups.setdefault(group, []).append(f"{name}: {value!r}")
    lines += groups.pop("", [])
    for group, entries in groups.items():
        lines.append(f"{group}: {{{', '.join(entries)}}}")
    (folder / "slipway.yaml").write_text("\n".join(lines))
    return load_problem(folder / "slipway.yaml", environ={})
