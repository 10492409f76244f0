"""`slipway watch` on a real table that changes in time: who learned from flights in winter is asked in spring.

A model learns from the flights that left New York in January and February 2013 whether a flight will be late. From March on
the service answers each day's flights through POST /predict/file, the truth comes a day later, and `slipway watch` looks
every morning. Printed is what it says, whenever it says something else than the day before. The day of the service, of the
labels and of the looks is that of the flights; nothing else is made up. No threshold of Slipway was chosen by this table.

    python bench/seasons.py
    python bench/seasons.py --days 3
"""

import argparse
import io
import json
import re
import subprocess
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from flask import Flask

from slipway.model.contents import model_of
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import read_outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.publication import publish
from slipway.monitoring.watched import Watched, watch
from slipway.problem import Problem, load_problem
from slipway.serving import create_app
from slipway.sources.source import open_location
from slipway.store.local import LocalStore
from slipway.training.train import train

ROOT = Path(__file__).resolve().parents[1]
PLACE, SCRIPT = ROOT / "build" / "drift" / "flights", ROOT / "bench" / "watchers" / "flights_table.py"
MADE = "python3 -m venv build/drift/flights && build/drift/flights/bin/pip install -r bench/watchers/flights.txt"
FIRST = date(2013, 3, 1)  # day of production
SETTINGS = """name: flights
source: winter.csv
target: late
positive: "yes"
id: flight_id
time: day
drop: [day]
log: {to: files}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=92, help="of production")
    parser.add_argument("--trials", type=int, default=1, help="of the search")
    arguments = parser.parse_args()
    if not (PLACE / "bin" / "python").exists():
        print(f"Left out: the flights. To have them: {MADE}")
        return
    with tempfile.TemporaryDirectory() as place:
        replay(Path(place), arguments.days, arguments.trials)


def replay(folder: Path, days: int, trials: int) -> None:
    """Train on winter, then live through so many days."""
    table = flights(folder)
    table[table["day"] < str(FIRST)].to_csv(folder / "winter.csv", index=False)
    (folder / "slipway.yaml").write_text(f"{SETTINGS}search: {{trials: {trials}}}\n")
    problem, store, log = (
        load_problem(folder / "slipway.yaml", environ={}),
        LocalStore(folder / "artifacts"),
        Log(folder / "log"),
    )
    train(problem, store, jobs=1)
    backdated(store)
    log.make()
    app = create_app(problem)
    told: tuple[str, list[str]] = "", []
    for day in (FIRST + timedelta(number) for number in range(days)):
        flown = table[table["day"] == str(day)]
        ask(app, flown, day)
        found = morning(problem, store, log, flown, day + timedelta(1))
        says = found.decision.outcome, sorted(sentence.partition(":")[0] for sentence in found.sentences)
        if says != told:
            print(f"{day}: {found.decision.outcome}. {' '.join(found.decision.reasons)}")
            print("".join(f"  {sentence}\n" for sentence in found.sentences), end="", flush=True)
        told = says
    summed_up(found)


def flights(folder: Path) -> pd.DataFrame:
    path = folder / "flights.csv"
    subprocess.run([str(PLACE / "bin" / "python"), str(SCRIPT), json.dumps({"table": str(path)})], check=True, cwd=folder)
    return pd.read_csv(path)


def backdated(store: LocalStore) -> None:
    """The champion became one on the day before the first."""
    for path in (store.root / "verdict.json", store.journal.path):
        path.write_text(re.sub(r'"at": ?"[^"]*"', f'"at": "{FIRST - timedelta(1)}T00:00:00+00:00"', path.read_text()))


def ask(app: Flask, flown: pd.DataFrame, day: date) -> None:
    """The flights of a day as a file, at noon."""
    content = flown.drop(columns=["day", "late"]).to_csv(index=False).encode()
    noon = datetime.combine(day, time(12), UTC).timestamp()
    with patch("time.time", lambda: noon):
        answer = app.test_client().post("/predict/file", data={"file": (io.BytesIO(content), "flights.csv")})
        if answer.status_code != 200 or len(answer.data.splitlines()) != len(flown) + 1:
            raise SystemExit(f"{day}: {answer.status} {answer.text[:500]}")
        app.extensions["slipway"].recorder.close()


def morning(problem: Problem, store: LocalStore, log: Log, flown: pd.DataFrame, today: date) -> Watched:
    """Labels of yesterday's flights that have landed, then a look."""
    now = datetime.combine(today, time(6))
    landed = flown[flown["late"].notna()][["flight_id", "late"]].assign(seen_at=str(now))
    path = problem.folder / "landed.csv"
    landed.to_csv(path, index=False)
    collect(log, problem.id, problem.log.keep_days, now, print)
    classes = model_of(store.champion()).classes
    add(log, read_outcomes(open_location(str(path), Path()), path.name, problem, classes, now), now, path.name)
    found = watch(problem, store, log, now)
    publish(found, store, log)
    return found


def summed_up(found: Watched) -> None:
    loss = found.loss
    print(f"\nThe last 28 days: {found.rows:,} rows answered, {found.losses.labelled:,} labels in all.")
    if loss and loss.release.mean is not None:
        told = f"{found.losses.name} {loss.release.mean:.3f}, on the hold-out {loss.usual:.3f}, allowed {loss.allowed:.3f}"
        print(f"{told}: {'worse' if loss.crossed else 'no worse'}.")
    for name, one in found.estimate.items():
        print(f"expected if only the rows had changed: {name} {one.value:.3f} ± {one.margin:.3f}")


if __name__ == "__main__":
    main()
