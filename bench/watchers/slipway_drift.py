"""Slipway: the part of `slipway watch` that is about drift, from tables of rows to the page."""

import time

began = time.process_time()

from datetime import datetime, timedelta  # noqa: E402
from pathlib import Path  # noqa: E402

import pandas  # noqa: E402, F401 -- pyarrow imports it at the first array
from exchange import given, tell  # noqa: E402

from slipway.model.contents import model_of, schema_of  # noqa: E402
from slipway.monitoring.bins import columns_of  # noqa: E402
from slipway.monitoring.cohorts import Cohorts  # noqa: E402
from slipway.monitoring.decision import Decision  # noqa: E402
from slipway.monitoring.drift import LONGEST, look  # noqa: E402
from slipway.monitoring.live_page import page  # noqa: E402
from slipway.monitoring.partitions import Log  # noqa: E402
from slipway.monitoring.production import as_days, traffic  # noqa: E402
from slipway.monitoring.tallies import Losses  # noqa: E402
from slipway.monitoring.watched import Watched  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402

run = given()
folder, now = Path(run["folder"]), datetime.fromisoformat(run["now"])
imported = time.process_time()
bundle = LocalStore(folder / "artifacts").champion()
schema, model, columns = schema_of(bundle), model_of(bundle), columns_of(bundle)
days = traffic(Log(folder / "log"), bundle.digest, columns, schema, model, now.date() - timedelta(LONGEST), now.date())
found = look(columns, as_days(days))
no_labels = Losses("absolute_error", Cohorts((), None), ())
quiet = Decision("quiet", (), False)
of = Watched("drift", bundle, now, tuple(days), found, no_labels, None, {}, {}, quiet)
Path(run["page"]).write_bytes(page(of))
tell(began, imported, imported, run["page"], of.rows)
