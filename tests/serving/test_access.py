import json
import re

import pytest

from bundles import ROWS


def lines(capfd) -> list[dict]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_each_answer_is_one_line_of_json(client, app, capfd):
    answer = client.post("/predict?token=secret", json=[ROWS[0], ROWS[1]])
    (line,) = lines(capfd)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("at"))
    assert 0 < line.pop("ms") < 60_000
    assert line == {
        "id": answer.headers["X-Request-ID"],
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "bundle": app.extensions["slipway"].digest[:12],
        "rows": 2,
    }


def test_a_streamed_table_is_logged_with_all_its_rows(client, capfd):
    table = "age,bmi,smoker,joined\n" + "19,20,no,2020-01-01\n" * 2500
    client.post("/predict/file", data=table, content_type="text/csv")
    (line,) = lines(capfd)
    assert (line["path"], line["status"], line["rows"]) == ("/predict/file", 200, 2500)


@pytest.mark.parametrize("row, path", [({"age": "secret"}, "/predict"), ({"secret": 1}, "/predict"), ({}, "/nothing")])
def test_the_log_holds_nothing_of_the_data(client, capfd, row, path):
    assert client.post(path, json=row, headers={"Referer": "secret", "User-Agent": "secret"}).status_code in (404, 422)
    client.post("/predict/file", data="secret\nsecret", content_type="text/csv")
    out, err = capfd.readouterr()
    assert "secret" not in out + err
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize(
    "given, kept",
    [
        ("abc-123", True),
        ("7f.A_b:1/2+3=", True),
        ("", False),
        ("a b", False),
        ("x" * 129, False),
        ("é", False),
        ('"', False),
    ],
)
def test_a_sane_request_id_is_kept(client, capfd, given, kept):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    found = answer.headers["X-Request-ID"]
    assert (found == given) is kept
    assert re.fullmatch(r"[A-Za-z0-9._:+/=-]+", found)
    assert lines(capfd)[0]["id"] == found


def test_request_ids_differ(client):
    assert len({client.get("/healthz").headers["X-Request-ID"] for _ in range(20)}) == 20


def test_a_closed_output_is_no_failure(client, monkeypatch):
    def closed(descriptor, content):
        raise BrokenPipeError

    monkeypatch.setattr("slipway.serving.access.os.write", closed)
    assert client.post("/predict", json=ROWS[0]).status_code == 200
