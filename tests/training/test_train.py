import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import slipway
from slipway.errors import TableError
from slipway.model.contents import golden_of, metrics_of, model_of
from slipway.model.metrics import value
from slipway.model.predictor import Predictor
from slipway.store.local import LocalStore
from slipway.training import challenger
from slipway.training.data.dataset import read
from slipway.training.fitting.candidates import CANDIDATES
from slipway.training.fitting.workers import Workers
from tables import charges, grades, problem
from trainings import trained


@pytest.mark.parametrize(
    ("frame", "target", "task"),
    [
        (charges(), "charges", "regression"),
        (grades(), "grade", "binary"),
        (grades(classes=3), "grade", "multiclass"),
    ],
)
def test_the_first_useful_model_becomes_champion(tmp_path, store, frame, target, task):
    begun = time.monotonic()
    outcome = trained(tmp_path, store, frame, target)
    assert outcome.verdict.outcome == "promoted"
    assert store.pointer().digest == outcome.bundle.digest
    predictor = Predictor(store.bundle(outcome.bundle.digest))
    predictor.replay()
    assert predictor.task == task
    graphs = {member.graph for member in predictor.model.members}
    assert set(outcome.bundle.parts["serving"]) - graphs == {
        "schema.json",
        "model.json",
        "golden.json",
        "metrics.json",
        "drift.json",
        "live.json",
        "evaluation.json",
        "report.html",
        "card.md",
    }
    assert graphs >= {"model.onnx"}
    twins = {name.replace("model", "twin") for name in graphs}
    assert set(outcome.bundle.parts["judging"]) == {"twin.json", *twins}
    entry = store.journal.entries()[-1]
    assert (entry["event"], entry["outcome"], entry["digest"]) == ("verdict", "promoted", outcome.bundle.digest)
    assert 0 < entry["seconds"] <= time.monotonic() - begun + 0.001


def test_what_is_served_learned_from_all_rows_and_its_twin_from_those_not_held_out(tmp_path, store):
    frame = charges()
    bundle = trained(tmp_path, store, frame, "charges", candidates=["linear"]).bundle
    served, twin = model_of(bundle), model_of(bundle.twin())
    assert served.rows.training == len(frame) and twin.rows.training == len(frame) - twin.rows.holdout
    assert served.rows.twin == twin.rows.twin == twin.rows.training
    assert twin.rows.holdout == served.rows.holdout == metrics_of(bundle).holdout.rows > 0
    assert [each.settings for each in served.members] == [each.settings for each in twin.members]
    assert bundle.read("model.onnx") != bundle.read("twin.onnx")
    own, table = golden_of(bundle), read(problem(tmp_path, frame, "charges", candidates=["linear"]))
    assert own.predictions[0]["prediction"] in Predictor(bundle).scores(table.unseen.columns)
    reached = goal_value(table, Predictor(bundle.twin()))
    assert metrics_of(bundle).holdout.metrics["rmse"].value == pytest.approx(reached)
    assert bundle.json("drift.json")["rows"] == len(frame)


def goal_value(table, predictor) -> float:
    unseen, goal = table.unseen, table.goal
    return value(goal.metric, goal.scored(unseen.y, predictor.scores(unseen.columns), predictor.threshold))


def test_a_refit_that_answers_otherwise_is_not_served(tmp_path, store, monkeypatch):
    """A refit whose target was shuffled: its twin is served, and the report says so."""
    real = challenger.fit

    def shuffled(trial, rows, seed):
        y = np.random.default_rng(0).permutation(rows.y) if len(rows.y) == 240 else rows.y
        return real(trial, replace(rows, y=y), seed)

    monkeypatch.setattr(challenger, "fit", shuffled)
    bundle = trained(tmp_path, store, charges(240), "charges", candidates=["linear"]).bundle
    assert bundle.read("model.onnx") == bundle.read("twin.onnx")
    assert model_of(bundle).rows == model_of(bundle.twin()).rows
    assert metrics_of(bundle).notes[-1].startswith("the model that learned from all rows is not served: rmse")


def test_a_refit_that_is_exported_otherwise_is_refused(tmp_path, store, monkeypatch):
    linear, exported = CANDIDATES["linear"], []

    def wrong(fitted, features):
        exported.append(linear.export(fitted, features))
        off = 1.001 if len(exported) % 2 == 0 else 1
        return replace(exported[-1], base=[exported[-1].base[0] * off])

    monkeypatch.setitem(CANDIDATES, "linear", replace(linear, export=wrong))
    with pytest.raises(TableError, match="its export answers 240 of 240 rows unlike scikit-learn"):
        trained(tmp_path, store, charges(240), "charges", candidates=["linear"])


def test_a_champion_leaves_the_digest_alone_unless_it_is_named(tmp_path, store, monkeypatch):
    """The same data and slipway.yaml in two stores: where a champion adds nothing to the trials, it changes nothing."""
    frame, linear = charges(), CANDIDATES["linear"]
    alone = trained(tmp_path, store, frame, "charges").bundle
    other = LocalStore(tmp_path / "other")
    trained(tmp_path, other, frame, "charges", drop=["smoker"])
    assert trained(tmp_path, other, frame, "charges").bundle.digest == alone.digest
    assert model_of(alone).start == ()

    with monkeypatch.context() as patch:
        patch.setitem(CANDIDATES, "linear", replace(linear, tried=({"penalty": 0.37},)))
        tuned = trained(tmp_path, other, frame, "charges", candidates=["linear"], seed=1).bundle
    other.promote(tuned, "promote", "by hand")
    found = [trained(tmp_path, other, frame, "charges", candidates=["linear"]) for _ in range(2)]
    assert model_of(found[0].bundle).start[0].settings["penalty"] == 0.37
    assert found[0].bundle.digest == found[1].bundle.digest != alone.digest
    other.promote(found[0].bundle, "promote", "by hand")
    assert trained(tmp_path, other, frame, "charges", candidates=["linear"]).bundle.digest == found[0].bundle.digest


def test_an_export_that_answers_otherwise_is_refused(tmp_path, store, monkeypatch):
    """The parity gate: the best candidate's export is wrong in one leaf, so the next best is taken."""
    boosting = CANDIDATES["boosting"]

    def wrong(fitted, features):
        graph = boosting.export(fitted, features)
        return replace(graph, base=[graph.base[0] * 1.001])

    monkeypatch.setitem(CANDIDATES, "boosting", replace(boosting, export=wrong))
    outcome = trained(tmp_path, store, charges(), "charges", candidates=["boosting", "linear"])
    metrics = outcome.bundle.json("metrics.json")
    assert outcome.bundle.json("model.json")["members"][0]["candidate"] == "linear"
    refused = [entry for entry in metrics["leaderboard"] if "unlike scikit-learn" in entry["reason"]]
    assert bool(refused) == (metrics["leaderboard"][0]["candidate"] in ("boosting", "blend"))
    with pytest.raises(TableError, match="no candidate can be exported exactly"):
        trained(tmp_path, store, charges(), "charges", candidates=["boosting"])


def test_the_threshold_minimises_the_declared_costs(tmp_path, store):
    frame = grades(600)
    costs = {"costs.false_positive": 1, "costs.false_negative": 50, "positive": "high"}
    outcome = trained(tmp_path, store, frame, "grade", **costs)
    model = outcome.bundle.json("model.json")
    assert model["metric"] == "cost" and model["threshold"] < 0.3


def interrupted_after(number, monkeypatch):
    """Let Ctrl-C come after so many fits of the search."""
    run = Workers.run

    def interrupted(workers, jobs):
        for done, answer in enumerate(run(workers, jobs)):
            if done == number:
                monkeypatch.setattr(Workers, "run", run)
                raise KeyboardInterrupt
            yield answer

    monkeypatch.setattr(Workers, "run", interrupted)


def test_ctrl_c_keeps_the_best_so_far(tmp_path, store, monkeypatch):
    interrupted_after(6, monkeypatch)  # the first trial has its five folds behind it
    outcome = trained(tmp_path, store, charges(), "charges", **{"search.trials": 16, "candidates": ["linear"]})
    metrics = outcome.bundle.json("metrics.json")
    assert [entry["candidate"] for entry in metrics["leaderboard"]] == ["linear", "baseline"]
    assert "ended early by Ctrl-C" in metrics["notes"][-1]


def test_ctrl_c_before_the_first_result_leaves_nothing(tmp_path, store, monkeypatch):
    interrupted_after(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt, match="no settings have been tried on all folds yet, so nothing is kept"):
        trained(tmp_path, store, charges(), "charges")
    assert store.digests() == [] and store.journal.entries() == []


@pytest.mark.parametrize(
    ("frame", "target", "settings", "message"),
    [
        (charges(30), "charges", {}, "at least 40 are needed"),
        (charges().assign(charges="1"), "charges", {}, "nothing to learn"),
        (charges(), "chargse", {}, "Did you mean 'charges'"),
        (grades(), "grade", {"metric": "rmse"}, "does not measure binary"),
        (charges().assign(row="same"), "charges", {"id": "row"}, "the split holds out.* another in id"),
        (charges().assign(row="same"), "charges", {"group": "row"}, "the split holds out.* another in group"),
        (charges().assign(age=1, bmi=2, smoker="no", region="n"), "charges", {}, "the split holds out.* add features"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path, store, frame, target, settings, message):
    with pytest.raises(TableError, match=message):
        trained(tmp_path, store, frame, target, **settings)
    assert store.digests() == [] and store.pointer() is None


def test_rows_without_a_target_are_left_out_and_counted(tmp_path, store):
    frame = charges()
    frame.loc[:4, "charges"] = ""
    outcome = trained(tmp_path, store, frame, "charges")
    assert "5 rows without a target were left out" in outcome.bundle.json("metrics.json")["notes"]


PROGRAM = """
import sys
from pathlib import Path
from slipway.problem import load_problem
from slipway.store.local import LocalStore
from slipway.training.train import train
if __name__ == "__main__":
    problem = load_problem("slipway.yaml")
    print(train(problem, LocalStore(Path("artifacts")), jobs=int(sys.argv[1])).bundle.digest)
"""


def test_the_same_inputs_give_the_same_digest(tmp_path):
    """Two folders, two clocks, two hash seeds, one worker and two."""
    digests = []
    for number, (seed, zone, jobs) in enumerate([("1", "UTC", "1"), ("2", "Asia/Tokyo", "2")]):
        folder = tmp_path / f"folder{number}"
        folder.mkdir()
        problem(folder, grades(), "grade", candidates=["linear", "forest", "boosting"])
        (folder / "program.py").write_text(PROGRAM)
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "PYTHONPATH": str(Path(slipway.__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
        }
        run = subprocess.run(
            [sys.executable, "program.py", jobs], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        digests.append(run.stdout.strip())
    assert digests[0] == digests[1]


def test_golden_rows_are_requests_and_no_time_or_host_is_in_the_bundle(tmp_path, store):
    outcome = trained(tmp_path, store, charges(), "charges")
    golden = outcome.bundle.json("golden.json")
    assert len(golden["rows"]) == 32
    assert all(isinstance(row["age"], int) and row["smoker"] in ("yes", "no") for row in golden["rows"])
    assert any(row["bmi"] is None for row in golden["rows"]) or len(golden["rows"]) < 40
    journal = store.journal.entries()[-1]
    everything = b"".join(outcome.bundle.read(name) for name in outcome.bundle.files)
    assert journal["at"][:10].encode() not in everything
    assert json.dumps(journal["who"].split("@")[1]).encode() not in everything
    assert np.isfinite(golden["predictions"][0]["prediction"])
