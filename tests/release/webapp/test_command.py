"""python -m slipway.release deploy webapp, as a workflow calls it: the standard library, and a program `az`."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from clouds import BUNDLE, request
from slipway.errors import ReleaseError
from slipway.release.webapp.record import Release
from slipway.release.webapp.web_release import deploy

ROOT = Path(__file__).resolve().parents[3]
AZ = """#!/usr/bin/env python3
import json, sys
from pathlib import Path
url = sys.argv[sys.argv.index("--url") + 1].partition("?")[0]
answers = json.loads((Path(__file__).parent / "answers.json").read_text())
print(json.dumps(answers[url.partition("/sites/insurance")[2]]))
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a champion, and an `az` beside it: run 9 is live."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/champion.json").write_text(json.dumps({"format": 2, "problem": "insurance", "digest": BUNDLE}))
    live = Release("0123456789ab", request(9), "registry.example/insurance", "")
    site = {"properties": {"defaultHostName": "insurance.example"}}
    settings = {"properties": live.app_settings() | {"SLIPWAY_API_KEYS": "secret"}}
    config = {"properties": {"linuxFxVersion": f"DOCKER|{live.image}"}}
    answers = {"": site, "/slots": {"value": []}, "/config/web": config, "/config/appsettings/list": settings}
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    (tmp_path / "az").write_text(AZ)
    (tmp_path / "az").chmod(0o755)
    return tmp_path


def run(folder: Path, text: str) -> subprocess.CompletedProcess:
    """The command, without the libraries of this environment."""
    call = ("deploy", "webapp", "insurance", "--repository", "registry.example/insurance", "--group", "slipway")
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")}
    command = (sys.executable, "-S", "-m", "slipway.release", *call)
    return subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=60)


def test_an_older_run_is_the_result_and_an_error_of_the_job(checkout):
    done = run(checkout, json.dumps(asdict(request(1))))
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[0].startswith("live: release 0123456789ab (run 9")
    assert "Result: FAILED: run 1 is older than run 9, which is live" in done.stdout
    assert "delete the app setting WEBAPP_RELEASE of insurance" in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_an_app_that_runs_no_container_is_refused(checkout):
    answers = json.loads((checkout / "answers.json").read_text())
    answers["/config/web"]["properties"]["linuxFxVersion"] = "PYTHON|3.11"
    (checkout / "answers.json").write_text(json.dumps(answers))
    done = run(checkout, json.dumps(asdict(request(10))))
    assert done.returncode == 7 and "the Web App insurance runs 'PYTHON|3.11', not one container" in done.stdout


@pytest.mark.parametrize(
    "name, group", [("a/b", "slipway"), ("-a", "slipway"), ("a" * 61, "slipway"), ("insurance", "a/b"), ("insurance", "a.")]
)
def test_a_name_that_would_be_another_address_is_refused(name, group):
    with pytest.raises(ReleaseError, match="cannot be the name of"):
        list(deploy(name, "registry.example/insurance", group, request(1), BUNDLE))
