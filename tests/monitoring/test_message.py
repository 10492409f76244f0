"""What a person is told of a look."""

from types import SimpleNamespace

import pytest

from slipway.monitoring.message import LONGEST, message


def look(outcome: str = "drift", sentences=(), reasons=("Columns moved: age.",), train=False, problem="charges"):
    decision = SimpleNamespace(outcome=outcome, reasons=reasons, train=train)
    return SimpleNamespace(problem=problem, decision=decision, look=None, sentences=list(sentences))


def test_it_says_what_why_and_where():
    told = message(look(sentences=["`age`: 31 % at 60 or more."], train=True), "s3://bucket/log/live.html")
    assert (told.outcome, told.title, told.good) == ("drift", "charges: columns moved", False)
    assert told.text.splitlines() == [
        "charges: columns moved",
        "Columns moved: age.",
        "`age`: 31 % at 60 or more.",
        "Train the next model: slipway train",
        "s3://bucket/log/live.html has the rest; slipway monitor opens it.",
    ]


@pytest.mark.parametrize("outcome, good", [("quiet", True), ("drift", False), ("worse", False), ("broken", False)])
def test_only_quiet_is_good(outcome, good):
    assert message(look(outcome), "p").good == good


def test_quiet_may_have_something_to_say():
    again = look("quiet", reasons=("Suspected, until rows of another day confirm it: age.",))
    again.look = SimpleNamespace(unconfirmed=["age"])
    assert message(again, "p").title == "charges: columns may have moved"
    assert message(look("quiet", reasons=("Nothing moved beyond chance.",)), "p").title == "charges: nothing to do"


def test_it_is_bounded():
    told = message(look(sentences=[f"`{place}`: {'x' * 1_000}" for place in range(170)], reasons=["r" * 5_000]), "p").text
    assert "160 more columns moved." in told.splitlines()
    assert len(told) < 14 * LONGEST and max(map(len, told.splitlines())) == LONGEST


def test_a_name_breaks_no_line_and_turns_no_text():
    told = message(look(problem="a\nBcc: b@example.org", sentences=["`a\r\nb\u202e` moved."]), "p")
    assert told.title == "a Bcc: b@example.org: columns moved"
    assert "`a b\\u202e` moved." in told.text.splitlines()
