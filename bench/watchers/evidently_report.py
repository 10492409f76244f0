"""Evidently: its default report on drift, from two tables to the page."""

import time

began = time.process_time()

import pandas as pd  # noqa: E402
from evidently import Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402
from exchange import given, tell  # noqa: E402

run = given()
imported = time.process_time()
reference, current = pd.read_parquet(run["reference"]), pd.read_parquet(run["current"])
Report([DataDriftPreset()]).run(current, reference).save_html(run["page"])
tell(began, imported, imported, run["page"], len(current))
