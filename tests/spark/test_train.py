"""search.engine: spark, on a real cluster: whether all rows are better than the sample, and what is served then."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slipway.model.tables import Predictor
from slipway.problem import load_problem
from slipway.sources.spark import SparkTable
from slipway.store.local import LocalStore
from slipway.training.data.dataset import read
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import encoded
from slipway.training.fitting.xgboost_trees import USUAL, aim_of, library
from slipway.training.train import train
from slipway.training.whole.distributed import grown
from slipway.training.whole.encoded_rows import Part, RowEncoder

pytestmark = pytest.mark.spark
ROWS = 110_000  # a little more than what is learned from without a sample
DEADLINE = 240  # of the stage that learns, where much else runs


def numbers(count: int) -> tuple[pd.DataFrame, np.random.Generator]:
    random = np.random.default_rng(0)
    columns = {f"x{place}": random.normal(size=ROWS).astype(np.float32) for place in range(count)}
    return pd.DataFrame({"row": np.arange(ROWS), "kind": random.choice(["a", "b", None], ROWS), **columns}), random


def hidden() -> pd.DataFrame:
    """What three columns say together no two of them do: trees need many rows to come upon it."""
    frame, random = numbers(8)
    right = frame["x0"] * frame["x1"] * frame["x2"] > 0
    return frame.assign(y=np.where(right == (random.random(ROWS) < 0.9), "yes", "no"))


def plain() -> pd.DataFrame:
    """A weighted sum, which a few thousand rows tell as well as all."""
    frame, random = numbers(8)
    return frame.assign(y=frame["x0"] + 2.0 * frame["x1"] + random.normal(0, 1, ROWS))


def trained(folder: Path, frame: pd.DataFrame, url: str):
    frame.to_parquet(folder / "table.parquet", row_group_size=20_000)
    (folder / "slipway.yaml").write_text(
        "name: trial\nsource: spark:./table.parquet\ntarget: y\nid: row\ncandidates: [linear, boosting]\n"
        "sample: {cells: 100000}\nsearch: {engine: spark, trials: 1}\n"
        f"spark: {{master: '{url}'}}\n"
    )
    return train(load_problem(folder / "slipway.yaml", environ={}), LocalStore(folder / "artifacts"), jobs=2)


def test_all_rows_are_served_where_they_are_better(tmp_path, spark, cluster):
    frame = hidden()
    outcome = trained(tmp_path, frame, cluster.url)
    bundle = outcome.bundle
    metrics, model = bundle.json("metrics.json"), bundle.json("model.json")
    assert outcome.verdict.promoted
    assert [member["candidate"] for member in model["members"]] == ["xgboost"]
    assert "xgboost" in model["libraries"]
    assert model["rows"]["training"] == ROWS
    assert model["rows"]["twin"] == pytest.approx(0.8 * ROWS, rel=0.02)
    first, second = metrics["leaderboard"][:2]
    assert (first["candidate"], second["eligible"]) == ("xgboost", True)
    (note,) = [each for each in metrics["notes"] if "on the cluster" in each]
    assert "gained 0." in note and "of roc_auc" in note and "chance" not in note
    assert metrics["holdout"]["metrics"]["roc_auc"]["value"] > 0.8
    rows = frame.head(2_000)
    found = Predictor(bundle).predict(rows.drop(columns="y"))
    assert np.mean(np.array(found.values) == rows["y"]) > 0.8
    assert json.loads((tmp_path / "artifacts" / "champion.json").read_text())["digest"] == bundle.digest


def test_the_sample_is_enough_where_more_rows_gain_nothing(tmp_path, spark, cluster):
    bundle = trained(tmp_path, plain(), cluster.url).bundle
    metrics, model = bundle.json("metrics.json"), bundle.json("model.json")
    assert "xgboost" not in [member["candidate"] for member in model["members"]]
    assert model["rows"]["training"] < 12_000
    (line,) = [each for each in metrics["leaderboard"] if each["candidate"] == "xgboost"]
    assert not line["eligible"] and "no better than the best of the sample" in line["reason"]
    (note,) = [each for each in metrics["notes"] if "on the cluster" in each]
    assert note.endswith("which chance explains: the model of the sample is kept")


def test_an_executor_that_is_killed_changes_nothing(tmp_path, spark, cluster):
    """The stage begins anew, on the executor that the worker starts, and grows the same trees to the last bit."""
    plain().to_parquet(tmp_path / "table.parquet", row_group_size=20_000)
    (tmp_path / "slipway.yaml").write_text(
        f"name: trial\nsource: spark:./table.parquet\ntarget: y\nid: row\nsample: {{cells: 100000}}\n"
        f"spark: {{master: '{cluster.url}'}}\n"
    )
    problem = load_problem(tmp_path / "slipway.yaml", environ={})
    table = read(problem)
    encoding, _, y = encoded(Trial("xgboost", USUAL), table.learned)
    encoder = RowEncoder(problem, table.target, encoding, aim_of(0, y), Part(table.split), False)
    settings, frame = {**USUAL, "max_iter": 150}, SparkTable(problem).frame()
    whole = grown(frame, encoder, settings, 0)
    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(_kill_while_learning, spark, cluster)
        again = grown(frame, encoder, settings, 0)
        killed.result()
    assert again == whole
    assert whole.rows == pytest.approx(0.8 * ROWS, rel=0.02)
    assert root_of(whole.booster) == whole.rows  # all executors learned one model, not each its own


def root_of(booster: bytes) -> float:
    """The sum of second derivatives over the rows of the first tree: of squared errors, how many there are."""
    made = library().Booster()
    made.load_model(bytearray(booster))
    (first, *_) = json.loads(made.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    return first["sum_hessian"][0]


def _kill_while_learning(spark, cluster) -> None:
    """-9 to an executor once both are at the stage that learns: the last of a job of several."""
    tracker, deadline = spark.sparkContext.statusTracker(), time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        jobs = [job for job in map(tracker.getJobInfo, tracker.getActiveJobsIds()) if job and len(job.stageIds) > 1]
        stages = [tracker.getStageInfo(max(job.stageIds)) for job in jobs]
        if any(stage and stage.numActiveTasks == 2 for stage in stages):
            cluster.kill_executor()
            return
        time.sleep(0.01)
    raise AssertionError("no stage learned")
