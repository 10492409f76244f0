"""The container that ships the log of a task: whatever ends the task in order, every row is in the bucket before."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import s3
from servers import DEADLINE
from slipway.model.event import CLOSED, OPEN, RAW
from task_role import serve_role

# The log that the app writes, by the class that it writes it with: a line of input is a line of the log.
APP = """
import sys
from pathlib import Path
from types import SimpleNamespace
from slipway.model.event_log import EventLog
nothing = lambda *_: None
counts = SimpleNamespace(count_logged=nothing, count_dropped=nothing, note_synced=nothing)
log = EventLog(Path(sys.argv[1]), "d" * 64, "r1", 1 << 30, counts)
for line in sys.stdin:
    log.write(line.encode(), 1)
    print("written", flush=True)
log.close()
"""
SHIPPER = """
import os, sys
from pathlib import Path
from slipway.release.fargate.log_shipper import keep_shipping
os.geteuid = lambda: 10001  # of the container: there are no rights to give up
sys.exit(keep_shipping(Path(sys.argv[1]), sys.argv[2], os.environ, float(sys.argv[3]), float(sys.argv[4])))
"""


@pytest.fixture
def role() -> Iterator[str]:
    """The address of a task's credentials."""
    with serve_role() as url:
        yield url


class Task:
    """An app and its shipper over one folder."""

    def __init__(self, log: Path, remote: str, environ: dict[str, str]) -> None:
        self.log, self.remote = log, remote
        self.environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | environ
        self.started: list[subprocess.Popen] = []
        self.app = self.run(APP, log)

    def run(self, program: str, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        pipe = subprocess.PIPE
        self.started.append(subprocess.Popen(command, env=self.environ, text=True, stdin=pipe, stdout=pipe))
        return self.started[-1]

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def write(self, line: str) -> None:
        self.app.stdin.write(f"{line}\n")
        self.app.stdin.flush()
        assert self.app.stdout.readline() == "written\n"

    def ship(self, pause: float = 600, last: float = DEADLINE) -> subprocess.Popen:
        return self.run(SHIPPER, self.log, self.remote, pause, last)

    def close(self) -> None:
        self.app.stdin.close()
        self.app.wait(DEADLINE)

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.log / RAW).rglob("*") if path.is_file())


@pytest.fixture
def task(bucket, role, tmp_path) -> Iterator[Task]:
    own = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": role, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": bucket.proxy.url}
    made = Task(tmp_path, f"s3://{bucket.name}/artifacts", own)
    yield made
    made.end()


def arrived(bucket) -> bytes:
    found = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix="artifacts/log/raw/").get("Contents", [])
    return b"".join(bucket.client.get_object(Bucket=bucket.name, Key=each["Key"])["Body"].read() for each in found)


def stop(process: subprocess.Popen) -> None:
    """SIGTERM, as soon as it is not the end at once."""
    assert process.stdout.readline().startswith("shipping what is in")
    process.send_signal(signal.SIGTERM)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool]) -> None:
        ticks, deadline = threading.Event(), time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            ticks.wait(0.01)

    return wait


def test_after_the_app_has_ended_all_of_its_rows_are_sent_and_none_is_asked_for(task, bucket):
    task.write("one")
    task.close()
    shipper = task.ship()
    stop(shipper)
    said = shipper.stdout.read()
    shipper.wait(DEADLINE)
    assert (shipper.returncode, arrived(bucket), task.files()) == (0, b"one\n", [])
    assert "shipped 1 files of the prediction log" in said
    assert {call.kind for call in bucket.proxy.calls} == {"put"}, "its role may do nothing else"


def test_of_both_stopped_at_once_it_waits_for_the_app_to_close_its_file(task, bucket):
    task.write("one")
    shipper = task.ship()
    stop(shipper)
    task.write("two")
    assert shipper.poll() is None and task.files()[0].endswith(OPEN)
    task.close()
    assert (shipper.wait(DEADLINE), arrived(bucket), task.files()) == (0, b"one\ntwo\n", [])


def test_rows_of_an_app_that_was_killed_are_sent(task, bucket):
    task.write("one")
    task.app.kill()
    task.app.wait()
    assert task.files()[0].endswith(OPEN)
    shipper = task.ship()
    stop(shipper)
    assert (shipper.wait(DEADLINE), arrived(bucket), task.files()) == (0, b"one\n", [])


def test_meanwhile_it_sends_what_is_closed_and_leaves_what_is_written(task, bucket, until):
    task.write("open")
    [path] = (task.log / RAW).rglob(f"*{OPEN}")
    path.with_name(f"earlier{CLOSED}").write_bytes(b"closed\n")
    shipper = task.ship(pause=0.2)
    until(lambda: arrived(bucket) == b"closed\n")
    until(lambda: task.files() == [path.name])  # deleted once it has arrived
    task.close()
    stop(shipper)
    assert shipper.wait(DEADLINE) == 0 and sorted(arrived(bucket).splitlines()) == [b"closed", b"open"]


def test_a_bucket_that_refuses_for_a_while_is_asked_again(task, bucket):
    task.write("one")
    task.close()
    bucket.proxy.fault = lambda call, forward: s3.SLOW_DOWN if call.number < 3 else None
    shipper = task.ship()
    stop(shipper)
    said = shipper.stdout.read()
    shipper.wait(DEADLINE)
    assert (shipper.returncode, arrived(bucket)) == (0, b"one\n")
    assert said.count("S3 refused (503 SlowDown)") == 2


def test_what_cannot_be_sent_in_time_is_said_to_be_lost(task, bucket):
    task.write("one")
    task.close()
    bucket.proxy.fault = lambda call, forward: s3.DENIED
    shipper = task.ship(last=2)
    stop(shipper)
    said = shipper.stdout.read()
    shipper.wait(DEADLINE)
    assert "403 AccessDenied). Give the role of this box or task s3:PutObject" in said, "it is no box"
    assert shipper.returncode == 1 and "1 files of the prediction log end with this task and are lost" in said


def test_without_rows_it_ends_at_once(task, bucket):
    task.close()
    shipper = task.ship()
    stop(shipper)
    assert shipper.wait(DEADLINE) == 0 and bucket.proxy.calls == []


def test_the_last_shipment_ends_before_the_container_is_killed():
    import yaml

    from slipway.release.fargate import log_shipper

    class Plain(yaml.SafeLoader):
        pass

    Plain.add_multi_constructor(
        "!", lambda loader, suffix, node: None if node.id != "sequence" else loader.construct_sequence(node, True)
    )
    template = Path(__file__).resolve().parents[3] / "deploy/fargate/service.yaml"
    containers = yaml.load(template.read_text(), Plain)["Resources"]["Base"]["Properties"]["ContainerDefinitions"]
    [log] = [each[1] for each in containers if isinstance(each, list)]
    assert log["Name"] == "log" and log["StopTimeout"] >= log_shipper.LAST + 10
