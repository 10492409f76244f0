"""A task on Fargate, as far as Docker has it: its volumes belong to root, and its log is shipped when it is stopped.

`prepare` and `log` are run as deploy/fargate/service.yaml has them; no ECS runs them, and their order is the test's own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import slipway
from task_role import serve_role

pytestmark = pytest.mark.docker
IMAGE = "python:3.11-slim"  # the log's container needs the standard library and Slipway's own files
ROW = "mkdir -p {0} && echo row > {0}/r1-c0ffee00-1.jsonl.open && touch /tmp/written"


@pytest.fixture
def environ(bucket) -> Iterator[list[str]]:
    """What ECS gives to a container, as options of docker run."""
    with serve_role() as url:
        given = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_ENDPOINT_URL": bucket.proxy.url,
            "AWS_REGION": "us-east-1",
            "PYTHONPATH": "/app/src",
        }
        yield [each for name, value in given.items() for each in ("--env", f"{name}={value}")]


@pytest.fixture
def task(docker) -> Iterator[list[str]]:
    """Options that the containers of a task share: two new volumes that belong to root, and no rights."""
    volumes = [docker("volume", "create").stdout.strip() for _ in range(2)]
    mounts = [f"type=volume,source={volumes[0]},target=/tmp", f"type=volume,source={volumes[1]},target=/var/log/slipway"]
    source = f"type=bind,source={Path(slipway.__file__).parents[1]},target=/app/src,readonly"
    options = [each for mount in mounts for each in ("--mount", f"{mount},volume-nocopy")]
    yield [*options, "--mount", source, "--read-only", "--cap-drop", "ALL", "--network", "host"]
    docker("volume", "rm", "--force", *volumes)


def test_rows_of_a_task_are_in_the_bucket_when_it_was_stopped(docker, task, environ, bucket):
    folder = "/var/log/slipway/raw/date=2026-11-22/bundle=8821177e2697"
    docker("run", "--rm", "--user", "0", *task, IMAGE, "chmod", "1777", "/tmp", "/var/log/slipway")
    docker("run", "--rm", "--user", "10001", *task, IMAGE, "sh", "-c", ROW.format(folder))
    command = ["python", "-m", "slipway.release.fargate.log_shipper", "/var/log/slipway", f"s3://{bucket.name}/artifacts"]
    with docker.running("--user", "10001", "--memory", "128m", *task, *environ, IMAGE, *command) as log:
        said = (docker("logs", log).stdout for _ in range(1_000))
        next(text for text in said if "shipping what is in" in text)
        docker("stop", "--time", "60", log)
        assert docker.inspect(log)["State"]["ExitCode"] == 0
        assert "shipped 1 files of the prediction log" in docker("logs", log).stdout
    [found] = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert found["Key"] == "artifacts/log/raw/date=2026-11-22/bundle=8821177e2697/r1-c0ffee00-1.jsonl"
    assert bucket.client.get_object(Bucket=bucket.name, Key=found["Key"])["Body"].read() == b"row\n"
