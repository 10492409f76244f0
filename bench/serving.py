"""Slipway against what a person writes by hand, side by side: start, memory, answers per second.

The rival is a tutorial's service: Flask, a pickled scikit-learn pipeline of histogram gradient boosting, one DataFrame
per request, gunicorn with as many workers, threads pinned for both. Both learn the same table and answer the same row.
They are loaded in turns, so that a busy machine is busy for both; the ratio is what to read, not the numbers.

    python bench/serving.py --sample insurance
    python bench/serving.py --sample truck --seconds 3 --turns 4
"""

import argparse
import csv
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"insurance": "charges", "loan": "Loan_Status", "truck": "class"}
DEADLINE = 60

RIVAL_TRAINING = """
import sys, joblib, pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

frame = pd.read_csv("table.csv", na_values=["na"])
answer = frame.pop(sys.argv[1])
numeric = pd.api.types.is_numeric_dtype(answer)
model = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    ),
    HistGradientBoostingRegressor() if numeric else HistGradientBoostingClassifier(),
)
joblib.dump(model.fit(frame, answer), "model.joblib")
"""

RIVAL = """
import joblib, pandas as pd
from flask import Flask, jsonify, request

app = Flask(__name__)
model = joblib.load("model.joblib")

@app.post("/predict")
def predict():
    return jsonify(prediction=model.predict(pd.DataFrame([request.get_json()])).tolist()[0])

@app.get("/readyz")
def ready():
    return "ready"
"""


def main() -> None:
    """Measure, and print one line per service and the ratios."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        row = _prepare(place, options.sample)
        workers = ["--workers", str(options.workers)]
        gunicorn = [sys.executable, "-m", "gunicorn", *workers]
        services = {
            "slipway": ([*gunicorn, "--config", str(ROOT / "gunicorn.conf.py"), "app:app"], ROOT),
            "by hand": ([*gunicorn, "rival:app"], place),
        }
        found: dict[str, list[dict]] = {name: [] for name in services}
        for turn in range(options.turns):
            for name, (command, where) in services.items():
                found[name].append(_measure(command, where, place, row, options))
                print(f"turn {turn + 1}, {name}: {_line(found[name][-1])}", file=sys.stderr)
    _report(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", choices=TARGETS, default="insurance")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=16, help="keep-alive connections")
    parser.add_argument("--seconds", type=float, default=3.0, help="load per turn")
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def _prepare(place: Path, sample: str) -> dict:
    """Train both in `place`; a row that both answer."""
    problem = f"name: bench\nsource: table.csv\ntarget: {TARGETS[sample]}\nsearch: {{trials: 1}}\n"
    if sample == "loan":
        problem += "drop: Loan_ID\n"
    (place / "slipway.yaml").write_text(problem)
    (place / "rival.py").write_text(RIVAL)
    environ = _environ(place)
    slipway = [sys.executable, "-m", "slipway"]
    for command in (
        [*slipway, "sample", sample, "table.csv"],
        [*slipway, "train"],
        [sys.executable, "-c", RIVAL_TRAINING, TARGETS[sample]],
    ):
        subprocess.run(command, cwd=place, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    champion = json.loads((place / "artifacts" / "champion.json").read_text())["digest"]
    golden = json.loads((place / "artifacts" / "bundles" / champion / "golden.json").read_text())
    with (place / "table.csv").open(newline="") as file:
        header = next(csv.reader(file))
    row = next(row for row in golden["rows"] if None not in row.values() or sample != "insurance")
    return {name: row.get(name) for name in header if name != TARGETS[sample]} if sample != "loan" else row


def _environ(place: Path) -> dict[str, str]:
    pinned = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return (
        os.environ
        | pinned
        | {
            "PYTHONPATH": str(ROOT / "src"),
            "SLIPWAY_PROBLEM": str(place / "slipway.yaml"),
            "PYTHONUNBUFFERED": "1",
        }
    )


def _measure(command: list[str], where: Path, place: Path, row: dict, options: argparse.Namespace) -> dict:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    request = _request(row)
    begun = time.perf_counter()
    with _running([*command, "--bind", f"127.0.0.1:{port}"], where, _environ(place)) as process:
        _wait(port, process, request)
        start = time.perf_counter() - begun
        _load(port, request, options.clients, 0.5)
        latencies = _load(port, request, options.clients, options.seconds)
        resident, proportional = _memory(process.pid)
    quantiles = statistics.quantiles(latencies, n=100)
    return {
        "start": start,
        "resident": resident,
        "proportional": proportional,
        "rate": len(latencies) / options.seconds,
        "p50": 1000 * quantiles[49],
        "p99": 1000 * quantiles[98],
    }


@contextmanager
def _running(command: list[str], where: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        command,
        cwd=where,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _request(row: dict) -> bytes:
    body = json.dumps(row).encode()
    lines = ["POST /predict HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _wait(port: int, process: subprocess.Popen, request: bytes) -> None:
    """Until the first prediction is answered."""
    deadline = time.perf_counter() + DEADLINE
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
                _answer(connection, request)
            return
        except (ConnectionError, OSError):
            time.sleep(0.01)
    raise SystemExit("a service does not answer")


def _answer(connection: socket.socket, request: bytes) -> bool:
    """Ask once; whether the connection stays open."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        raise SystemExit(f"refused: {received[:2000]!r}")
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return b"connection: close" not in lower


def _load(port: int, request: bytes, clients: int, seconds: float) -> list[float]:
    """Seconds of each answer while `clients` ask as fast as they are answered."""
    found: list[float] = []
    end = time.perf_counter() + seconds

    def ask() -> None:
        mine = []
        while time.perf_counter() < end:
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                is_open = True
                while is_open and time.perf_counter() < end:
                    begun = time.perf_counter()
                    is_open = _answer(connection, request)
                    mine.append(time.perf_counter() - begun)
        found.extend(mine)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _memory(pid: int) -> tuple[float, float]:
    """Resident and proportional megabytes of a process and its children; zero where the system does not tell."""
    totals = {"Rss": 0, "Pss": 0}
    for process in _family(pid):
        for line in io.StringIO(Path(f"/proc/{process}/smaps_rollup").read_text()):
            name, _, rest = line.partition(":")
            if name in totals:
                totals[name] += int(rest.split()[0])
    return totals["Rss"] / 1024, totals["Pss"] / 1024


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return []
    return [pid, *(member for child in children.read_text().split() for member in _family(int(child)))]


def _line(one: dict) -> str:
    return (
        f"{one['rate']:,.0f} answers/s, p50 {one['p50']:.1f} ms, p99 {one['p99']:.1f} ms, "
        f"first answer {one['start']:.2f} s, {one['resident']:.0f} MB resident, "
        f"{one['proportional']:.0f} MB proportional"
    )


def _report(found: dict[str, list[dict]]) -> None:
    middle = {name: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]} for name, turns in found.items()}
    for name, one in middle.items():
        print(f"{name:<8} {_line(one)}")
    ours, theirs = middle["slipway"], middle["by hand"]
    print(
        f"slipway answers {ours['rate'] / theirs['rate']:.1f} times as many, starts in "
        f"{ours['start'] / theirs['start']:.2f} of the time "
        f"and takes {ours['proportional'] / max(theirs['proportional'], 1):.2f} of the memory"
    )


if __name__ == "__main__":
    main()
