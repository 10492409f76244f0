"""The load balancer's process before small servers: what it passes on, what it checks, and that it never repeats a request."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rehearsal.load_balancer import LoadBalancer, make_load_balancer
from rehearsal.target_group import Checks
from servers import DEADLINE

CHECKS = Checks(interval=0.05, timeout=DEADLINE, delay=DEADLINE, lag=0.1)


@dataclass
class Small:
    """A target; `held` lets requests for a prediction wait, `rude` closes their connection without an answer."""

    address: str
    ready: bool = True
    rude: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, str]] = field(default_factory=list)
    peers: set[tuple] = field(default_factory=set)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200 if self.server.small.ready else 503, b"")

    def do_POST(self) -> None:
        small: Small = self.server.small
        body = self.rfile.read(int(self.headers["Content-Length"]))
        small.asked.append(dict(self.headers))
        small.peers.add(self.client_address)
        small.begun.set()
        small.held.wait(DEADLINE)
        if small.rude:
            self.close_connection = True
            return
        if self.path == "/chunked":
            self._chunked(body)
        elif self.path == "/endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            self.close_connection = True
        else:
            self._say(200, small.address.encode() + b" " + body)

    def _say(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunked(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def small(ready: bool = True) -> Iterator[Small]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.small = Small(f"127.0.0.1:{server.server_port}", ready)
    server.small.held.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.small
    finally:
        server.small.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def balancer() -> Iterator[LoadBalancer]:
    with make_load_balancer(CHECKS) as made:
        yield made


def until(balancer: LoadBalancer, wanted: dict[str, str]) -> None:
    """Ask until the states are these; the checks themselves take the time."""
    deadline = time.monotonic() + DEADLINE
    while (states := balancer.states()) != wanted:
        assert time.monotonic() < deadline, states


def ask(balancer: LoadBalancer, body: bytes = b"row", path: str = "/predict", **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", balancer.port, timeout=DEADLINE)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_requests_pass_with_the_client_s_address_and_both_kinds_of_body(balancer):
    with small() as target:
        balancer.register(target.address)
        until(balancer, {target.address: "healthy"})
        status, content = ask(balancer, **{"X-Forwarded-For": "192.0.2.7", "X-Own": "kept"})
        assert (status, content) == (200, f"{target.address} row".encode())
        assert target.asked[0]["X-Forwarded-For"] == "192.0.2.7, 127.0.0.1"
        assert (target.asked[0]["X-Forwarded-Proto"], target.asked[0]["X-Own"]) == ("https", "kept")
        assert ask(balancer, b"in chunks", "/chunked") == (200, b"in chunks")
        assert ask(balancer, b"until it closes", "/endless")[0] == 502


def test_what_is_no_http_ends_the_connection_and_nothing_else(balancer):
    with small() as target:
        balancer.register(target.address)
        until(balancer, {target.address: "healthy"})
        with socket.create_connection(("127.0.0.1", balancer.port), DEADLINE) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 50")
            assert connection.recv(100) == b""
        assert ask(balancer)[0] == 200


def test_connections_are_kept_on_both_sides(balancer):
    with small() as target:
        balancer.register(target.address)
        until(balancer, {target.address: "healthy"})
        connection = HTTPConnection("127.0.0.1", balancer.port, timeout=DEADLINE)
        for _ in range(5):
            connection.request("POST", "/predict", b"row")
            assert connection.getresponse().read()
        connection.close()
        assert len(target.peers) == 1


def test_without_a_healthy_target_it_answers_503(balancer):
    assert ask(balancer)[0] == 503
    with small(ready=False) as target:
        balancer.register(target.address)
        until(balancer, {target.address: "unhealthy"})
        assert ask(balancer)[0] == 503
        target.ready = True
        until(balancer, {target.address: "healthy"})
        assert ask(balancer)[0] == 200


def test_a_failed_target_is_a_failed_request_and_never_asked_again_elsewhere(balancer):
    with small() as rude, small() as other:
        for each in (rude, other):
            balancer.register(each.address)
        until(balancer, {rude.address: "healthy", other.address: "healthy"})
        rude.rude = True
        statuses = [ask(balancer)[0] for _ in range(4)]
        assert 502 in statuses
        assert statuses.count(502) == len(rude.asked)
        assert len(rude.asked) + len(other.asked) == 4


def test_a_draining_target_finishes_what_it_began_and_gets_nothing_new(balancer):
    with small() as old, small() as new:
        balancer.register(old.address)
        until(balancer, {old.address: "healthy"})
        old.held.clear()
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(balancer, b"slow")))
        client.start()
        assert old.begun.wait(DEADLINE)
        balancer.register(new.address)
        until(balancer, {old.address: "healthy", new.address: "healthy"})
        assert ask(balancer)[1].startswith(new.address.encode())
        balancer.deregister(old.address)
        assert balancer.states()[old.address] == "draining"
        old.held.set()
        client.join()
        assert answers == [(200, f"{old.address} slow".encode())]
        assert len(old.asked) == 1


def test_what_outlasts_the_delay_is_cut():
    with make_load_balancer(replace(CHECKS, delay=0.4)) as balancer, small() as target:
        balancer.register(target.address)
        until(balancer, {target.address: "healthy"})
        target.held.clear()
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(balancer)[0]))
        client.start()
        assert target.begun.wait(DEADLINE)
        balancer.deregister(target.address)
        client.join()
        assert answers == [502]
        until(balancer, {})
