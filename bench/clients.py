"""Slow and silent clients: whether everybody else is still answered, with Slipway's worker and with gunicorn's threads.

1,000 connections that send half of a head, 200 that send half of a body, and 50 that ask for a table and do not read the
answer are held; meanwhile one client asks for /healthz and for a prediction, each on a connection of its own.

    python bench/clients.py
    python bench/clients.py --silent 200 --bodies 40 --readers 10
"""

import argparse
import json
import socket
import statistics
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("serving")))

from environments import ROOT
from models import MODELS, pinned, prepare
from process import free_port, running, wait

PROBES = 50
PATIENCE = 2.0  # seconds; who waits longer counts as not answered
ROWS = 20_000


def main() -> None:
    """Measure both, and print a line for each."""
    options = _options()
    place = prepare(MODELS["insurance"])
    row = json.loads((place / "rows.json").read_text())[0]
    for name, more in {"slipway": [], "gthread": ["--worker-class", "gthread"]}.items():
        print(f"{name:<8} {_measure(place, row, more, options)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--silent", type=int, default=1_000, help="connections with half of a head")
    parser.add_argument("--bodies", type=int, default=200, help="connections with half of a body")
    parser.add_argument("--readers", type=int, default=50, help="connections that do not read their answer")
    return parser.parse_args()


def _measure(place: Path, row: dict, more: list[str], options: argparse.Namespace) -> str:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--config", str(ROOT / "gunicorn.conf.py"), *more]
    body = json.dumps(row).encode()
    predict = _post("/predict", body, "application/json")
    questions = {"/healthz": b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", "/predict": predict}
    environ = pinned() | {"SLIPWAY_PROBLEM": str(place / "slipway.yaml"), "SLIPWAY_LOG": str(place / "log")}
    with running([*command, "--bind", f"127.0.0.1:{port}", "app:app"], ROOT, environ) as pid, ExitStack() as held:
        wait(pid, port, "/predict", body)
        before = {path: _asked(port, question) for path, question in questions.items()}
        _hold(port, row, options, held)
        during = {path: _asked(port, question) for path, question in questions.items()}
    return "; ".join(f"{path} {_told(before[path])} alone, {_told(during[path])} beside them" for path in questions)


def _hold(port: int, row: dict, options: argparse.Namespace, held: ExitStack) -> None:
    header, cells = ",".join(row), ",".join(map(str, row.values()))
    table = "\n".join([header, *[cells] * ROWS, ""]).encode()
    half = _post("/predict", b" " * 2_000, "application/json")[:-1_000]
    heads = b"GET /healthz HTTP/1.1\r\nHost:"
    asked = [(heads, options.silent), (half, options.bodies), (_post("/predict/file", table, "text/csv"), options.readers)]
    for content, count in asked:
        for _ in range(count):
            client = held.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", port))
            with suppress(TimeoutError):  # nobody reads it
                client.sendall(content)


def _post(path: str, body: bytes, kind: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: bench", "Connection: close"]
    return "\r\n".join([*head, f"Content-Type: {kind}", f"Content-Length: {len(body)}", "", ""]).encode() + body


def _asked(port: int, question: bytes) -> list[float | None]:
    """Seconds of each answer; None where there was none in time."""
    found: list[float | None] = []
    for _ in range(PROBES):
        begun = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(question)
                found.append(time.perf_counter() - begun if b" 200 " in client.recv(4_096)[:20] else None)
        except OSError:
            found.append(None)
        if found.count(None) >= 5:
            break
    return found


def _told(found: list[float | None]) -> str:
    answered = [each for each in found if each is not None]
    median = f"{1_000 * statistics.median(answered):.1f} ms" if answered else "–"
    return f"{median} ({len(answered)} of {len(found)} answered)"


if __name__ == "__main__":
    main()
