"""The loads, and what each measures of a service that runs; wrk makes them, because it takes the least of the machine's time.

wrk keeps hundreds of connections on one thread, reconnects where a service closes them, sends on a schedule by its script
(`wrk.lua`), and is in Debian. h2load does not end against a server that closes connections; hey and autocannon come with the
run times of Go and Node.js, whose processor time would be taken from the services on a small machine.
"""

import json
import os
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from debian import program
from process import cpu_seconds, resident
from watcher import Watcher

SCRIPT = Path(__file__).with_name("wrk.lua")
WARM = 1  # seconds before the measured ones
OPEN = 128  # connections of the loads on a schedule
CROWD = 1_024  # of the overload


@dataclass(frozen=True)
class Load:
    """One way to ask.

    Parameters
    ----------
    clients : int
        Connections.
    rows : int
        Per request.
    fresh : bool
        Whether each request has a connection of its own.
    proxy : bool
        Whether nginx stands between, with the service on a socket.
    share : float
        On a schedule, at this share of the peak; 0 asks again as soon as answered.
    even : bool
        Whether the peak is that of the slower of Slipway and the service written by hand, instead of the service's own.
    services, models : tuple of str
        Where it is measured if not told otherwise; empty: all.
    """

    name: str
    title: str
    clients: int = 16
    rows: int = 1
    fresh: bool = False
    proxy: bool = False
    share: float = 0.0
    even: bool = False
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ("insurance",)


_BOTH = ("slipway", "fastapi-onnx")
_QUICK = ("slipway", "fastapi-onnx", "hello")
_ALL = (
    Load("keep-alive", "single rows, 16 keep-alive clients", models=("insurance", "sensor", "sensor-forest")),
    Load("one", "single rows, one keep-alive client", clients=1, services=_QUICK),
    Load("many", "single rows, 256 keep-alive clients", clients=256, services=_QUICK),
    Load("fresh", "single rows, 16 clients, a connection for each request", fresh=True, services=_QUICK),
    Load("rows", "100 rows per request, 16 clients", rows=100, services=(*_BOTH, "tutorial")),
    Load("steady", "at 80 % of its own peak, on a schedule", clients=OPEN, share=0.8, services=_BOTH),
    Load("overload", "at twice its peak, on a schedule", clients=CROWD, share=2.0, services=("slipway",)),
    Load("proxy", "through nginx and a socket, 16 clients", proxy=True, services=("slipway", "hello")),
    Load(
        "even",
        "at 80 % of the slower one's peak, on a schedule",
        clients=OPEN,
        share=0.8,
        even=True,
        services=_BOTH,
    ),
)
LOADS = {load.name: load for load in _ALL}


@dataclass(frozen=True)
class Target:
    """A service that runs: where it is asked, with what, and the processes whose time and memory count."""

    port: int
    path: str
    body: bytes
    pids: tuple[int, ...]


def measure(load: Load, target: Target, seconds: int, rate: float) -> dict:
    """Figures of one load; `rate` in requests per second, 0 for none.

    Returns
    -------
    dict
        answers per second, p50 and p99 in ms, server CPU per answer and load CPU per request in µs, resident MB after it,
        shares refused and failed; of an overload also what a bystander saw.
    """
    if load.share <= 1:  # whoever is warmed up by an overload begins with a queue
        _asked(load, target, WARM, rate)
    before = sum(map(cpu_seconds, target.pids))
    if load.share > 1:
        found = _overload(load, target, seconds, rate)
    else:
        found = _asked(load, target, seconds, rate)
    spent = sum(map(cpu_seconds, target.pids)) - before
    answered = found["requests"] - found["refused"]
    figures = {
        "rate": answered / (found["microseconds"] / 1e6),
        "asked": rate,
        "p50": found["p50"] / 1e3 if found["requests"] else None,
        "p99": found["p99"] / 1e3 if found["requests"] else None,
        "cpu": None if load.share > 1 else 1e6 * spent / max(found["requests"], 1),  # the queue of an overload costs later
        "load_cpu": 1e6 * found["load_seconds"] / max(found["requests"], 1),
        "refused": found["refused"] / max(found["requests"], 1),
        "failed": found["failed"] + found["timeouts"],
        "resident": sum(map(resident, target.pids)),
    }
    return figures | found.get("bystander", {})


def _asked(load: Load, target: Target, seconds: int, rate: float) -> dict:
    with tempfile.NamedTemporaryFile() as file:
        file.write(target.body)
        file.flush()
        environ = os.environ | {"BODY": file.name}
        environ |= {"RATE": str(rate)} if rate else {}
        environ |= {"FRESH": "1"} if load.fresh else {}
        url = f"http://127.0.0.1:{target.port}{target.path}"
        command = [*program("wrk"), "-t1", f"-c{load.clients}", f"-d{seconds}s", "--timeout", "10s"]
        command += ["--script", str(SCRIPT), url]
        began = _load_seconds()
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=seconds + 30, check=True)
    last = ended.stdout.strip().splitlines()[-1]
    return json.loads(last) | {"load_seconds": _load_seconds() - began}


def _load_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _overload(load: Load, target: Target, seconds: int, rate: float) -> dict:
    """The load, and one more client beside it, who goes on asking afterwards."""
    watcher = Watcher(target.port, target.path, target.body)
    thread = Thread(target=watcher.watch)
    thread.start()
    try:
        found = _asked(load, target, seconds, rate)
    finally:
        watcher.overloaded_until()
        thread.join()
    return found | {"bystander": watcher.figures()}
