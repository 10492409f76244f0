import numpy as np
import pandas as pd
import pytest

from slipway.sources.samples import ROWS, SAMPLES
from slipway.store.local import LocalStore
from slipway.table.schema import Field, Schema
from slipway.training.data.dataset import read
from slipway.training.data.labelled import Rows
from slipway.training.inspection.leaks import suspects
from slipway.training.train import train
from slipway.training.verdict.doubts import doubts
from tables import charges, grades, problem


def found(folder, frame, target, **settings):
    return suspects(read(problem(folder, frame, target, **settings)).rows)


def parts(rows=600):
    """Columns of numbers above zero, with others that say nothing."""
    random = np.random.default_rng(0)
    return pd.DataFrame({name: np.round(random.gamma(2, 50, rows) + 1, 2) for name in "abcd"})


@pytest.mark.parametrize(
    ("target", "columns", "how"),
    [
        (lambda f: f["a"] + f["b"], ("a", "b"), "as a sum or difference"),
        (lambda f: f["a"] - f["c"], ("a", "c"), "as a sum or difference"),
        (lambda f: f["a"] + f["b"] + f["c"] - f["d"], ("a", "b", "c", "d"), "as a sum or difference"),
        (lambda f: f["a"] * f["b"], ("a", "b"), "as a product or ratio"),
        (lambda f: f["a"] / f["d"], ("a", "d"), "as a product or ratio"),
    ],
)
def test_a_target_that_is_computed_from_columns(tmp_path, target, columns, how):
    frame = parts()
    [suspect] = found(tmp_path, frame.assign(y=target(frame)), "y")
    assert suspect.columns == columns and how in suspect.how and suspect.exact and suspect.strength > 0.999


def test_a_noisy_sum_is_suspicious_only(tmp_path):
    frame = parts()
    noise = np.random.default_rng(1).normal(0, 7, len(frame))
    [suspect] = found(tmp_path, frame.assign(y=frame["a"] + frame["b"] + noise), "y")
    assert suspect.columns == ("a", "b") and not suspect.exact and 0.99 <= suspect.strength < 0.999


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("flipped", "exact"), [(0.0, True), (0.05, False)])
def test_a_copy_of_the_labels_with_some_flipped(tmp_path, classes, flipped, exact):
    frame, random = grades(900, classes=classes).assign(z="0"), np.random.default_rng(2)
    frame["z"] = random.normal(size=900)
    frame[["x", "y"]] = random.normal(size=(900, 2))
    copied = np.where(random.random(900) < flipped, random.choice(frame["grade"].unique(), 900), frame["grade"])
    [suspect] = found(tmp_path, frame.assign(status=copied), "grade")
    assert (suspect.columns, suspect.exact) == (("status",), exact)
    assert exact or "all other columns explain 0.0" in str(suspect)


def test_a_noisy_copy_of_a_number(tmp_path):
    frame = charges(600, noise=6_000.0)
    paid = frame["charges"].astype(float) + np.random.default_rng(3).normal(0, 2_000, 600)
    [suspect] = found(tmp_path, frame.assign(paid=paid.round()), "charges")
    assert suspect.columns == ("paid",) and not suspect.exact


def test_a_strong_feature_beside_others_that_are_as_strong_is_none(tmp_path):
    random = np.random.default_rng(4)
    size = random.normal(size=600)
    frame = pd.DataFrame({name: size + random.normal(0, 0.2, 600) for name in "abc"}).assign(y=3 * size)
    assert found(tmp_path, frame, "y") == []


@pytest.mark.parametrize(("name", "target"), [("insurance", "charges"), ("loan", "Loan_Status"), ("truck", "class")])
def test_no_alarm_on_the_samples(tmp_path, name, target):
    header, *rows = SAMPLES[name](min(ROWS[name], 2_000))
    assert found(tmp_path, pd.DataFrame(rows, columns=header), target, drop=["Loan_ID"] if name == "loan" else []) == []


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_no_alarm_on_real_tables(task):
    from sklearn.datasets import load_breast_cancer, load_diabetes

    data = load_diabetes() if task == "regression" else load_breast_cancer()
    columns = {f"c{number}": column for number, column in enumerate(data.data.T)}
    schema = Schema(tuple(Field(name, "number") for name in columns))
    classes = () if task == "regression" else ("a", "b")
    assert suspects(Rows(schema, columns, data.target.astype(float), task, classes)) == []


def test_only_a_person_promotes_a_model_of_a_leak_and_then_it_is_known(tmp_path):
    frame = parts(300)
    made = problem(tmp_path, frame.assign(y=frame["a"] + frame["b"]), "y", candidates=["linear"])
    store = LocalStore(tmp_path / "artifacts")
    outcome = train(made, store, jobs=1)
    [said] = [note for note in outcome.bundle.json("metrics.json")["notes"] if "a and b" in note]
    assert said.startswith("a and b tell the target together, as a sum or difference (1.000 of 1)")
    assert outcome.verdict.outcome == "kept" and outcome.verdict.reasons[0].startswith(said)
    assert f"slipway promote {outcome.bundle.digest[:12]}" in outcome.verdict.reasons[0]
    [leak] = suspects(read(made).rows)
    assert doubts(read(made), [leak], outcome.bundle) == []
