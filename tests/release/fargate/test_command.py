"""python -m slipway.release deploy fargate, as the workflow calls it: the standard library, and a program `aws`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from addresses import serve_answers
from clouds import BUNDLE, NAME, REPOSITORY, Cloud, answering, fargate, request

ROOT = Path(__file__).resolve().parents[3]
AWS = '#!/bin/sh\necho "$2" >> calls\nexec cat "$2.json"\n'
OPERATIONS = {
    "describe-services": ("--cluster", NAME, "--services", NAME),
    "describe-parameters": (),
    "describe-images": ("--image-ids", "imageTag=" + "a" * 64),
}


@pytest.fixture
def cloud() -> Cloud:
    """A service where run 1 is live."""
    cloud = Cloud()
    with answering(cloud):
        list(fargate(cloud).deploy(request(1)))
    return cloud


@pytest.fixture
def checkout(tmp_path, cloud):
    """A checkout of a commit whose bundle is live, with an `aws` beside it that answers as the cloud does."""
    (tmp_path / "artifacts").mkdir()
    pointer = {"format": 2, "problem": NAME, "digest": BUNDLE}
    (tmp_path / "artifacts/champion.json").write_text(json.dumps(pointer))
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "aws").chmod(0o755)
    return tmp_path


def answers(folder: Path, cloud: Cloud, address: str = "") -> None:
    """Write down what the cloud answers."""
    cloud.tags["slipway:url"] = address
    for operation, arguments in OPERATIONS.items():
        (folder / f"{operation}.json").write_text(json.dumps(cloud("any", operation, *arguments)))
    definition = cloud.definitions[cloud.deployments[0]["taskDefinition"]]
    (folder / "describe-task-definition.json").write_text(json.dumps({"taskDefinition": definition}))


@contextmanager
def run(folder: Path, **environ: str) -> Iterator[subprocess.Popen]:
    """The command, without the libraries of this environment."""
    command = (sys.executable, "-S", "-m", "slipway.release", "deploy", "fargate", NAME, "--repository", REPOSITORY)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), **environ}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def asked(run_number: int = 1) -> str:
    return json.dumps(asdict(request(run_number)))


def test_the_request_comes_on_standard_input_and_the_result_is_the_last_line(checkout, cloud):
    id = cloud.app()["dockerLabels"]["slipway.release"]
    with serve_answers([(200, {"status": "ready", "release": id, "bundle": BUNDLE})]) as server:
        answers(checkout, cloud, f"http://127.0.0.1:{server.server_port}")
        with run(checkout) as process:
            out, err = process.communicate(asked(), timeout=30)
    assert (process.returncode, err) == (0, "")
    assert re.fullmatch(rf"Result: release {id} \(run 1, .*\) is already live \(.* s\)", out.splitlines()[-1])
    called = (checkout / "calls").read_text().split()
    assert "register-task-definition" not in called and "update-service" not in called


def test_a_failure_is_the_result_and_an_error_of_the_job(checkout, cloud):
    cloud.app()["dockerLabels"]["slipway.run"] = "9"
    answers(checkout, cloud)
    with run(checkout, GITHUB_ACTIONS="true") as process:
        out, err = process.communicate(asked(), timeout=30)
    assert process.returncode == 7
    assert out.splitlines()[-1].startswith("Result: FAILED: run 1 is older than run 9")
    assert err.startswith("::error::run 1 is older than run 9")


@pytest.mark.parametrize("text", ["", "{}", asked() + " " * 5_000])
def test_a_request_of_another_form_calls_nothing(checkout, text):
    with run(checkout) as process:
        out, _ = process.communicate(text, timeout=30)
    assert process.returncode == 7 and out.startswith("Result: FAILED: the request ")
    assert not (checkout / "calls").exists()


def test_a_commit_without_a_champion_is_not_released(checkout):
    (checkout / "artifacts/champion.json").unlink()
    with run(checkout) as process:
        out, _ = process.communicate(asked(), timeout=30)
    assert process.returncode == 7 and "Result: FAILED: this commit has no champion" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_ends_at_once_and_says_what_ecs_goes_on_doing(checkout, cloud, number):
    cloud.deployments[0] |= {"rolloutState": "IN_PROGRESS", "runningCount": 1}
    answers(checkout, cloud)
    with run(checkout) as process:
        process.stdin.write(asked())
        process.stdin.close()
        process.stdin = None
        while "1 of 2 tasks running" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 7
    assert "Result: FAILED: cancelled while ECS rolls out release" in out and "ECS goes on" in out


def test_a_step_of_the_workflow_that_is_cancelled_ends_with_the_program_s_last_words(checkout, cloud):
    """The shell as GitHub starts it: a signal reaches its process, and none that it started."""
    cloud.deployments[0] |= {"rolloutState": "IN_PROGRESS", "runningCount": 1}
    answers(checkout, cloud)
    (checkout / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    (checkout / "python3").chmod(0o755)
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yaml").read_text())["jobs"]
    (checkout / "step.sh").write_text(jobs["fargate"]["steps"][-1]["run"])
    wanted = request(1)
    host, _, name = REPOSITORY.partition("/")
    environ = {
        "PATH": f"{checkout}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "src"),
        "RUNNER_TEMP": str(checkout),
        "GITHUB_STEP_SUMMARY": str(checkout / "summary.md"),
        "GITHUB_RUN_NUMBER": str(wanted.run_number),
        "STAGE": "production",
        "REGISTRY": host,
        "REPOSITORY": name,
        "DIGEST": wanted.digest,
        "KEY": wanted.key,
        "COMMIT": wanted.commit,
    }
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh")
    with subprocess.Popen(command, cwd=checkout, env=environ, text=True, stdout=subprocess.PIPE) as process:
        try:
            while "1 of 2 tasks running" not in (line := process.stdout.readline()):
                assert line
            os.kill(process.pid, signal.SIGINT)
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 7 and "Result: FAILED: cancelled while ECS rolls out release" in out
    assert (checkout / "summary.md").read_text().startswith("FAILED: cancelled while ECS rolls out release")
