"""What a run of MLflow says of a training."""

import csv
import io
import json

import pytest

from bundles import make_bundle
from slipway.export.training_run import LONGEST_PARAM, LONGEST_TAG, Training, asked, contents_of
from slipway.problem import read_problem
from slipway.store.local import LocalStore

AT = "2026-11-23T05:00:00+00:00"
SAID = {
    "at": AT,
    "who": "ann@desk",
    "outcome": "kept",
    "reasons": ["it is not better"],
    "champion": "e" * 64,
    "latency_us": 12.5,
}


def problem(folder, more: str = "", name: str = "trial"):
    return read_problem(f"name: {name}\nsource: table.csv\ntarget: charges\n{more}", folder / "slipway.yaml", {})


def contents(folder, task: str, said=SAID, **more):
    bundle = make_bundle(LocalStore(folder / "artifacts"), task)
    return contents_of(bundle, problem(folder), Training(bundle.digest, said, **more))


@pytest.mark.parametrize("task, metric", [("regression", "rmse"), ("binary", "roc_auc"), ("multiclass", "log_loss")])
def test_figures_have_their_intervals_and_the_baseline_beside_them(tmp_path, task, metric):
    found = {each.name: each.value for each in contents(tmp_path, task).metrics if not each.step}
    wanted = {metric: 0.8, f"{metric}_low": 0.7, f"{metric}_high": 0.9, f"{metric}_baseline": 0.5, "latency_us": 12.5}
    wanted |= {"cv/linear": 0.8, "cv_error/linear": 0.01}
    assert wanted.items() <= found.items()


def test_the_learning_curve_has_a_step_for_each_number_of_rows(tmp_path):
    found = [each for each in contents(tmp_path, "binary").metrics if each.step]
    names = {each.name for each in found}
    assert names == {f"learning_curve/roc_auc{end}" for end in ("", "_low", "_high")}
    steps = [each.step for each in found if each.name == "learning_curve/roc_auc"]
    assert len(steps) > 1 and steps == sorted(steps)


@pytest.mark.parametrize(
    "task, names",
    [
        ("regression", {"residuals", "intervals"}),
        ("binary", {"threshold", "reliability", "confusion"}),
        ("multiclass", {"reliability", "confusion"}),
    ],
)
def test_curves_are_tables(tmp_path, task, names):
    files = contents(tmp_path, task).files
    tables = {path: list(csv.reader(io.StringIO(files[path].decode()))) for path in files if path.startswith("curves/")}
    assert {f"curves/{name}.csv" for name in names | {"importance", "learning", "leaderboard"}} <= set(tables)
    assert all(len({len(row) for row in rows}) == 1 and len(rows) > 1 for rows in tables.values())


def test_tags_and_note_say_what_the_gate_said_and_the_whole_entry_is_a_file(tmp_path):
    found = contents(tmp_path, "regression", tags={"slipway.commit": "c" * 40, "slipway.why": ""})
    assert found.tags["slipway.verdict"] == "kept" and found.tags["slipway.against"] == "e" * 64
    assert found.tags["slipway.data"] == "0" * 64 and found.tags["slipway.commit"] == "c" * 40
    assert found.tags["mlflow.note.content"].startswith("**kept**\n\n- it is not better")
    assert "slipway.why" not in found.tags  # there was none
    assert json.loads(found.files["verdict.json"]) == SAID
    assert b"it is not better" in found.files["report.html"]


def test_a_bundle_of_which_nobody_said_anything_is_told_by_itself(tmp_path):
    found = contents(tmp_path, "regression", said={})
    assert "slipway.verdict" not in found.tags and "slipway.judged" not in found.tags
    assert "verdict.json" not in found.files and "report.html" in found.files
    assert Training("a" * 64, {}).ended > Training("a" * 64, SAID).ended == 1_795_410_000_000


@pytest.mark.parametrize("more, seconds", [({"seconds": 61.5}, 61.5), ({}, 0), ({"seconds": None}, 0)])
def test_a_training_began_its_duration_before_the_verdict(more, seconds):
    training = Training("a" * 64, SAID | more)
    assert training.ended - training.begun == 1000 * seconds


def test_where_nobody_judged_the_moment_stays_the_same():
    training = Training("a" * 64, {})
    assert training.begun == training.ended == training.ended


def test_long_texts_are_cut_and_say_so(tmp_path):
    said = SAID | {"reasons": ["because " * 2_000]}
    found = contents(tmp_path, "regression", said=said, params={"settings/source": "a.csv, " * 500, "settings/né:1": "x"})
    assert len(found.tags["slipway.reasons"]) == LONGEST_TAG
    assert found.tags["slipway.reasons"].endswith(" … (16,000 characters)")
    assert len(found.params["settings/source"]) == LONGEST_PARAM
    assert "settings/né.1" in found.params
    assert json.loads(found.files["verdict.json"]) == said


def test_parameters_are_what_the_bundle_says(tmp_path):
    params = contents(tmp_path, "binary").params
    wanted = {
        "task": "binary",
        "target": "approved",
        "model/candidate": "linear",
        "model/penalty": "1.0",
        "rows/training": "100",
    }
    assert wanted.items() <= params.items()


def test_settings_that_decide_are_asked_for_unless_they_are_at_their_defaults(tmp_path):
    more = """
costs: {false_positive: 5, false_negative: 1}
candidates: [linear]
id: [patient, visit]
gate: {minimum_gain: 2}
serving: {max_rows: 7}
remote: s3://bucket/prefix
mongodb: {filter: {name: Ann}}
"""
    assert asked(problem(tmp_path, more)) == {
        "settings/source": "table.csv",
        "settings/costs.false_positive": "5.0",
        "settings/costs.false_negative": "1.0",
        "settings/candidates": "linear",
        "settings/id": "patient, visit",
        "settings/gate.minimum_gain": "2.0",
    }
    assert "settings/costs.false_positive" not in asked(problem(tmp_path))
