"""The pages on managed Spark: their commands are checked as documents, since they need an account."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from servers import free_port

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("databricks", "emr-serverless", "dataproc")}
JOB = "examples/spark/score.py"


def blocks(page: str, language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.S))


def commands(page: str, program: str) -> list[list[str]]:
    """The calls of a program, as a shell would split them."""
    lines = re.split(r"\n(?=\S)", blocks(page, "sh").replace("\\\n", " "))
    calls = [shlex.split(line) for line in re.findall(rf"^{program} .*?(?=^(?:\w+ )|\Z)", "\n".join(lines), re.S | re.M)]
    assert calls
    return calls


@pytest.mark.parametrize("page", PAGES)
def test_each_says_that_it_was_not_run_and_submits_the_job_that_is(page):
    assert re.search(r"^\*\*Not run on ", PAGES[page], re.M)
    assert f"(../{JOB})" in PAGES[page] and "score.py" in blocks(page, "sh")
    assert (ROOT / JOB).is_file()


def test_the_aws_cli_knows_every_parameter(tmp_path):
    """It checks them against Amazon's own description of the service, before it finds that there is no server."""
    server = ["--endpoint-url", f"http://127.0.0.1:{free_port()}", "--no-sign-request"]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    for call in commands("emr-serverless", "aws emr-serverless"):
        command = [Path(sys.executable).parent / "aws", *call[1:], *server]
        done = subprocess.run(command, capture_output=True, text=True, env=environ)
        assert "Could not connect to the endpoint URL" in done.stderr, done.stderr


def test_what_emr_serverless_submits_names_the_python_of_the_image_for_all_that_run():
    [start] = [call for call in commands("emr-serverless", "aws") if "start-job-run" in call]
    submitted = json.loads(start[start.index("--job-driver") + 1])["sparkSubmit"]
    settings = dict(each.split("=") for each in submitted["sparkSubmitParameters"].split() if "=" in each)
    assert set(settings) == {
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON",
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
        "spark.executorEnv.PYSPARK_PYTHON",
    }
    [python] = set(settings.values())
    assert f"{Path(python).parent}/pip install" in blocks("emr-serverless", "dockerfile")
    assert submitted["entryPointArguments"][0] == "/opt/model"


@pytest.mark.parametrize("page", ["emr-serverless", "dataproc"])
def test_an_image_has_the_model_where_the_job_looks_and_no_spark_of_its_own(page):
    image = blocks(page, "dockerfile")
    copied = dict(re.findall(r"^COPY (\S+) (/opt/model\S*)$", image, re.M))
    assert copied == {
        "slipway.yaml": "/opt/model/",
        "artifacts/champion.json": "/opt/model/artifacts/",
        "artifacts/bundles": "/opt/model/artifacts/bundles",
    }
    assert "slipway-ml[" not in image and "pyspark" not in image
    assert image.rstrip().splitlines()[-1].startswith("USER ")


def test_the_job_of_databricks_is_json_with_one_task_that_has_the_library():
    [task] = json.loads(blocks("databricks", "json"))["tasks"]
    assert task["spark_python_task"]["python_file"].endswith("/score.py")
    assert len(task["spark_python_task"]["parameters"]) == 3
    [library] = task["libraries"]
    assert library["whl"].rpartition("/")[2] in blocks("databricks", "sh")


def test_the_arguments_of_the_job_of_dataproc_come_after_all_options():
    [submit] = commands("dataproc", "gcloud")
    options, arguments = submit[: submit.index("--")], submit[submit.index("--") + 1 :]
    assert options[:6] == ["gcloud", "dataproc", "batches", "submit", "pyspark", "score.py"]
    known = {"batch", "container-image", "deps-bucket", "region", "version"}
    assert {each[2:].partition("=")[0] for each in options[6:]} == known
    assert len(arguments) == 3 and arguments[0] == "/opt/model"
