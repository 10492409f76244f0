"""Run one write of a store and die at its n-th step, as by kill -9: python killed.py ROOT WRITE N SIGNAL.

A step is an open, a rename, a folder made, a file removed, a sync, and the middle of every write.
"""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import slipway
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

OLD = {"model.json": b"old", "schema.json": b"{}"}
NEW = {"model.json": b"new", "schema.json": b"{}", "model.onnx": b"x" * 10_000}
JUDGING = {"twin.json": b"new"}


DECISION = {"event": "verdict", "problem": "trial", "digest": "b" * 64, "outcome": "promoted", "reasons": ["better"]}


def keep(store: LocalStore) -> None:
    import pyarrow

    from slipway.store.snapshots import KeptData

    KeptData(store.root / "data").keep(pyarrow.table({"a": ["x"]}), {"seen": 1})


WRITES = {
    "keep": keep,
    "add": lambda store: store.add("trial", NEW, JUDGING),
    "point": lambda store: store.point(Pointer("b" * 64, "trial")),
    "decide": lambda store: store.decide(DECISION),
    "append": lambda store: store.journal.append({"event": "new", "text": "x" * 5000}),
}
AUDITED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate"}
_io_open, _write, _fsync = io.open, os.write, os.fsync


def start(root: Path, write: str, at: int = 0, by: signal.Signals = signal.SIGKILL) -> subprocess.Popen:
    """This program, in a process of its own; it lives when `at` is 0."""
    environ = os.environ | {"PYTHONPATH": str(Path(slipway.__file__).parent.parent)}
    return subprocess.Popen([sys.executable, __file__, str(root), write, str(at), str(int(by))], env=environ)


class Death:
    """Counts steps and sends the process the signal at the chosen one."""

    def __init__(self, root: str, at: int, by: int) -> None:
        self.root = root
        self.left = at
        self.by = by
        self.armed = False

    def step(self) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.by)

    def audit(self, event: str, arguments: tuple) -> None:
        if event in AUDITED and str(arguments[0]).startswith(self.root):
            self.step()

    def write(self, descriptor: int, content: bytes) -> int:
        half = _write(descriptor, content[: len(content) // 2])
        self.step()
        return half + _write(descriptor, content[half:])

    def fsync(self, descriptor: int) -> None:
        self.step()
        _fsync(descriptor)
        self.step()

    def open(self, path, mode="r", *rest, **named):
        file = _io_open(path, mode, *rest, **named)
        return Halting(file, self) if set(mode) & set("wxa") else file


class Halting:
    """A file whose writes can stop in their middle."""

    def __init__(self, file, death: Death) -> None:
        self._file = file
        self._death = death

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self) -> "Halting":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def write(self, content: bytes) -> None:
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._death.step()
        self._file.write(content[len(content) // 2 :])


if __name__ == "__main__":
    root, name, at, by = sys.argv[1:]
    death = Death(root, int(at), int(by))
    io.open, os.write, os.fsync = death.open, death.write, death.fsync
    sys.addaudithook(death.audit)
    store = LocalStore(Path(root))
    death.armed = True
    WRITES[name](store)
