"""NannyML: univariate drift with its defaults, from two tables to its table of results; it makes no page."""

import time

began = time.process_time()

import nannyml  # noqa: E402
import pandas as pd  # noqa: E402
from exchange import given, tell  # noqa: E402

run = given()
imported = time.process_time()
reference = pd.read_parquet(run["reference"])
calculator = nannyml.UnivariateDriftCalculator(column_names=list(reference.columns)).fit(reference)
fitted = time.process_time()
current = pd.read_parquet(run["current"])
calculator.calculate(current).to_df()
tell(began, imported, fitted, "", len(current))
