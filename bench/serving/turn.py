"""One turn: a service is started, loaded and ended, and what was found is kept at once."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from environments import NotInstalled, python_of
from loads import Load, Target, measure
from models import Model, pickle, pinned, prepare
from process import NotAnswering, free_port, running, wait
from proxy import proxied
from results import START, Results
from services import HERE, Service

EVEN = ("slipway", "fastapi-onnx")


@dataclass(frozen=True)
class Turn:
    """The number of a turn, the seconds of each load, and where its figures go."""

    number: int
    seconds: int
    results: Results

    def run(self, model: Model, service: Service, loads: Sequence[Load]) -> None:
        """Measure what this turn has not measured yet; a service that cannot be run is a result, too."""
        todo = [load for load in loads if not self.results.has(self.number, model.name, service.name, load.name)]
        for proxy in (False, True):
            mine = [load for load in todo if load.proxy == proxy and (service.is_gunicorn or not proxy)]
            if not mine:
                continue
            try:
                self._started(model, service, mine, proxy)
            except (NotInstalled, NotAnswering, subprocess.SubprocessError) as error:
                for load in mine:
                    if self.results.has(self.number, model.name, service.name, load.name):
                        continue
                    self._add(model, service, load.name, {"error": " ".join(str(error).split())[-200:]})

    def _started(self, model: Model, service: Service, loads: Sequence[Load], proxy: bool) -> None:
        python, folder = python_of(service.environment), prepare(model)
        if service.is_pickled:
            pickle(model, folder)
        _prepared(python, service, folder)
        rows = json.loads((folder / "rows.json").read_text())
        with tempfile.TemporaryDirectory() as scratch, ExitStack() as ended:
            place, port = Path(scratch), free_port()
            socket = place / "service.sock"
            bind = f"unix:{socket}" if proxy else f"127.0.0.1:{port}"
            command, environ = service.placed(python, folder, bind, port)
            base = pinned() if service.pinned else {name: pinned()[name] for name in ("PATH", "HOME")}
            base["PATH"] = f"{Path(python).parent}:{base['PATH']}"  # mlflow starts uvicorn by its name
            began = time.monotonic()
            said = place / "said.txt"
            pids = [ended.enter_context(running(command, place, base | environ, said))]
            if proxy:
                pids.append(ended.enter_context(proxied(place, socket, port)))
            try:
                answer = wait(pids[0], port, service.path, service.body(rows[:1]))
            except NotAnswering as error:
                raise NotAnswering(f"{error}; {said.read_text(errors='replace')[-200:]}") from None
            if not proxy and not self.results.has(self.number, model.name, service.name, START):
                self._add(model, service, START, {"seconds": time.monotonic() - began, "answer": answer[:200]})
            for load in loads:
                target = Target(port, service.path, service.body(rows[: load.rows]), tuple(pids))
                self._load(model, service, load, target)

    def _load(self, model: Model, service: Service, load: Load, target: Target) -> None:
        rate = 0.0
        if load.share:
            names = EVEN if load.even else (service.name,)
            rate = load.share * min(self.results.peak(model.name, name) for name in names)
            if not rate:
                self._add(model, service, load.name, {"error": "its peak was not measured (--loads keep-alive)"})
                return
        self._add(model, service, load.name, measure(load, target, self.seconds, rate))

    def _add(self, model: Model, service: Service, load: str, figures: dict) -> None:
        self.results.add(self.number, model.name, service.name, load, figures)
        told = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
        print(f"turn {self.number + 1}, {model.name}, {service.name}, {load}: {told}", file=sys.stderr, flush=True)


def _prepared(python: str, service: Service, folder: Path) -> None:
    """Run what is run once before, and empty the folders that services write to."""
    for name in ("log", "counters"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    stamp = folder / f"{service.name}.prepared"
    if service.prepared and not stamp.exists():
        script, *arguments = (argument.format(model=folder) for argument in service.prepared)
        command = [python, str(HERE / "peers" / script), *arguments]
        ended = subprocess.run(command, env=pinned(), cwd=folder, capture_output=True, text=True)
        if ended.returncode:
            raise NotAnswering(f"{script}: {ended.stderr.strip().splitlines()[-1]}")
        stamp.touch()
