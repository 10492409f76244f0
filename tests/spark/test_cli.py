"""slipway predict asks for Spark only where --spark does; what of it needs no cluster."""

import json
import os
import subprocess
import sys

import pytest

from bundles import make_bundle
from servers import DEADLINE, ROOT
from slipway.spark.job import default_rejects
from slipway.store.local import LocalStore


@pytest.fixture
def predict(tmp_path):
    """Call slipway predict in a fresh interpreter; what it ended with, and the modules that it had at the end."""
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    (tmp_path / "in.csv").write_text("age,bmi,smoker,joined\n19,27.9,yes,2020-01-01\n")

    def call(*arguments: str, before: str = "") -> tuple[subprocess.CompletedProcess, set[str]]:
        code = (
            f"import atexit, json, sys\n{before}\n"
            "atexit.register(lambda: open('modules.json', 'w').write(json.dumps([*sys.modules])))\n"
            "from slipway.cli import main\n"
            f"sys.argv = ['slipway', 'predict', *{arguments!r}]\nmain()"
        )
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=DEADLINE)
        return done, set(json.loads((tmp_path / "modules.json").read_text()))

    return call


def test_without_the_option_nothing_of_spark_is_loaded(predict):
    done, modules = predict("in.csv", "-o", "out.csv")
    assert done.returncode == 0
    assert not {name for name in modules if name.startswith(("pyspark", "py4j", "slipway.spark"))}


def test_without_pyspark_the_extra_is_named(predict):
    done, _ = predict("--spark", "local", "in", "-o", "out", before="sys.modules['pyspark'] = None")
    assert (done.returncode, done.stderr) == (4, "slipway: Spark is not installed. pip install 'slipway-ml[spark]'\n")


@pytest.mark.parametrize(
    "out, rejects",
    [
        ("scored.parquet", "scored.rejects.parquet"),
        ("hdfs:///lake/Scored.PARQUET", "hdfs:///lake/Scored.rejects.PARQUET"),
        ("s3a://lake/v1.2/scored/", "s3a://lake/v1.2/scored.rejects"),
        ("spark:lake.scored", "spark:lake.scored_rejects"),
        ("spark:lake.`what is scored`", "spark:lake.`what is scored_rejects`"),
        ("spark:/lake/scored", "spark:/lake/scored.rejects"),
    ],
)
def test_rejects_are_beside_out(out, rejects):
    assert default_rejects(out) == rejects
