"""The rules and the dashboard ask for what a service says; `make lint` lets promtool try the rules."""

import json
import re
from pathlib import Path

import pytest
import yaml

from looks import leave
from page import start
from slipway.kinds import PROTOCOLS
from slipway.serving.refusal import PREDICTIONS

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target["expr"] for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [*(rule["expr"] for rule in ALERTS), *TARGETS]
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> set[str]:
    """The names of what a service with a log and a look has at /metrics."""
    folder = tmp_path_factory.mktemp("served")
    leave(folder / "log")
    text = start(folder, settings="log: {to: files}\n").test_client().get("/metrics").text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    return {name.removesuffix("_total") + end for name, kind in types.items() for end in SUFFIXES[kind]}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_is_one_of_the_service(served, expression):
    names = set(re.findall(r"\bslipway_\w+", expression))
    assert names <= served and (names or "up{" in expression)


@pytest.mark.parametrize("expression", [text for text in EXPRESSIONS if "endpoint=~" in text])
def test_calls_of_every_protocol_count(tmp_path, expression):
    app = start(tmp_path, settings=f"serving: {{protocols: [{', '.join(PROTOCOLS)}], cache_seconds: 60}}\n")
    predicting = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint in PREDICTIONS}
    assert {"/predict", "/invocations", "/v2/models/<model>/infer"} < predicting
    for pattern in re.findall(r'endpoint=~"([^"]+)"', expression):
        assert all(re.fullmatch(pattern, path) for path in predicting)


def test_the_names_would_not_pass_unseen(served):
    assert "slipway_drift_fields" in served and "slipway_drift" not in served


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_much_it_matters_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert "$labels.instance" in rule["annotations"]["summary"] and rule["annotations"]["description"].endswith(".")


def test_each_rule_is_tried():
    tried = yaml.safe_load((Path(__file__).parent / "alerts_test.yaml").read_text())
    fired = {each["alertname"] for test in tried["tests"] for each in test.get("alert_rule_test", []) if each["exp_alerts"]}
    assert fired == {rule["alert"] for rule in ALERTS}


def test_what_is_found_once_a_day_has_no_waiting_time():
    daily = [rule for rule in ALERTS if re.search("slipway_(live|drift|watch_outcome)", rule["expr"])]
    assert daily and not any("for" in rule for rule in daily)


def test_the_dashboard_answers_four_questions_in_their_order():
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Is it alive?", "Is it worse?", "What moved?", "What was decided"]


def test_panels_have_places_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    squares = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(squares) == len(set(squares)) and max(x for x, _ in squares) < 24


@pytest.mark.parametrize("expression", TARGETS)
def test_every_panel_shows_the_chosen_services(expression):
    assert 'job="slipway", instance=~"$service"' in expression


def test_the_job_has_the_name_that_the_rules_go_by():
    [job] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == "slipway" and any('job="slipway"' in rule["expr"] for rule in ALERTS)
