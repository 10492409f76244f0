"""The gunicorn worker: a slow client occupies a connection, never a thread.

One loop accepts, reads and sends. A request is answered once all of it has arrived, and what its client does not take
yet waits without a thread. Quick calls are answered in the loop itself, the others by a pool of threads.
"""

import errno
import gc
import os
import resource
import selectors
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.sock import BaseSocket
from gunicorn.workers.base import Worker as BaseWorker

from slipway.serving.clients import LINGER_SECONDS, Clients, Step
from slipway.serving.connection import Connection
from slipway.serving.door import Door, Holdings
from slipway.serving.malformed import refusal_of
from slipway.serving.overload import Backlog, Overload
from slipway.serving.plain_head import Heads, PlainRequest

QUICK = frozenset({"/predict", "/healthz", "/ping"})  # with a short body
TURN_SECONDS = 1.0
SETTLE_SECONDS = 0.25
IDLE_SECONDS = 0.0005  # that the loop waited; less happens between two requests of a client that is in a hurry
BEHIND_SECONDS = 0.05  # without having been idle
MOST_IN_MEMORY = 1 << 26  # bytes of requests that are not complete, and of answers that wait for their clients
MOST_BODIES = 4  # of the largest kind, on disk at once
SPARE_FILES = 256
NOBODY = {errno.EAGAIN, errno.ECONNABORTED, errno.EINVAL}  # EINVAL: a unix socket that was shut down
FULL = {errno.EMFILE, errno.ENFILE}


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process of the service.

    The application refuses a body of more than `largest_body` bytes unread. Calls of `quick` addresses are answered in
    the loop; with an `overload` those of them that come too late are refused instead, except for what a probe asks.
    """

    alive: bool
    sockets: list[BaseSocket]
    largest_body = sys.maxsize
    quick = QUICK
    overload: Overload | None = None
    holdings = Holdings()  # of all workers: made in the master, before any is forked

    made: ClassVar[list["Worker"]] = []  # and not known to have ended; in the master

    def __init__(self, *arguments: Any) -> None:
        """In the master, which has noticed by now which workers have ended; child_exit may be another configuration's."""
        super().__init__(*arguments)
        for worker in [worker for worker in self.made if worker.has_ended]:
            self.made.remove(worker)
            self.holdings.vacate(worker.age)
        self.made.append(self)

    @property
    def has_ended(self) -> bool:
        """Whether the master has let go of it."""
        try:
            self.tmp.fileno()
        except ValueError:
            return True
        return False

    @classmethod
    def check_config(cls, cfg: Config, log: object) -> None:
        """Fail before anything starts if a setting is not supported."""
        if cfg.is_ssl:
            sys.exit("slipway: TLS is not supported here. Put a proxy in front, or use --worker-class gthread")

    def init_process(self) -> None:
        self.poller = selectors.DefaultSelector()
        self.pool = ThreadPoolExecutor(self.cfg.threads)
        self.clients = Clients(self.poller, self.log)
        self.backlog = Backlog()
        self.next_look = self.idle_at = 0.0
        self.idle_until = float("inf")
        self.heads = Heads(self.cfg)
        self._raise_file_limit()
        gc.enable()  # the master may have left it off: its when_ready may be another configuration's
        super().init_process()

    def _raise_file_limit(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most_connections = wanted = self.cfg.worker_connections
        if soft != resource.RLIM_INFINITY and soft < wanted + SPARE_FILES:
            files = wanted + SPARE_FILES if hard == resource.RLIM_INFINITY else min(wanted + SPARE_FILES, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            self.most_connections = min(wanted, max(files - SPARE_FILES, files // 2))  # uploads need files too

    def handle_usr1(self, *arguments: Any) -> None:
        """Reopen the log, which the environment of every request names."""
        super().handle_usr1(*arguments)
        self.heads = Heads(self.cfg)

    def run(self) -> None:
        """Serve until a signal, or the end of the master."""
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._woken)  # signals write to it too
        self._open()
        while self.alive and self.ppid == os.getppid():
            self._turn(TURN_SECONDS)
        self.alive = False
        self._drain()

    def _open(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
        self.door = Door(self.poller, self.sockets, self._accept, self._leaves_some)

    def _turn(self, seconds: float) -> None:
        for key, _ in self._select(seconds):
            key.data()
        self.door.look()
        self.clients.take_turns()
        if self.overload:
            self.overload.tell()
        now = time.monotonic()
        if now >= self.next_look:
            self.next_look = now + min(seconds, TURN_SECONDS)
            self.notify()
            self._look(now)

    def _select(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        self._tell()
        before = time.monotonic()
        ready = self.poller.select(0 if self.clients.has_turns else min(seconds, self.door.seconds))
        now = time.monotonic()
        if now - before > IDLE_SECONDS:
            self.idle_at = now
        is_behind = now - self.idle_at > BEHIND_SECONDS  # then all clients are let in, to know how long they wait
        self.door.begin(now, max(self.most_connections - self.clients.count, 1) if is_behind else 1)
        self.backlog.begin(now, time.thread_time())
        return ready

    def _is_ahead(self) -> bool:
        return self.holdings.is_ahead(self._tell())

    def _leaves_some(self) -> bool:
        """Whether to leave new clients to another worker; nobody else can take those of a listener of its own."""
        return not self.cfg.reuse_port and self._is_ahead()

    def _tell(self) -> int:
        """Let the other workers know how many connections there are, unless this one takes no more."""
        held = self.clients.count
        if self.sockets:
            self.holdings.set(self.age, held)
        return held

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.PIPE[0], 4096)

    def _look(self, now: float) -> None:
        """Drop clients that time out, and those that leave too much unsent or unread."""
        for conn, step in self.clients.overdue(now, self.idle_until):
            if step == self._read and not conn.is_idle:
                self.clients.refuse(conn, 408, "Request Timeout", "The request did not arrive in time.")
            else:
                self.clients.drop(conn)
        self.clients.bound(lambda conn: conn.in_memory, MOST_IN_MEMORY)

    # From the client.

    def _accept(self, listener: BaseSocket) -> bool:
        """Take one connection, and read from it after those that are known; whether there was one."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in FULL:
                self.clients.make_room()
            elif error.errno not in NOBODY:
                raise
            return False
        conn = Connection(self.heads, sock, client, listener.getsockname(), self.largest_body)
        if self.clients.count >= self.most_connections:
            self.clients.make_room()
        self.clients.queue(self._read, conn)
        return True

    def _read(self, conn: Connection) -> None:
        self._take(conn, conn.receive)

    def _take(self, conn: Connection, arrive: Callable[[], bool]) -> None:
        try:
            is_ready = arrive()
        except NoMoreData:
            self.clients.drop(conn)
        except OSError as error:
            self.clients.refuse(conn, 503, "Service Unavailable", f"There is no space for the body ({error.strerror}).")
        except Exception as error:
            self.handle_error(conn.request, conn, conn.client, error)
            self.clients.linger(conn)
        else:
            if is_ready:
                self._begin(conn)
            else:
                self.clients.wait(conn, self._read)
                if conn.on_disk:
                    self.clients.bound(lambda conn: conn.on_disk, MOST_BODIES * self.largest_body)

    def handle_error(self, req: Any, client: Connection, addr: Any, exc: Exception) -> None:
        """Refuse what is not HTTP; the rest as gunicorn does."""
        refusal = refusal_of(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", refusal[-1])
        util.write_error(client, *refusal)

    def _begin(self, conn: Connection) -> None:
        """Answer a request that has arrived."""
        if not conn.is_short or conn.request.path not in self.quick:
            self._hand_over(conn)
        elif self.overload and self._is_late() and conn.request.method == "POST":
            self._turn_away(conn, self.overload)
        else:
            self._answer(conn)(conn)

    def _is_late(self) -> bool:
        return self.backlog.is_late(time.monotonic(), time.thread_time())

    def _turn_away(self, conn: Connection, overload: Overload) -> None:
        closes = not self._is_kept(conn) or conn.request.should_close() or self._is_ahead()  # then another has time
        conn.sendall(overload.refuse(conn.request, closes))
        try:
            is_taken = conn.flush()
        except OSError:
            is_taken = False
        if not is_taken:
            self.clients.drop(conn)
        elif closes:
            self.clients.close(conn)
        else:
            self._renew(conn)

    def _is_kept(self, conn: Connection) -> bool:
        """Whether the connection may have another request."""
        return bool(conn.is_whole and self.alive and self.cfg.keepalive)

    # The answer.

    def _hand_over(self, conn: Connection) -> None:
        self.clients.forget(conn)
        self.clients.busy.add(conn)
        self.pool.submit(self._answer, conn).add_done_callback(partial(self._handed_back, conn))

    def _handed_back(self, conn: Connection, future: Future[Step]) -> None:
        """In the thread: let the loop go on with it."""
        self.clients.queue(partial(self._take_back, future), conn)
        with suppress(OSError):  # a full pipe wakes as well
            os.write(self.PIPE[1], b"\0")

    def _take_back(self, future: Future[Step], conn: Connection) -> None:
        self.clients.busy.discard(conn)
        future.result()(conn)

    def _answer(self, conn: Connection) -> Step:
        """Call the application, or go on with its answer; what comes next."""
        try:
            if conn.response is None:
                self._call(conn)
            if not conn.proceed():
                return self._pause
            conn.end_answer()
        except (ConnectionError, TimeoutError):
            return self.clients.drop
        except Exception as error:
            if conn.response is None or not conn.response.headers_sent:
                self.handle_error(conn.request, conn, conn.client, error)
                return self.clients.linger
            self.log.exception("Error handling request %s", conn.request.path)
            return self.clients.drop
        return self.clients.close if conn.response.should_close() else self._renew

    def _call(self, conn: Connection) -> None:
        if isinstance(conn.request, PlainRequest):
            environ = self.heads.environ(conn.request, conn.client, conn.server)
            response = wsgi.Response(conn.request, conn, self.cfg)
        else:
            response, environ = wsgi.create(conn.request, conn, conn.client, conn.server, self.cfg)
        environ |= {"wsgi.input": conn.body(), "wsgi.multithread": True, "gunicorn.socket": conn}
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        if not self._is_kept(conn):
            response.force_close()
        conn.answer(response, self.wsgi(environ, response.start_response))

    def _pause(self, conn: Connection) -> None:
        if conn.is_blocked:
            self.clients.wait(conn, self._write, selectors.EVENT_WRITE)
        else:
            self._hand_over(conn)

    def _write(self, conn: Connection) -> None:
        if conn.is_made:
            self._answer(conn)(conn)
        else:
            self._hand_over(conn)

    def _renew(self, conn: Connection) -> None:
        conn.renew(self.cfg.keepalive)
        if conn.is_idle:
            self.clients.wait(conn, self._read)
        else:  # the next request came with this one; it has its turn like any other
            self.clients.forget(conn)
            self.clients.queue(self._read_on, conn)

    def _read_on(self, conn: Connection) -> None:
        self._take(conn, conn.is_ready)

    # The end.

    def _drain(self) -> None:
        """Answer who is connected, or just connecting; then end."""
        now = time.monotonic()
        settled, end = now + SETTLE_SECONDS, now + self.cfg.graceful_timeout
        self.idle_until = now + LINGER_SECONDS
        while now < end and (self.sockets or self.clients.waiting or self.clients.busy):
            if self.sockets and now >= settled:
                self._close_listeners()
            self._turn(TURN_SECONDS / 20)
            now = time.monotonic()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _close_listeners(self) -> None:
        self.door.close()
        end = time.monotonic() + TURN_SECONDS  # while other workers go on, new clients may never stop coming
        for listener in self.sockets:
            while self._accept(listener) and time.monotonic() < end:
                pass
            listener.close()
        self.sockets = []
        self.holdings.vacate(self.age)
