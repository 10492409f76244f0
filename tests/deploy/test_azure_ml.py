"""deploy/azure-ml: a release on a managed online endpoint, against a workspace that keeps objects and answers."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import slipway
from az_commands import require_known
from azure_ml import Time, Workspace, answering
from slipway.errors import ReleaseError
from slipway.release.request import Request
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

FOLDER = Path(__file__).resolve().parents[2] / "deploy/azure-ml"
PROGRAM = SimpleNamespace(**runpy.run_path(str(FOLDER / "deploy.py"), run_name="deploy"))
IMAGE = "models.azurecr.io/insurance"


class Endpoint(PROGRAM.Endpoint):
    def __init__(self, workspace: Workspace, folder: Path) -> None:
        super().__init__("charges", "models", "insurance", folder)
        self.workspace = workspace

    def _run(self, *words: str) -> str:
        try:
            answer = self.workspace.az("ml", *words, *self._place)
        except RuntimeError as error:
            raise PROGRAM.AzError(str(error)) from error
        return ".." * (words[1] in ("update", "delete")) + json.dumps(answer)  # progress, in spite of --output json

    def _begin(self, *words: str) -> None:
        try:
            self._run(*words)
        except PROGRAM.AzError as error:
            self.workspace.refusal = str(error)

    def refusal(self, seconds: float = 0) -> str:
        ended = all(len(states) == 1 for states in self.workspace.states.values())
        return self.workspace.refusal if ended else ""


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace()
    with answering(made):
        yield made


@pytest.fixture
def release(workspace, tmp_path) -> Callable[..., list[str]]:
    """Release an image, named by a digit, as a run; what is said."""

    def make(run: int, digit: str, time: Time | None = None) -> list[str]:
        request = Request(f"sha256:{digit * 64}", digit * 64, digit * 40, run)
        image = f"{IMAGE}@{request.digest}"
        said = []
        try:
            for line in PROGRAM.Rollout(Endpoint(workspace, tmp_path), time or Time(), image, request, "b" * 64).steps():
                said.append(line)
        except ReleaseError as error:
            error.said = said
            raise
        return said

    return make


def live(workspace: Workspace) -> list[str]:
    return [name for name, share in workspace.traffic.items() if share]


def test_a_release_gets_traffic_once_it_answers_and_the_one_before_goes(workspace, release):
    assert release(1, "1")[-1] == f"Result: r1-11111111 ({IMAGE}@sha256:{'1' * 64}) is live"
    release(2, "2")
    assert live(workspace) == ["r2-22222222"]
    assert [name for name, states in workspace.states.items() if states[-1] != "Gone"] == ["r2-22222222"]
    created = workspace.documents["r2-22222222"]
    assert created["endpoint_name"] == "charges" and created["environment"]["image"] == f"{IMAGE}@sha256:{'2' * 64}"
    told = {"SLIPWAY_RELEASE": "r2-22222222", "SLIPWAY_COMMIT": "2" * 40, "SLIPWAY_TRUSTED_PROXIES": "1"}
    assert created["environment_variables"] == told
    asked = [deployment for path, deployment in workspace.asked if path == "/readyz"]
    assert asked[-10:] == ["r2-22222222"] * 5 + [""] * 5, "by its name before it has traffic, then as users ask"


def test_the_same_again_changes_nothing(workspace, release):
    release(1, "1")
    before = len(workspace.calls)
    assert release(1, "1")[-1].endswith("is already live")
    assert not {"ml online-deployment create", "ml online-endpoint update"} & set(workspace.calls[before:])


def test_a_revert_is_a_release_of_the_earlier_digest(workspace, release):
    release(1, "1")
    release(2, "2")
    release(3, "1")
    assert live(workspace) == ["r3-11111111"]


def test_an_older_run_is_refused(workspace, release):
    release(2, "2")
    before = dict(workspace.states)
    with pytest.raises(ReleaseError, match="run 1 is older than run 2, which is live") as caught:
        release(1, "1")
    assert "delete the endpoint and create it anew" in str(caught.value)
    assert (live(workspace), workspace.states) == (["r2-22222222"], before)


def test_an_older_run_that_took_longer_is_refused_before_it_gets_traffic(workspace, release):
    time = Time()
    pause = time.pause

    def overtaken(seconds: float) -> None:
        pause(seconds)
        workspace.states.setdefault("r9-99999999", ["Succeeded"])
        workspace.traffic = {"r9-99999999": 100}

    time.pause = overtaken
    with pytest.raises(ReleaseError, match="run 1 is older than run 9"):
        release(1, "1", time)
    assert live(workspace) == ["r9-99999999"] and workspace.states["r1-11111111"][-1] == "Gone"


@pytest.mark.parametrize(
    "fate, says",
    [
        ("crashing", "r2-22222222 ended as Failed: (OutOfQuota) Not enough quota available"),
        ("wrong", "r2-22222222 serves the bundle ffffffffffff, not bbbbbbbbbbbb"),
        ("deaf", "/readyz does not name r2-22222222 with its bundle after 300 s: 424 {}"),
    ],
)
def test_a_release_that_fails_leaves_what_served(workspace, release, fate, says):
    release(1, "1")
    getattr(workspace, fate).add("2")
    with pytest.raises(ReleaseError, match=re.escape(says)) as caught:
        release(2, "2")
    assert live(workspace) == ["r1-11111111"] and "live: r1-11111111" == caught.value.said[-1]
    assert workspace.states["r2-22222222"][-1] == "Gone", "it costs money"
    assert ("Traceback: no bundle" in caught.value.said) == (fate == "crashing")
    workspace.states.pop("r2-22222222")
    workspace.crashing, workspace.wrong, workspace.deaf = set(), set(), set()
    release(2, "2")
    assert live(workspace) == ["r2-22222222"]


def test_a_cancelled_job_leaves_what_served(workspace, release):
    release(1, "1")
    time = Time()
    time.ends = 20.0
    with pytest.raises(ReleaseError, match="cancelled"):
        release(2, "2", time)
    assert live(workspace) == ["r1-11111111"] and workspace.states["r2-22222222"][-1] == "Gone"


def test_what_an_earlier_attempt_left_is_taken_up(workspace, release):
    workspace.states["r1-11111111"] = ["Failed"]
    assert release(1, "1")[-1].endswith("is live")
    assert workspace.calls.count("ml online-deployment delete") == 1, "what failed is made anew"
    workspace.states["r2-22222222"] = ["Creating", "Succeeded"]
    workspace.documents["r2-22222222"] = {
        "environment": {"image": f"{IMAGE}@sha256:{'2' * 64}"},
        "environment_variables": {"SLIPWAY_RELEASE": "r2-22222222"},
    }
    release(2, "2")
    assert workspace.calls.count("ml online-deployment create") == 1, "what is being made is waited for"
    assert live(workspace) == ["r2-22222222"]


def test_what_azure_still_deletes_is_waited_for(workspace, release):
    workspace.states["r1-11111111"] = ["Deleting", "Deleting", "Gone"]
    assert release(1, "1")[-1].endswith("is live")
    assert workspace.calls.count("ml online-deployment delete") == 0


def test_a_deployment_of_somebody_else_stays(workspace, release):
    workspace.states["blue"] = ["Succeeded"]
    workspace.traffic = {"blue": 100}
    release(1, "1")
    assert live(workspace) == ["r1-11111111"] and "blue" in workspace.states


def test_a_call_that_fails_while_azure_works_ends_nothing(workspace, release):
    release(1, "1")
    time = Time()
    pause = time.pause

    def once(seconds: float) -> None:
        time.pause = pause
        workspace.refused = ["ml online-deployment list"]

    time.pause = once
    assert release(2, "2", time)[-1].endswith("is live") and not workspace.refused


def test_a_deployment_that_azure_refuses_is_not_waited_for(workspace, release):
    release(1, "1")
    workspace.refused, time = ["ml online-deployment create"], Time()
    with pytest.raises(ReleaseError, match=re.escape("r2-22222222 ended as Failed: (Conflict)")):
        release(2, "2", time)
    assert live(workspace) == ["r1-11111111"] and time.now() < 60


def test_an_earlier_release_that_cannot_be_deleted_fails_nothing(workspace, release):
    release(1, "1")
    workspace.refused = ["ml online-deployment delete"]
    said = release(2, "2")
    assert "may be left over until the next release, and is paid for: (Conflict)" in said[-2]
    release(3, "3")
    assert [states[-1] for name, states in workspace.states.items() if name != "r3-33333333"] == ["Gone", "Gone"]


def test_the_key_is_never_said(workspace, release):
    workspace.deaf.add("1")
    with pytest.raises(ReleaseError) as caught:
        release(1, "1")
    assert "a-secret-key" not in "\n".join([*caught.value.said, str(caught.value)])


def test_an_answer_that_is_no_json_fails_the_release_and_shows_no_key(workspace, release, monkeypatch):
    monkeypatch.setattr(Endpoint, "_run", lambda self, *words: '.{"primaryKey": "a-secret-key"}')
    with pytest.raises(ReleaseError, match="az ml online-endpoint show printed no JSON") as caught:
        release(1, "1")
    assert "a-secret-key" not in str(caught.value)


STAND_IN = """#!{python}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    print(" ".join(sys.argv[1:]), file=file)
if "create" in sys.argv:
    assert json.load(open(sys.argv[sys.argv.index("--file") + 1]))["name"] == "r1-11111111"
    print("....", end="")
    print("ERROR: (OutOfQuota) Not enough quota", file=sys.stderr)
    sys.exit(1)
if "show" in sys.argv:
    assert os.getsid(0) == os.getpid(), "a signal to the job reaches it"
    print("ERROR: (ResourceNotFound) The endpoint was not found", file=sys.stderr)
    sys.exit(3)
"""


def test_the_program_says_what_az_says(tmp_path):
    (tmp_path / "az").write_text(STAND_IN.format(python=sys.executable))
    (tmp_path / "az").chmod(0o755)
    LocalStore(tmp_path / "artifacts").point(Pointer("b" * 64, "charges"))
    request = {"digest": "sha256:" + "1" * 64, "key": "1" * 64, "commit": "1" * 40, "run_number": 1}
    done = subprocess.run(
        [sys.executable, FOLDER / "deploy.py", "charges", "--group", "g", "--workspace", "w", "--repository", IMAGE],
        input=json.dumps(request),
        env=os.environ
        | {"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")}
        | {"PYTHONPATH": str(Path(slipway.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 7, done.stderr
    said = "az ml online-endpoint show: ERROR: (ResourceNotFound) The endpoint was not found"
    assert done.stdout.startswith(f"Result: FAILED: {said}") and said in done.stderr
    call = "ml online-endpoint show --name charges --resource-group g --workspace-name w --output json --only-show-errors"
    assert (tmp_path / "calls").read_text().splitlines() == [call]


def test_what_azure_says_against_a_deployment_is_told(tmp_path, monkeypatch):
    (tmp_path / "az").write_text(STAND_IN.format(python=sys.executable))
    (tmp_path / "az").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    endpoint = PROGRAM.Endpoint("charges", "g", "w", tmp_path)
    assert endpoint.refusal() == ""
    endpoint.create({"name": "r1-11111111"})
    assert endpoint.refusal(60) == "ERROR: (OutOfQuota) Not enough quota"
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("ml online-deployment create --name r1-11111111 --endpoint-name charges --file ")
    require_known(call.split())


def document(name: str) -> dict:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


# The keys of Azure's schemas that these files may use (azure-ai-ml 1.35 loads both files).
ALLOWED = {
    "endpoint": {"$schema", "name", "auth_mode", "identity", "description", "tags"},
    "deployment": {
        "$schema",
        "name",
        "endpoint_name",
        "environment",
        "environment_variables",
        "instance_type",
        "instance_count",
    }
    | {"request_settings", "liveness_probe", "readiness_probe", "app_insights_enabled", "tags"},
    "environment": {"image", "inference_config"},
    "inference_config": {"liveness_route", "readiness_route", "scoring_route"},
    "request_settings": {"request_timeout_ms", "max_concurrent_requests_per_instance"},
    "liveness_probe": {"initial_delay", "period", "timeout", "success_threshold", "failure_threshold"},
}


def test_the_files_have_no_key_that_azure_does_not_know():
    deployment = document("deployment")
    assert set(document("endpoint")) <= ALLOWED["endpoint"] and document("endpoint")["identity"] == {"type": "system_assigned"}
    assert set(deployment) <= ALLOWED["deployment"]
    for name in ("environment", "request_settings", "liveness_probe"):
        assert set(deployment[name]) <= ALLOWED[name]
    assert set(deployment["readiness_probe"]) <= ALLOWED["liveness_probe"]
    routes = deployment["environment"]["inference_config"]
    assert set(routes) == ALLOWED["inference_config"]
    assert {name: route["path"] for name, route in routes.items()} == {
        "liveness_route": "/healthz",
        "readiness_route": "/readyz",
        "scoring_route": "/predict",
    }
    assert {route["port"] for route in routes.values()} == {8080}
    assert all(isinstance(value, str) for value in deployment["environment_variables"].values())
    assert deployment["request_settings"]["request_timeout_ms"] <= PROGRAM.DRAIN_SECONDS * 1000


def test_a_release_ends_before_its_job_does():
    longest = PROGRAM.CREATE_SECONDS + 2 * PROGRAM.READY_SECONDS + PROGRAM.DRAIN_SECONDS
    assert longest + 15 * 60 <= 60 * 60, "installing, and the calls of az themselves"
