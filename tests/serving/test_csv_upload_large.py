"""POST /predict/file on the real server, with uploads as large and as slow as they come."""

import csv
import io
import os
import socket
import time
from pathlib import Path

import pytest

from bundles import ROWS, make_bundle
from servers import DEADLINE, serve
from slipway.store.local import LocalStore

HEADER = b"note,age,bmi,smoker,joined\n"
ROW = b"%s,19,27.9,yes,2020-01-01\n" % (b"x" * 10_000)
BAD = b"%s,old,27.9,yes,2020-01-01\n" % (b"x" * 10_000)
MEBIBYTE = 1 << 20


@pytest.fixture
def server(tmp_path):
    """One worker, so that its memory and its threads are those that the upload meets."""
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    (tmp_path / "tmp").mkdir()
    with serve(tmp_path, WEB_CONCURRENCY="1", TMPDIR=str(tmp_path / "tmp")) as server:
        yield server


def memory(server, name: str) -> int:
    """Of the worker, in bytes: VmRSS now, VmHWM at most."""
    [pid] = server.workers()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def head(length: int) -> bytes:
    lines = ["POST /predict/file HTTP/1.1", "Host: x", "Content-Type: text/csv", f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode()


def read_rows(connection: socket.socket):
    """Status line, then cells of each row of a chunked answer, as they come."""
    from http.client import HTTPResponse

    answer = HTTPResponse(connection)
    answer.begin()
    assert answer.status == 200
    return csv.DictReader(io.TextIOWrapper(answer, encoding="utf-8", newline=""))


def test_a_hundred_megabytes_pass_through_a_small_worker_and_bad_rows_are_found_by_their_number(server):
    assert server.call("POST", "/predict", ROWS[0])[0] == 200
    before = memory(server, "VmRSS")
    rows = [BAD if number in (17, 9_000) else ROW for number in range(1, 10_001)]
    size = len(HEADER) + sum(map(len, rows))
    assert 95 * MEBIBYTE < size < 100 * MEBIBYTE
    with server.connect() as connection:
        connection.sendall(head(size) + HEADER)
        for row in rows:
            connection.sendall(row)
        answered = [(row["prediction"], row["error"]) for row in read_rows(connection)]
    assert len(answered) == 10_000
    assert [number for number, (_, error) in enumerate(answered, 1) if error] == [17, 9_000]
    assert all(bool(prediction) != bool(error) for prediction, error in answered)
    assert memory(server, "VmHWM") - before < 80 * MEBIBYTE


def test_others_are_answered_while_an_upload_goes_on(server):
    with server.connect() as slow:
        slow.sendall(head(len(HEADER + ROW)) + HEADER)
        for _ in range(3):
            assert server.call("POST", "/predict", ROWS[0])[0] == 200
        slow.sendall(ROW)
        assert [row["prediction"] for row in read_rows(slow)] == ["29589.0"]


def test_others_are_answered_while_a_large_table_is_answered(server):
    table = HEADER + b"a,19,27.9,yes,2020-01-01\n" * 200_000
    with server.connect() as busy:
        busy.sendall(head(len(table)) + table)
        rows = read_rows(busy)
        assert next(rows)["prediction"] == "29589.0"
        assert server.call("POST", "/predict", ROWS[0])[0] == 200
        assert sum(1 for _ in rows) == 199_999


def test_an_upload_that_breaks_off_leaves_nothing_behind(server, tmp_path):
    with server.connect() as half:
        half.sendall(head(50 * MEBIBYTE) + HEADER + ROW * 500)  # by now it is on the disk, not in memory
        deadline = time.monotonic() + DEADLINE
        while not spooled(server):
            assert time.monotonic() < deadline
    deadline = time.monotonic() + DEADLINE
    while spooled(server):
        assert time.monotonic() < deadline
    assert list((tmp_path / "tmp").iterdir()) == []
    assert server.call("POST", "/predict", ROWS[0])[0] == 200


def spooled(server) -> list[str]:
    """Files without a name that the worker has open where temporary files go."""
    [pid] = server.workers()
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(link)
        except FileNotFoundError:
            continue
        if "/tmp/" in name and name.endswith("(deleted)") and "wgunicorn" not in name:
            found.append(name)
    return found
