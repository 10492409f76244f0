"""The public API, as somebody in a notebook uses it."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow
import pytest

import slipway
from tables import charges


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and a problem beside it."""
    folder = tmp_path_factory.mktemp("notebook")
    charges().to_csv(folder / "patients.csv", index=False)
    (folder / "slipway.yaml").write_text(
        "name: patients\nsource: patients.csv\ntarget: charges\nsearch: {trials: 1}\ncandidates: [linear]\n"
    )
    return folder


@pytest.fixture(scope="module")
def champion(folder):
    problem = slipway.load_problem(folder / "slipway.yaml")
    outcome = slipway.train(problem)
    assert outcome.verdict.promoted
    champion = slipway.load_champion(problem)
    assert champion.digest == outcome.bundle.digest
    return champion


def test_every_public_name_is_there_and_documented():
    assert set(slipway.__all__) <= set(dir(slipway))
    for name in slipway.__all__:
        assert getattr(slipway, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        slipway.trian  # noqa: B018


def test_importing_it_loads_nothing():
    code = "import slipway, sys; assert not {'pandas', 'numpy', 'yaml', 'flask'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_frame_is_trained_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = charges().astype({"age": float})
    settings = {"target": "charges", "name": "patients", "candidates": ["linear"], "search": {"trials": 1}}
    outcome = slipway.train(frame, settings)
    assert outcome.verdict.promoted and outcome.report.is_relative_to(tmp_path / "artifacts")
    assert outcome.leaderboard["candidate"].tolist() == ["linear", "baseline"]
    assert len(outcome.predictor.predict(frame).values) == len(frame)
    shown = outcome._repr_html_()
    assert "promoted" in shown and "<table" in shown and str(outcome.report) in shown
    assert slipway.load_champion(settings).digest == outcome.bundle.digest == outcome.predictor.digest
    with pytest.raises(slipway.SlipwayError, match="the path of its file, got int"):
        slipway.load_champion(3)
    again = slipway.train(pyarrow.Table.from_pandas(frame), settings)
    assert (again.bundle.digest, again.verdict.outcome) == (outcome.bundle.digest, "kept")


@pytest.mark.parametrize(
    "frame, problem, says",
    [
        (charges(), None, 'Say what to predict: train(frame, {"target": "charges"})'),
        (charges(), {"target": "charges", "tagret": "x"}, "tagret"),
        (charges(), {"target": "cost"}, "cost"),
        (charges().to_dict("records"), {"target": "charges"}, "expected a pandas frame or a pyarrow.Table, got list"),
        (charges().assign(age=[1, "x"] * 120), {"target": "charges"}, "age"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {"target": "a"}, "duplicate column name"),
    ],
)
def test_what_cannot_be_trained_from_is_told(frame, problem, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(slipway.SlipwayError, match=re.escape(says)):
        slipway.train(frame, problem)


def test_a_frame_is_answered(champion):
    frame = pd.read_csv(champion_table(champion))
    answered = champion.predict(frame)
    assert len(answered.values) == len(frame) and answered.probabilities is None
    with pytest.raises(slipway.SlipwayError, match="column 'age': 1 cell contains 'old'"):
        champion.predict(frame.astype({"age": str}).assign(age=["old", *frame["age"].astype(str)[1:]]))


def champion_table(champion) -> str:
    return str(champion.bundle.folder.parents[2] / "patients.csv")


def test_a_batch_comes_back_with_answers_warnings_and_reasons(folder, champion):
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "age": ["40", "old", "70"],
            "bmi": [30.5, 31.0, None],
            "smoker": ["yes", "no", "no"],
            "region": ["north", "south", "west"],
            "reason": ["x", "y", "z"],
        },
        index=[7, 8, 9],
    )
    scored = slipway.score_batch(champion, frame)
    assert list(scored.columns) == [*frame.columns, "prediction", "warning", "reason_"]
    assert list(scored.index) == [7, 8, 9]
    assert scored["prediction"].notna().tolist() == [True, False, False]
    assert scored["reason_"].tolist()[0] == "" and scored["reason_"].tolist()[1].startswith("age: is text")
    assert scored["reason_"].tolist()[2].startswith("region: expected one of")
    assert scored["prediction"][7] == champion.predict(frame[:1]).values[0]
    lenient = slipway.load_problem(folder / "slipway.yaml", {"SLIPWAY_SERVING_UNKNOWN_LEVELS": "warn"})
    warned = slipway.score_batch(champion, frame[2:], lenient)
    assert warned["prediction"].notna().all() and "a level that training never saw" in warned["warning"].tolist()[0]
    assert slipway.score_batch(champion, frame.to_dict("records"))[0]["prediction"] == scored["prediction"][7]
    table = slipway.score_batch(champion, pyarrow.Table.from_pandas(frame))
    assert table.column("prediction").to_pylist()[0] == scored["prediction"][7]
    assert slipway.score_batch(champion, frame[:0]).shape == (0, 9)


def test_there_is_no_champion_before_a_training(folder, tmp_path):
    (tmp_path / "slipway.yaml").write_text((folder / "slipway.yaml").read_text())
    with pytest.raises(slipway.SlipwayError, match="no champion"):
        slipway.load_champion(tmp_path / "slipway.yaml")


def test_the_page_on_python_runs_as_it_stands(folder, champion, monkeypatch, capsys):
    page = (Path(__file__).resolve().parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(folder)
    charges(30, seed=3).to_csv("new-patients.csv", index=False)
    exec(compile(code, "python.md", "exec"), names := {})
    assert "kept" in capsys.readouterr().out  # the champion was trained on the same table
    assert len(names["champion"].predict(names["frame"]).values) == 30
    assert set(re.findall(r"^\| `(?:Predictor\.)?(\w+)(?![\w.])", page, re.MULTILINE)) - {"predict"} <= set(slipway.__all__)
