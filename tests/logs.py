"""Raw files of the log as a service writes them, and jobs on a log that die at each step: python logs.py JOB ARGUMENTS."""

import fcntl
import http.client
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import killed
from slipway.model.event import CLOSED, OPEN, RAW, Event, to_line
from slipway.monitoring.collector import collect
from slipway.monitoring.forgetting import forget
from slipway.monitoring.known_labels import add, labels_of
from slipway.monitoring.logged_rows import read_rows
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import ROWS, Log
from slipway.monitoring.row_keys import id_key, request_key
from slipway.monitoring.whole_days import files
from slipway.store.remote import S3Store
from transfers import dies, remote_at

DAY = "2026-11-20"
NOW = datetime(2026, 11, 22, 12)
BUNDLE = "8821177e2697"
IDS = ("patient",)


def event(request: str, rows: list[dict[str, Any]], answers: list[Any] | None = None, at: str = "", **more) -> Event:
    """An answer of a day, at nine o'clock."""
    made = [float(number) for number in range(len(rows))] if answers is None else answers
    return Event(at=at or f"{DAY}T09:00:00.000Z", id=request, bundle=BUNDLE + "0" * 52, rows=rows, answers=made, **more)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A service that still writes the file."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(
    log: Log,
    *events: Event | bytes,
    name: str = "local-boot-1-0",
    day: str = DAY,
    bundle: str = BUNDLE,
    ending: str = CLOSED,
) -> Path:
    """A raw file with these events; bytes are a line that is none."""
    path = log.root / RAW / f"date={day}" / f"bundle={bundle}" / f"{name}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(each if isinstance(each, bytes) else to_line(each) for each in events))
    return path


def fill(log: Log) -> list[Path]:
    """Two raw files of one day and one of the next: five rows of three patients, and a refusal."""
    return [
        put(log, *FEW),
        put(log, event("c", [{"patient": "3", "age": 50}]), name="r1-boot-2-0"),
        put(log, event("d", [{"patient": 2, "age": 41}], at="2026-11-21T10:00:00.000Z"), day="2026-11-21"),
    ]


FEW = (
    event("a", [{"patient": 1, "age": 30}, {"patient": 2, "age": 40}]),
    event("b", [{"patient": 1, "age": 31}], refused={"age/missing": 1}),
)
FILLED = [("a", 0, "1", 30.0), ("a", 1, "2", 40.0), ("b", 0, "1", 31.0), ("c", 0, "3", 50.0), ("d", 0, "2", 41.0)]


def rows_in(log: Log) -> list[tuple]:
    """Request, number, patient and age of all rows that are tables, sorted."""
    return _rows(log.path(ROWS, part) for part in log.parts(ROWS))


def rows_read(log: Log) -> list[tuple]:
    """The same as who looks at production reads them: from copies of whole days where there are any."""
    return _rows(path for _, path in files(log, ROWS))


def _rows(paths: Iterable[Path]) -> list[tuple]:
    found = []
    for path in paths:
        rows = read_rows(path)
        columns = [rows.calls.column(name) for name in ("id", "number")] + [
            rows.cells.column(name) for name in ("patient", "age")
        ]
        found += zip(*(column.to_pylist() for column in columns))
    return sorted(found)


def rows_in_raw(log: Log) -> set[tuple[str, int]]:
    """Request and number of all rows that are not tables yet."""
    lines = [json.loads(line) for path in (log.root / RAW).glob("*/*/*") for line in path.read_bytes().splitlines()]
    return {(line["id"], number) for line in lines for number in range(len(line["rows"]))}


def collected(log: Log, **more) -> Any:
    """Collect, and have nothing told."""
    told: list[str] = []
    done = collect(log, IDS, 90, NOW, told.append, **more)
    assert told == []
    return done


def label_keys(log: Log) -> list[str]:
    return labels_of(log).column("key").to_pylist()


def start(job: str, *arguments: object) -> subprocess.Popen:
    """A job in a process of its own."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-B", __file__, job, *map(str, arguments)]
    return subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill(folder: str, job: str) -> None:
    """Do a job on a new log each time, and die a step later; the steps are those of killed.py. Prints the logs."""
    warm = Log(Path(folder, "warm"))  # what is loaded at the first run is loaded once, not by each that dies
    put(warm, *FEW)
    collected(warm)
    deaths = [killed.Death(folder, 0, signal.SIGKILL)]
    sys.addaudithook(lambda event, arguments: deaths[0].audit(event, arguments))
    for step in itertools.count(1):
        log = Log(Path(folder, str(step)))
        log.make()
        put(log, *FEW)
        put(log, event("c", [{"patient": "3", "age": 50}]), ending=OPEN)
        if job == "forget":
            collected(log)
            add(log, Outcomes({(request_key("a", 0), None): ("Y", None)}, 1, ()), NOW, "o.csv")
        death = deaths[0] = killed.Death(str(log.root), step, signal.SIGKILL)

        def work(death=death, log=log):
            io.open, os.write, os.fsync = death.open, death.write, death.fsync
            collected(log) if job == "collect" else forget(log, IDS, {"patient": {"1"}}, print)

        print(log.root, flush=True)
        if not dies(death, work):
            return


def kill_remote(bucket: str, folder: str) -> None:
    """Collect the raw files of a new prefix each time, and die a step later: a step is before and after each sending."""
    send, client = http.client.HTTPConnection.send, remote_at(f"s3://{bucket}").client
    raw = Log(Path(folder, "raw"))
    put(raw, *FEW)
    collected(raw)  # what is loaded at the first run is loaded once, not by each that dies
    for step in itertools.count(1):
        remote = S3Store(client, bucket, f"{step}/")
        upload([put(raw, *FEW)], raw, remote)
        death = killed.Death(folder, step, signal.SIGKILL)

        def halting(connection, data, death=death):
            death.step()
            send(connection, data)
            death.step()

        http.client.HTTPConnection.send = halting
        print(remote.prefix, flush=True)
        alive = not dies(death, lambda remote=remote, step=step: collected(Log(Path(folder, str(step))), remote=remote))
        http.client.HTTPConnection.send = send
        if alive:
            return


def upload(paths: Iterable[Path], log: Log, remote: S3Store) -> None:
    """What a box does with its raw files."""
    for path in paths:
        content = path.read_bytes()
        remote.write(f"log/{path.relative_to(log.root).as_posix()}", content, sha256(content).hexdigest())


def label(root: str) -> None:
    """Add a table of two labels; prints how many were new."""
    outcomes = Outcomes({(id_key(patient), None): ("Y", None) for patient in "12"}, 2, ())
    print(add(Log(Path(root)), outcomes, NOW, "o.csv").new)


JOBS = {"collect": lambda root: collected(Log(Path(root))), "label": label, "kill": kill, "kill-remote": kill_remote}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
