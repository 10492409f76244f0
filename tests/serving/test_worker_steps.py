"""Single steps of a worker whose loop does not run."""

import gc
import socket
from concurrent.futures import Future
from contextlib import ExitStack, closing
from functools import partial

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker as BaseWorker

from slipway.serving.connection import Connection
from slipway.serving.door import Holdings
from slipway.serving.overload import Overload
from slipway.serving.worker import Worker


class Shop:
    """Makes workers of one service, and clients of theirs."""

    def __init__(self, stack: ExitStack) -> None:
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._stack = stack

    def worker(self, age: int, **settings: object) -> Worker:
        cfg = Config()
        for name, value in settings.items():
            cfg.set(name, value)
        worker = Worker(age, 1, [self.listener.dup()], None, 30, cfg, Logger(cfg))
        worker.init_process()
        worker.most_connections, worker.idle_at = 100, float("inf")  # never behind
        self._stack.callback(worker.tmp.close)
        self._stack.enter_context(worker.poller)
        self._stack.callback(worker.pool.shutdown)
        self._stack.callback(lambda: [worker.clients.drop(conn) for conn in list(worker.clients.waiting)])
        for listener in worker.sockets:
            self._stack.enter_context(listener)
        return worker

    def come(self) -> None:
        """A client whom any worker may accept."""
        self._stack.enter_context(socket.create_connection(self.listener.getsockname()))

    def client(self, worker: Worker, sent: bytes = b"") -> tuple[Connection, socket.socket]:
        """One that waits, and its own end."""
        ours, theirs = map(self._stack.enter_context, socket.socketpair())
        conn = self._stack.enter_context(closing(Connection(worker.heads, ours, "", "", 1000)))
        theirs.sendall(sent)
        if sent:
            assert conn.receive()
        worker.clients.wait(conn, worker._read)
        return conn, theirs


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(BaseWorker, "init_process", lambda worker: None)
    monkeypatch.setattr(Worker, "_raise_file_limit", lambda worker: None)
    monkeypatch.setattr(Worker, "holdings", Holdings())
    monkeypatch.setattr(Worker, "made", [])
    with ExitStack() as stack:
        yield Shop(stack)


def test_an_error_in_a_thread_costs_its_client_alone(shop):
    worker = shop.worker(1)
    conn, theirs = shop.client(worker)
    future: Future = Future()
    future.set_exception(RuntimeError("of no kind that is known"))
    worker.clients.forget(conn)
    worker.clients.busy.add(conn)
    worker.clients.do(partial(worker._take_back, future), conn)
    assert (worker.clients.busy, theirs.recv(1)) == (set(), b"")


POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("others, connection", [(1, b"close"), (2, b"keep-alive")])
def test_who_is_refused_is_sent_to_a_worker_that_has_fewer_clients(shop, others, connection):
    worker = shop.worker(1)
    shop.client(worker)
    conn, theirs = shop.client(worker, POST)
    worker.holdings.set(2, others)
    worker._turn_away(conn, Overload("0" * 12, {}, lambda *counted: None))
    assert b"Connection: " + connection + b"\r\n" in theirs.recv(1 << 16)
    assert (conn in worker.clients.waiting) == (connection == b"keep-alive")


def test_nobody_is_left_to_a_worker_that_accepts_no_more(shop):
    ends, stays = shop.worker(1), shop.worker(2)
    for _ in range(2):
        shop.client(stays)
    ends._open()
    ends._select(0)
    assert stays._is_ahead()
    ends._close_listeners()
    ends._select(0)
    ends._is_ahead()
    assert not stays._is_ahead()


@pytest.mark.parametrize("apart, taken", [(False, 1), (True, 2)])
def test_nobody_is_left_to_a_worker_with_a_listener_of_its_own(shop, apart, taken):
    worker = shop.worker(1, reuse_port=apart)
    worker.holdings.set(2, 0)
    worker._open()
    for _ in range(2):
        shop.come()
        worker._turn(0)
    assert worker.clients.count == taken


def test_a_worker_that_died_is_forgotten_with_any_configuration(shop):
    died, stays = shop.worker(1), shop.worker(2)
    died.holdings.set(died.age, 0)
    shop.client(stays)
    assert stays._is_ahead()
    died.tmp.close()  # as the master does before it calls child_exit
    shop.worker(3)
    assert not stays._is_ahead()


def test_garbage_is_collected_with_any_configuration(shop):
    gc.disable()  # as on_starting does
    try:
        shop.worker(1)
        assert gc.isenabled()
    finally:
        gc.enable()
