"""What /metrics tells of the last look."""

import json
import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from bundles import ROWS, make_bundle
from looks import FOUND, leave
from page import start
from servers import serve
from slipway.store.local import LocalStore

LOGS = "log: {to: files}\n"
BUNDLE = ("bundle", "8821177e2697")


def samples(text: str) -> dict:
    """Value by name and labels of what is not counted by the service itself; each is there once."""
    found = {}
    for family in parse(text):
        for sample in family.samples:
            if ("bundle", sample.labels["bundle"]) == BUNDLE:
                key = (
                    sample.name.removeprefix("slipway_"),
                    *sorted(label for label in sample.labels.items() if label != BUNDLE),
                )
                assert key not in found
                found[key] = sample.value
    return found


@pytest.fixture
def client(tmp_path):
    app = start(tmp_path, settings=LOGS)
    yield app.test_client()
    app.extensions["slipway"].recorder.close()


def test_figures_become_gauges_with_the_bundle_of_the_look(client, tmp_path):
    leave(tmp_path / "log")
    metric = ("metric", "absolute_error")
    assert samples(client.get("/metrics").text) == {
        ("watch_run_timestamp_seconds",): 1795327200.0,
        ("watch_outcome", ("outcome", "quiet")): 0.0,
        ("watch_outcome", ("outcome", "drift")): 0.0,
        ("watch_outcome", ("outcome", "worse")): 1.0,
        ("watch_outcome", ("outcome", "broken")): 0.0,
        ("watch_train",): 1.0,
        ("drift_effect", ("field", "age")): 0.31,
        ("drift_effect", ("field", "score")): 0.02,
        ("drift_effect", ("field", "(score)")): 0.25,
        ("drift_fields",): 1.0,
        ("live_loss", metric): 420.5,
        ("live_loss_low", metric): 400.25,
        ("live_loss_usual", metric): 350.0,
        ("live_loss_allowed", metric): 380.0,
        ("estimated_metric", metric): 360.0,
        ("labels_total",): 900.0,
        ("label_coverage_ratio",): 0.75,
        ("label_delay_seconds", ("quantile", "0.5")): 3600.0,
        ("label_delay_seconds", ("quantile", "0.9")): 86400.0,
    }


def test_what_is_not_known_yet_has_no_sample(client, tmp_path):
    few = {"mean": 420.5, "low": None}
    leave(tmp_path / "log", loss=FOUND["loss"] | few, expected={}, coverage=None, delay_seconds=None)
    names = {name for name, *_ in samples(client.get("/metrics").text)}
    assert "live_loss" in names
    assert names.isdisjoint({"live_loss_low", "estimated_metric", "label_coverage_ratio", "label_delay_seconds"})
    leave(tmp_path / "log", loss=None)
    assert "live_loss" not in {name for name, *_ in samples(client.get("/metrics").text)}


def test_a_field_named_as_an_answer_is_there_once(client, tmp_path):
    leave(tmp_path / "log", effects={"field/(score)": 0.1, "answer/score": 0.2})
    assert samples(client.get("/metrics").text)["drift_effect", ("field", "(score)")] == 0.1


def test_without_a_look_there_is_nothing_and_the_next_look_is_seen(client, tmp_path):
    assert samples(client.get("/metrics").text) == {}
    leave(tmp_path / "log")
    assert samples(client.get("/metrics").text)["drift_fields",] == 1
    (tmp_path / "log/new.json").write_text(json.dumps(FOUND | {"flagged": []}))
    (tmp_path / "log/new.json").rename(tmp_path / "log/live.json")
    assert samples(client.get("/metrics").text)["drift_fields",] == 0
    (tmp_path / "log/live.json").unlink()
    assert samples(client.get("/metrics").text) == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"x":' * 9_999, '{"at": "yesterday", "bundle": "a"}', '{"at": "2026-11-22T06:00:00"}']
)
def test_a_damaged_file_is_ignored_and_told_once(client, tmp_path, capfd, content):
    leave(tmp_path / "log")
    (tmp_path / "log/live.json").write_text(content)
    for _ in range(3):
        answer = client.get("/metrics")
        assert answer.status_code == 200 and samples(answer.text) == {}
    assert capfd.readouterr().err.count("live.json cannot be read") == 1


def test_a_pipe_keeps_nobody_waiting(client, tmp_path):
    (tmp_path / "log").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "log/live.json")
    assert samples(client.get("/metrics").text) == {}


@pytest.mark.parametrize("settings", ["", "log: {to: none}\n", "log: {to: stdout}\n"])
def test_a_service_whose_log_is_not_in_files_shows_none(tmp_path, settings):
    leave(tmp_path / "log")
    assert samples(start(tmp_path, settings=settings).test_client().get("/metrics").text) == {}


@pytest.mark.parametrize("settings, logged", [("", False), (LOGS, True)])
def test_a_log_that_is_wanted_counts_from_zero(tmp_path, settings, logged):
    text = start(tmp_path, settings=settings).test_client().get("/metrics").text
    assert ("slipway_logged_rows_total{" in text) == logged


def test_every_worker_has_the_same_figures(tmp_path: Path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text(f"name: regression\nsource: table.csv\ntarget: charges\n{LOGS}")
    leave(tmp_path / "log")
    with serve(tmp_path, WEB_CONCURRENCY="2") as server:
        assert server.call("POST", "/predict", ROWS[0])[0] == 200
        for _ in range(6):
            assert samples(server.call("GET", "/metrics")[1].decode())["drift_effect", ("field", "age")] == 0.31
