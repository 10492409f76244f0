"""A load balancer in a process of its own, as an Application Load Balancer is one: it checks, routes and drains.

    python -m rehearsal.load_balancer CHECKS

CHECKS are those of `rehearsal.target_group.Checks`, as JSON. It prints the port where it answers. Then it reads orders from
standard input, a JSON list in each line, and answers each with the states of its targets; it ends with its input. What it
does otherwise than a real one is said in target_group.py and proxy.py. It has no TLS, and one port on the loopback address.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rehearsal.proxy import LARGEST_HEAD, Proxy, read_message
from rehearsal.target_group import Checks, Target, TargetGroup

TICK = 0.05
ENDED = 5


class LoadBalancer:
    """A running one, as those see it who give it orders."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process
        self._one_at_a_time = threading.Lock()
        self.port = int(process.stdout.readline())

    def register(self, address: str) -> None:
        self._order("register", address)

    def deregister(self, address: str) -> None:
        self._order("deregister", address)

    def states(self) -> dict[str, str]:
        """State of each target by its address; an unused one is missing."""
        return self._order("states")

    def _order(self, *words: str) -> dict[str, str]:
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


@contextmanager
def make_load_balancer(checks: Checks) -> Iterator[LoadBalancer]:
    """A load balancer without targets, as long as the block lasts."""
    command = [sys.executable, "-m", "rehearsal.load_balancer", json.dumps(asdict(checks))]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1], stdin=pipe, stdout=pipe, text=True)
    try:
        yield LoadBalancer(process)
    finally:
        process.stdin.close()
        try:
            process.wait(ENDED)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Balancer:
    """The process itself."""

    def __init__(self, checks: Checks) -> None:
        self._group = TargetGroup(checks)
        self._proxy = Proxy(self._group)
        self._checking: dict[str, asyncio.Task] = {}

    async def run(self) -> None:
        """Serve until standard input ends."""
        server = await asyncio.start_server(self._proxy.serve, "127.0.0.1", 0, limit=LARGEST_HEAD)
        print(server.sockets[0].getsockname()[1], flush=True)
        orders = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        expiry = asyncio.create_task(self._expire())
        while line := await orders.readline():
            self._obey(*json.loads(line))
            print(json.dumps(self._group.states()), flush=True)
        expiry.cancel()

    def _obey(self, order: str, address: str = "") -> None:
        if order == "register":
            self._checking[address] = asyncio.create_task(self._check(self._group.register(address)))
        elif order == "deregister":
            self._group.deregister(address, time.monotonic())
            self._checking.pop(address).cancel()

    async def _expire(self) -> None:
        """Close idle connections to a target that gets no requests any more; cut those that outlast the delay."""
        while True:
            now = time.monotonic()
            for target in self._group.targets.values():
                if target.left is not None and now >= target.left + self._group.checks.lag:
                    self._proxy.forget(target.address, cut=False)
            for target in self._group.expire(now):
                self._proxy.forget(target.address, cut=True)
            await asyncio.sleep(TICK)

    async def _check(self, target: Target) -> None:
        checks = self._group.checks
        while True:
            start = time.monotonic()
            try:
                good = await asyncio.wait_for(_is_ready(target.address, checks.path), checks.timeout)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                good = False
            self._group.checked(target, good)
            await asyncio.sleep(max(0.0, checks.interval - (time.monotonic() - start)))


async def _is_ready(address: str, path: str) -> bool:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=LARGEST_HEAD)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        answer = await read_message(reader, b"GET")
        return answer is not None and answer.first.split(b" ")[1] == b"200"
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(Balancer(Checks(**json.loads(sys.argv[1]))).run())
