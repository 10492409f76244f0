from pathlib import Path

import pytest

from slipway.doctor.check_checkout import MAIN, Facts, bundle, champion, check, workflow
from slipway.errors import ProblemError

ONE, OTHER = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "facts, state, says",
    [
        (Facts(None), "missing", "no champion yet"),
        (Facts(None, unreadable="champion.json: not JSON"), "failed", "not JSON"),
        (Facts(None, champion=ONE), "missing", "aaaaaaaaaaaa is not committed: the last commit names none"),
        (Facts(None, champion=ONE, committed=OTHER), "missing", "the last commit names bbbbbbbbbbbb"),
        (Facts(None, champion=ONE, committed=ONE), "ok", "aaaaaaaaaaaa"),
    ],
)
def test_champion(facts, state, says):
    assert champion(facts).state == state and says in champion(facts).says


@pytest.mark.parametrize(
    "facts, in_remote, state, says",
    [
        (Facts(None), False, "missing", "without a champion"),
        (Facts(None, champion=ONE, in_git=True), False, "ok", "in git"),
        (Facts(None, champion=ONE, here=True), True, "ok", "in the remote store"),
        (Facts(None, champion=ONE, here=True, in_git=True), True, "ok", "in git and in the remote store"),
        (Facts(None, champion=ONE, here=True), False, "missing", "only on this machine"),
        (Facts(None, champion=ONE), False, "failed", "not here, not in git"),
        (Facts(None, champion=ONE, damage="model.onnx differs"), True, "failed", "model.onnx differs"),
    ],
)
def test_bundle(facts, in_remote, state, says):
    found = bundle(facts, in_remote)
    assert found.state == state and says in found.says
    assert found.cure or state == "ok" or facts.damage or facts.champion is None


def test_a_workflow_that_main_calls_is_there_too():
    main = (Path(__file__).resolve().parents[2] / ".github/workflows" / MAIN).read_text()
    called = {"release.yaml": "", "deploy.yaml": ""}
    for name in called:
        found = workflow({MAIN: main} | {other: "" for other in called if other != name})
        assert found.state == "missing" and f"{name} is missing" in found.says
    assert workflow({MAIN: main} | called).state == "ok"


def test_what_a_checkout_needs():
    there = check(Facts(Path("/x"), {MAIN: ""}), None, False)
    assert [each.state for each in there[:3]] == ["ok", "ok", "ok"]
    absent = check(Facts(None), ProblemError("slipway.yaml: trget: no such setting", "Did you mean target?"), False)
    assert [each.state for each in absent[:3]] == ["missing", "failed", "missing"]
    assert (absent[1].says, absent[1].cure) == ("slipway.yaml: trget: no such setting", "Did you mean target?")
