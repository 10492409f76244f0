"""Slipway: what `slipway watch` does after it has collected, from tables of rows to the page."""

import time

began = time.process_time()

from datetime import datetime  # noqa: E402
from pathlib import Path  # noqa: E402

import pandas  # noqa: E402, F401 -- pyarrow imports it at the first array
from exchange import given, tell  # noqa: E402

from slipway.monitoring.partitions import Log  # noqa: E402
from slipway.monitoring.publication import publish  # noqa: E402
from slipway.monitoring.watched import watch  # noqa: E402
from slipway.problem import load_problem  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402

run = given()
folder = Path(run["folder"])
problem = load_problem(folder / "slipway.yaml", environ={})
store, log = LocalStore(folder / "artifacts"), Log(folder / "log")
imported = time.process_time()
found = watch(problem, store, log, datetime.fromisoformat(run["now"]))
publish(found, store, log)
tell(began, imported, imported, log.root / "live.html", found.rows)
