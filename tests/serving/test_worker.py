"""The worker under clients that are slow, silent or many."""

import json
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import pytest
from gunicorn.config import Config

from bundles import ROWS
from servers import DEADLINE, serve, start
from slipway.serving.connection import Connection
from slipway.serving.door import Door
from slipway.serving.plain_head import Heads
from slipway.serving.worker import MOST_IN_MEMORY, Worker

GUNICORN = ("-m", "gunicorn", "app:app")
ROW = json.dumps(ROWS[0]).encode()
TABLE = b"age,bmi,smoker,joined\n" + b"19,27.9,yes,2020-01-01\n" * 100_000


def call(path: str, body: bytes = b"", kind: str = "application/json", *more: str) -> bytes:
    """A POST as it is sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture(scope="module")
def server(folder):
    with serve(folder, WEB_CONCURRENCY="2") as server:
        yield server


def slow(server) -> socket.socket:
    """A client that takes little at once."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(DEADLINE)
    client.connect(("127.0.0.1", server.port))
    return client


def test_clients_that_are_silent_or_slow_hold_nobody_up(folder):
    with serve(folder, WEB_CONCURRENCY="2") as server, ExitStack() as held:
        silent = [held.enter_context(server.connect()) for _ in range(400)]
        for client in silent[::2]:
            client.sendall(b"GET / HTTP/1.1\r\nHost:")
        for size in [10, 100_000] * 40:
            client = held.enter_context(server.connect())
            client.sendall(call("/predict", b" " * 200_000)[:size])
        for _ in range(20):
            held.enter_context(slow(server)).sendall(call("/predict/file", TABLE, "text/csv"))
        for _ in range(20):
            assert server.call("GET", "/healthz")[0] == 200
            assert server.call("POST", "/predict", ROWS[0])[0] == 200
        assert server.call("GET", "/")[0] == 200
        status, table = server.call("POST", "/predict/file", TABLE[:1000], **{"Content-Type": "text/csv"})
        assert (status, table.count(b"\n")) == (200, TABLE[:1000].count(b"\n") + 1)
        assert silent[0].makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        assert silent[1].recv(1) == b""


def test_more_clients_than_there_is_room_for_cost_the_one_that_was_silent_longest(folder):
    with serve(folder, *GUNICORN, "--worker-connections", "10", WEB_CONCURRENCY="1") as server, ExitStack() as held:
        silent = [held.enter_context(server.connect()) for _ in range(40)]
        assert server.call("POST", "/predict", ROWS[0])[0] == 200
        assert silent[0].recv(1) == b""
        silent[-1].sendall(call("/predict", ROW))
        assert silent[-1].makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"


def test_bodies_that_do_not_end_cost_memory_within_a_bound(folder):
    with serve(folder, WEB_CONCURRENCY="1") as server, ExitStack() as held:
        silent = [held.enter_context(server.connect()) for _ in range(1200)]
        for client in silent:
            client.sendall(call("/predict", b" " * 100_000)[:60_000])
        poller, let_go = selectors.DefaultSelector(), 0
        for client in silent:
            poller.register(client, selectors.EVENT_READ)
        while (1200 - let_go) * 59_000 > MOST_IN_MEMORY:
            for key, _ in poller.select(DEADLINE) or pytest.fail("nobody is let go"):
                poller.unregister(key.fileobj)
                with suppress(ConnectionResetError):
                    assert key.fileobj.recv(1) == b""
                let_go += 1
        assert server.call("POST", "/predict", ROWS[0])[0] == 200


def test_connections_leave_files_for_the_rest_where_few_are_allowed(folder):
    limited = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (120, 120)); import gunicorn.app.wsgiapp as g; g.run()"
    with serve(folder, "-c", limited, "app:app", WEB_CONCURRENCY="1") as server, ExitStack() as held:
        for _ in range(200):
            held.enter_context(server.connect())
        status, _ = server.call("POST", "/predict/file", TABLE, **{"Content-Type": "text/csv"})
        assert status == 200


def test_a_slow_reader_gets_the_whole_answer(server):
    with slow(server) as client:
        client.sendall(call("/predict/file", TABLE, "text/csv", "Connection: close"))
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n0\r\n\r\n")
    assert answer.count(b",2020-01-01,") == 100_000


def test_an_upload_counts_until_its_answer_is_sent():
    ours, theirs = socket.socketpair()
    conn = Connection(Heads(Config()), ours, "", "", len(TABLE))
    with theirs, closing(conn):
        theirs.setblocking(False)
        sent, request = 0, call("/predict/file", TABLE, "text/csv")
        while not conn.is_whole or conn.request is None:
            sent += theirs.send(request[sent : sent + 10_000])
            conn.receive()
        body = conn.body()
        assert b"".join(iter(lambda: body.read(1 << 16), b"")) == TABLE
        assert conn.on_disk == len(TABLE)
        conn.renew(1)
        assert conn.on_disk == 0


@pytest.mark.parametrize("path, refused", [("/predict", b"400"), ("/", b"422")])
def test_requests_that_come_together_are_answered_in_their_order(server, path, refused):
    with server.connect() as client:
        last = call("/predict", ROW, "application/json", "Connection: close")
        client.sendall(call("/predict", ROW) * 30 + call(path) + last)
        answers = client.makefile("rb").read().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * 30 + [refused, b"200"]


def test_a_head_that_arrives_in_pieces_is_one(server):
    with server.connect() as client:
        for byte in call("/predict", ROW, "application/json", "Connection: close"):
            client.sendall(bytes([byte]))
        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_client_may_ask_before_it_sends_the_body(server):
    with server.connect() as client, client.makefile("rb") as answers:
        client.sendall(call("/predict", ROW, "application/json", "Expect: 100-continue")[: -len(ROW)])
        assert [answers.readline(), answers.readline()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
        client.sendall(ROW)
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_client_that_asks_is_not_told_to_send_a_body_that_is_too_large(server):
    with server.connect() as client, client.makefile("rb") as answers:
        client.sendall(call("/predict", b"", "application/json", "Expect: 100-continue").replace(b": 0\r", b": 999999999\r"))
        assert answers.readline() == b"HTTP/1.1 413 REQUEST ENTITY TOO LARGE\r\n"


def test_a_connection_is_kept_after_a_body_in_chunks(server):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    with ExitStack() as stack:
        stack.callback(connection.close)
        for _ in range(3):
            connection.request("POST", "/predict", iter([ROW[:9], ROW[9:]]), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read()
            assert connection.sock is not None


def test_a_table_in_chunks_that_broke_off_is_not_answered_as_a_whole(server):
    head = b"POST /predict/file HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as client:
        client.sendall(head + b"%x\r\n%s\r\n" % (1000, TABLE[:1000]))
        client.shutdown(socket.SHUT_WR)
        assert b" 400 " in client.makefile("rb").readline()


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000, b"431"),
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n", b"501"),
    ],
)
def test_what_is_not_http_is_refused(server, sent, status):
    with server.connect() as client:
        client.sendall(sent)
        assert client.makefile("rb").readline()[9:12] == status


def test_the_log_does_not_repeat_what_is_not_http(folder):
    asked = "/predict?age=19&smoker=Ann"
    sent = [
        f"GET {asked} Secret HTTP/1.1\r\nHost: x",
        f"GET {asked}Secret",
        f"GET {asked}Secreté HTTP/1.1\r\nHost: x",
        "GET / HTTP/1.1\r\nX-API-Key Secret",
        "GET / HTTP/1.1\r\nHost: x\r\nExpect: Secret",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Secret",
    ]
    with serve(folder, WEB_CONCURRENCY="1") as server:
        for head in sent:
            with server.connect() as client:
                client.sendall(f"{head}\r\n\r\n".encode())
                with client.makefile("rb") as answer:
                    said = answer.read()
            assert said.startswith(b"HTTP/1.1 ") and b"Secret" not in said, said
        _, _, told = server.stop()
    assert told.count("Invalid request from ip=127.0.0.1: ") == len(sent)
    assert "Secret" not in told and "Ann" not in told


def test_a_unix_socket_is_served(folder, tmp_path):
    path = tmp_path / "web.sock"
    with start(folder, *GUNICORN, "--bind", f"unix:{path}") as process, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        deadline = time.monotonic() + DEADLINE
        while client.connect_ex(str(path)):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        client.sendall(call("/predict", ROW, "application/json", "Connection: close"))
        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors, path.exists()) == (0, "", False)


def test_tls_is_refused_in_one_line(folder):
    with start(folder, *GUNICORN, "--certfile", __file__, PORT="0") as process:
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert errors.startswith("slipway: TLS is not supported") and errors.count("\n") == 1


def test_a_stop_answers_who_was_connected_and_connects_nobody_else(folder):
    seen: Counter[str] = Counter()
    running = threading.Event()

    def fresh() -> None:
        while ask(fresh=True) != "refused":
            running.set()

    def keep() -> None:
        while ask(fresh=False) != "refused":
            pass

    def ask(fresh: bool) -> str:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        try:
            connection.connect()
        except (ConnectionRefusedError, TimeoutError):  # a machine with too much to do may not answer at all
            return "refused"
        try:
            while True:
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                seen[f"{answer.status}"] += bool(answer.read())
                if fresh or answer.will_close:
                    return "answered"
        except OSError as error:
            seen[type(error).__name__] += 1
            return "broken"
        finally:
            connection.close()

    with serve(folder, WEB_CONCURRENCY="2") as server:
        clients = [threading.Thread(target=target) for target in [fresh] * 6 + [keep] * 3]
        for client in clients:
            client.start()
        assert running.wait(DEADLINE)
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=DEADLINE)
        for client in clients:
            client.join()
    assert (server.process.returncode, errors) == (0, "")
    assert set(seen) == {"200"}


def test_a_worker_that_is_replaced_ends_though_clients_never_stop_coming(monkeypatch):
    deadline = time.monotonic() + DEADLINE

    def come(listener) -> bool:
        assert time.monotonic() < deadline
        return True

    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as poller:
        worker = Worker(1, 1, [listener], None, 30, Config(), None)
        worker.tmp.close()
        worker.door = Door(poller, [listener], come, lambda: False)
        monkeypatch.setattr(worker, "_accept", come)
        worker._close_listeners()
        assert listener.fileno() == -1
