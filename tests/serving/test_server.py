import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import pytest

from bundles import ROWS
from servers import DEADLINE, ROOT, serve, start

ROW = ROWS[0]


def head(path: str, kind: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", *headers, "", ""]
    return "\r\n".join(lines).encode()


@pytest.fixture(scope="module")
def server(folder):
    with serve(folder) as server:
        yield server
        code, _, errors = server.stop()
    assert (code, errors) == (0, "")


def test_two_workers_answer(server):
    assert len(server.workers(2)) >= 2
    assert server.call("POST", "/predict", ROW)[0] == 200


def test_metrics_add_up_over_workers(folder):
    def counted():
        page = server.call("GET", "/metrics")[1].decode()
        lines = [line for line in page.splitlines() if line.startswith("slipway_rows_predicted_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    with serve(folder) as server:  # of its own: an answer is counted after it was sent, those of other tests too
        for _ in range(40):
            assert server.call("POST", "/predict", [ROW, ROW])[0] == 200
        deadline = time.monotonic() + DEADLINE
        while counted() < 80 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert counted() == 80


def test_half_a_body_leaves_the_service_as_it_was(server):
    for kind in ("application/json", "text/csv"):
        path = "/predict" if kind == "application/json" else "/predict/file"
        sent = head(path, kind, "Content-Length: 100") + b"[1"
        with server.connect() as half:
            half.sendall(sent)
            half.shutdown(1)
            assert half.makefile("rb").readline() == b"HTTP/1.1 400 BAD REQUEST\r\n"
        with server.connect() as gone:
            gone.sendall(sent)
    assert server.call("POST", "/predict", ROW)[0] == 200


@pytest.mark.parametrize("chunks", [b"5\r\n[1", b"zz\r\n[1]\r\n0\r\n\r\n", b"3\r\n[1]0\r\n\r\n"])
def test_a_broken_chunk_is_the_clients_failure(server, chunks):
    with server.connect() as connection:
        connection.sendall(head("/predict", "application/json", "Transfer-Encoding: chunked") + chunks)
        connection.shutdown(1)
        assert b" 400 " in connection.makefile("rb").readline()


def test_a_body_in_chunks_is_answered(server):
    pieces = iter([b"[", json.dumps(ROW).encode(), b"]"])
    assert server.call("POST", "/predict", pieces)[0] == 200


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "PATH_INFO"])
def test_a_header_cannot_name_another_path(server, header):
    assert server.call("GET", "/healthz", **{header: "/elsewhere"}) == (200, b'{"status":"alive"}')


def test_a_body_beyond_the_limit_is_not_waited_for(server):
    with server.connect() as connection:
        connection.sendall(head("/predict", "application/json", "Content-Length: 99000000000"))
        assert b" 413 " in connection.makefile("rb").readline()


def test_a_client_that_leaves_during_a_long_answer_leaves_nothing(server):
    line = b"19,27.9,yes,2020-01-01\n"
    table = b"age,bmi,smoker,joined\n" + line * 200_000
    with server.connect() as connection:
        connection.sendall(head("/predict/file", "text/csv", f"Content-Length: {len(table)}") + table)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + DEADLINE
    while open_temporary_files(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_temporary_files(server) == []
    assert server.call("POST", "/predict", ROW)[0] == 200


def open_temporary_files(server) -> list[str]:
    links = [link for pid in server.workers() for link in Path(f"/proc/{pid}/fd").iterdir()]
    names = [os.readlink(link) for link in links if os.path.lexists(link)]
    return [name for name in names if name.endswith("(deleted)") and "wgunicorn" not in name]


@pytest.fixture
def own(folder):
    """A server of one's own, to maltreat."""
    with serve(folder, WEB_CONCURRENCY="2") as server:
        yield server


def test_workers_that_are_killed_are_replaced(own):
    killed = own.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE
    while set(own.workers()) & set(killed) or len(own.workers()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert own.call("POST", "/predict", ROW)[0] == 200
    assert own.stop()[0] == 0


def test_a_stop_lets_the_running_answer_end_and_cleans_up(own):
    assert len(metrics_folders(own)) == 1
    body = json.dumps(ROW).encode()
    with own.connect() as connection:
        connection.sendall(head("/predict", "application/json", f"Content-Length: {len(body)}") + body[:10])
        own.call("GET", "/healthz")
        own.process.send_signal(signal.SIGTERM)
        connection.sendall(body[10:])
        assert b" 200 " in connection.makefile("rb").readline()
    out, errors = own.process.communicate(timeout=DEADLINE)
    assert (own.process.returncode, errors) == (0, "")
    assert [json.loads(line)["status"] for line in out.splitlines() if "/predict" in line] == [200]
    assert metrics_folders(own) == []


def metrics_folders(server) -> list[Path]:
    name = f"slipway-metrics-{server.process.pid}-*"
    return [path for root in ("/dev/shm", gettempdir()) for path in Path(root).glob(name)]


@pytest.mark.parametrize("arguments", [("app.py",), ("-m", "gunicorn", "app:app")])
def test_without_a_champion_it_says_so_in_one_line(tmp_path, arguments):
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    with start(tmp_path, *arguments, PORT="0") as process:
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 5
    assert re.fullmatch(r"slipway: .*champion.json: no champion yet\. Run slipway train first; .*\n", errors)


def test_a_taken_port_is_said_in_one_line(server, folder):
    with start(folder, "app.py", PORT=str(server.port)) as process:
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 6
    assert re.fullmatch(r"slipway: cannot listen on .* \(Address already in use\)\. .*\n", errors)


def test_gunicorn_finds_its_configuration_by_itself(folder):
    with serve(folder, "-m", "gunicorn", "app:app") as server:
        assert server.call("POST", "/predict", ROW)[0] == 200
        code, out, errors = server.stop()
    assert (code, errors) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert sorted(line["path"] for line in lines) == ["/predict", "/readyz"]  # two workers write in no order


def test_the_service_loads_neither_pandas_nor_scikit_learn(folder):
    program = (
        "import sys; sys.path.insert(0, 'src'); import app; app.app.test_client().get('/readyz'); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pandas', 'sklearn', 'scipy', 'matplotlib'}))"
    )
    environ = dict(os.environ, SLIPWAY_PROBLEM=str(folder / "slipway.yaml"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
