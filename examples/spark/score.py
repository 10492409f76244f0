"""Score a table of a Spark cluster: score.py MODEL IN OUT.

MODEL is a folder with slipway.yaml and artifacts/. IN and OUT are paths of Parquet, or tables of the catalogue.
"""

import sys

from pyspark.sql import SparkSession

import slipway.spark

model, table, out = sys.argv[1:]
spark = SparkSession.builder.appName("slipway").getOrCreate()
rows = spark.read.parquet(table) if "/" in table else spark.table(table)
answered = slipway.spark.predict(rows, f"{model}/slipway.yaml").write.mode("overwrite")
answered.parquet(out) if "/" in out else answered.saveAsTable(out)
written = spark.read.parquet(out) if "/" in out else spark.table(out)
rejected = written.where("reason != ''").count()
print(f"{written.count() - rejected:,} rows answered, {rejected:,} rejected")
