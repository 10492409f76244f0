"""What comes of a batch of messages: to the byte what POST /predict says of each row."""

import json

import pytest

from bundles import ROWS
from conftest import make_app
from many_rows import many_rows
from slipway.errors import BundleError
from slipway.model.event import read_events
from slipway.model.predictor import Predictor
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.serving.service import open_service
from slipway.streaming.replies import replies
from slipway.streaming.stream import Message

BATCH = 500
GOOD = ROWS[0]
LATE = GOOD | {"joined": "2026-05-05"}  # answered with a warning


def batch(rows) -> list[Message]:
    bodies = [row if row is None or isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return [Message(f"7-{number}", body) for number, body in enumerate(bodies)]


def odd(rows: list) -> list:
    """Rows of which some carry an id and the target, some lie beyond training, and some are refused."""
    changes = {
        2: {"charges": 7.5},
        3: {"patient": "Zoë ✓"},
        5: {"joined": "2031-01-01"},
        7: {"age": 66, "bmi": -1},
        11: {"smoker": "never seen"},
        13: {"age": "19.5"},
        17: {"age": "19", "bmi": "NA"},
        19: {"kin": {"deep": [None]}},
    }
    return [
        dict(row) | next((change for turn, change in changes.items() if number % 20 == turn), {})
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_2000_rows_are_answered_as_by_predict_to_the_byte(tmp_path, task):
    make_app(tmp_path, task, "unknown_levels: warn")
    path = tmp_path / "slipway.yaml"
    path.write_text(path.read_text() + "id: patient\n")
    app = build(load_problem(path, environ={}), {})
    client, service = app.test_client(), app.extensions["slipway"]
    rows = odd(many_rows(2000))
    found = [reply for begin in range(0, 2000, BATCH) for reply in replies(service, batch(rows[begin : begin + BATCH]))]
    assert 100 < sum(reply.refused for reply in found) < 700
    for row, reply in zip(rows, found):
        response = client.post("/predict", json=row)
        if reply.refused:
            assert json.loads(reply.document) == response.json | {"bundle": service.digest}
        assert reply.refused == (response.status_code != 200)
        assert reply.refused or reply.document == response.data


NOT_ROWS = {
    b"": (400, "The body is empty"),
    b"{": (400, "The body is not JSON"),
    b"\xff{}": (400, "The body is not UTF-8"),
    b"[" * 1900: (400, "The body is nested too deeply."),
    b"[]": (422, "Expected one row, an object."),
    json.dumps(ROWS[:2]).encode(): (422, "Expected one row, an object."),
    b"7": (422, "Expected one row, an object."),
    b"{}": (422, "Some fields are not as expected."),
    b'{"age": 19, "bmi": 1e999, "smoker": "no", "joined": "2020-01-01"}': (422, "Some fields are not as expected."),
    b'{"a": "' + b"x" * 3000 + b'"}': (413, "The message is larger than 2000 bytes."),
    None: (400, "The message is empty"),
}


def test_what_is_no_row_becomes_a_dead_letter_and_spoils_no_other(tmp_path):
    service = make_app(tmp_path, serving="max_body_bytes: 2000").extensions["slipway"]
    bodies = [GOOD]
    for body in NOT_ROWS:
        bodies += [body, GOOD]
    found = replies(service, batch(bodies))
    assert [reply.message for reply in found] == batch(bodies)
    assert {reply.document for reply in found[::2]} == {found[0].document} and not any(reply.refused for reply in found[::2])
    for reply, (status, says) in zip(found[1::2], NOT_ROWS.values()):
        problem = json.loads(reply.document)
        assert reply.refused and problem["status"] == status and says in problem["detail"], reply
        assert problem["bundle"] == service.digest


def test_pieces_that_make_json_only_together_are_not_put_together(tmp_path):
    service = make_app(tmp_path).extensions["slipway"]
    good = json.dumps(GOOD).encode()
    found = replies(service, batch([good[:-1], b"}", good + b"," + good, b" "]))
    assert all(reply.refused for reply in found)


def test_each_row_is_logged_under_the_id_of_its_message(tmp_path):
    service = logging_service(tmp_path)
    replies(service, batch([GOOD, LATE, GOOD | {"age": 400}, b"{", ROWS[1]]))
    service.recorder.close()
    [file] = (tmp_path / "log").rglob("*.jsonl")
    events = {event.id: event for event in read_events(file.read_bytes())}
    assert sorted(events) == ["7-0", "7-1", "7-2", "7-4"]
    assert events["7-0"].rows == [GOOD] and events["7-0"].numbers is None and not events["7-0"].warned
    assert events["7-1"].rows == [LATE] and events["7-1"].warned == {"joined/out_of_range": 1}
    assert events["7-2"].rows == [] and events["7-2"].refused == {"age/out_of_range": 1}
    assert events["7-4"].rows == [{name: value for name, value in ROWS[1].items() if value is not None}]
    single = json.loads(replies(service, batch([GOOD]))[0].document)
    assert events["7-0"].answers == [single["prediction"]]


def logging_service(folder):
    make_app(folder)
    path = folder / "slipway.yaml"
    path.write_text(path.read_text() + "log: {to: files}\n")
    return open_service(load_problem(path, environ={}), {})


def test_a_row_that_breaks_something_is_refused_alone(tmp_path, monkeypatch, capfd):
    service = make_app(tmp_path).extensions["slipway"]
    score = service.score

    def breaks(columns, reasons, count):
        if 62 in columns["age"]:
            raise ZeroDivisionError("of the row of 62")
        return score(columns, reasons, count)

    monkeypatch.setattr(service, "score", breaks)
    found = replies(service, batch([GOOD, ROWS[1], LATE]))
    assert [reply.refused for reply in found] == [False, True, False]
    assert json.loads(found[1].document)["status"] == 500
    assert "ZeroDivisionError" in (told := capfd.readouterr().err) and "of the row" not in told


def test_a_broken_model_refuses_nobody_but_ends(tmp_path, monkeypatch):
    service = make_app(tmp_path).extensions["slipway"]

    def broken(self, columns):
        raise BundleError("model.onnx is damaged")

    monkeypatch.setattr(Predictor, "answers", broken)
    with pytest.raises(BundleError):
        replies(service, batch([GOOD]))
