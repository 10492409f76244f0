"""A changed template meets a live release: what is released stays, the rest is the template's."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.release.fargate.parameters import Settings
from slipway.release.fargate.revision import Release, next_revision

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "deploy/fargate/carry_over.py"
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/slipway"
RELEASED = f"{REPOSITORY}@sha256:{'a' * 64}"
OWN = [
    {"name": "SLIPWAY_RELEASE", "value": "0123456789ab-7"},
    {"name": "SLIPWAY_COMMIT", "value": "c" * 40},
    {"name": "SLIPWAY_TRUSTED_PROXIES", "value": "1"},
]
SECRETS = [{"name": "SLIPWAY_API_KEYS", "valueFrom": "/slipway/slipway/SLIPWAY_API_KEYS"}]
LABELS = {"slipway.release": "0123456789ab-7", "slipway.run": "7"}
LOG = {"name": "SLIPWAY_LOG", "value": "/var/log/slipway"}


def definition(revision: int, containers: list[dict], **more) -> dict:
    return {
        "taskDefinitionArn": f"arn:aws:ecs:eu-west-1:123456789012:task-definition/slipway:{revision}",
        "revision": revision,
        "status": "ACTIVE",
        "registeredAt": f"2026-11-22T10:00:0{revision}",
        "family": "slipway",
        "cpu": "512",
        "memory": "1024",
        "containerDefinitions": containers,
    } | more


def container(name: str, image: str, **more) -> dict:
    return {"name": name, "image": image, "environment": [], "mountPoints": [], "volumesFrom": []} | more


@pytest.fixture
def base() -> dict:
    image = f"{REPOSITORY}:unreleased"
    return definition(3, [container("prepare", image, user="0"), container("app", image, user="10001")])


@pytest.fixture
def live() -> dict:
    """As the release makes it of this base."""
    app = container("app", RELEASED, user="10001", environment=OWN, secrets=SECRETS, dockerLabels=LABELS)
    return definition(9, [container("prepare", RELEASED, user="0"), app])


@pytest.fixture
def carry_over(tmp_path):
    def run(base: dict, live: dict) -> dict | None:
        for name, given in (("base", base), ("live", live)):
            (tmp_path / name).write_text(json.dumps(given))
        command = [sys.executable, PROGRAM, tmp_path / "base", tmp_path / "live"]
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout) if done.stdout else None

    return run


def test_what_is_like_that_already_is_not_rolled_out_again(carry_over, base, live):
    assert carry_over(base, live) is None
    reordered = copy.deepcopy(live)
    reordered["containerDefinitions"][1]["environment"].reverse()
    reordered["containerDefinitions"].reverse()
    del reordered["containerDefinitions"][0]["volumesFrom"]
    assert carry_over(base, reordered) is None, "ECS may list it otherwise"


@pytest.mark.parametrize("proxies", [0, 1])
def test_what_the_release_makes_of_the_base_is_not_rolled_out_again(carry_over, base, proxies):
    base["containerDefinitions"][1]["environment"] = [LOG]
    settings = Settings("/slipway/slipway/", ("SLIPWAY_API_KEYS",), "mark")
    release = Release("0123456789ab", f"sha256:{'a' * 64}", "c" * 40, "e" * 64, 7, settings.mark)
    released = next_revision(base, release, REPOSITORY, settings, proxies)
    assert carry_over(base, released) is None
    assert carry_over(base | {"memory": "2048"}, released) == released | {"memory": "2048"}


def test_a_larger_task_and_a_log_keep_the_release_its_settings_and_its_labels(carry_over, base, live):
    prepare, app = base["containerDefinitions"]
    app["environment"] = [LOG]
    log = container("log", prepare["image"], user="10001", environment=[{"name": "AWS_REGION", "value": "eu-west-1"}])
    foreign = container("proxy", "public.ecr.aws/other/proxy:1")
    made = carry_over(base | {"memory": "2048", "containerDefinitions": [prepare, log, app, foreign]}, live)
    found = {each["name"]: each for each in made["containerDefinitions"]}
    assert made["memory"] == "2048" and made["family"] == "slipway"
    assert {name: each["image"] for name, each in found.items()} == {
        "prepare": RELEASED,
        "log": RELEASED,
        "app": RELEASED,
        "proxy": "public.ecr.aws/other/proxy:1",
    }
    assert found["app"]["environment"] == [LOG, *OWN]
    assert (found["app"]["secrets"], found["app"]["dockerLabels"]) == (SECRETS, LABELS)
    assert found["log"]["environment"] == log["environment"] and "dockerLabels" not in found["log"]
    assert not {"taskDefinitionArn", "revision", "status", "registeredAt"} & set(made), "what ECS does not take back"


def test_what_the_template_has_no_longer_goes(carry_over, base, live):
    live["containerDefinitions"][1]["environment"] = [LOG, *OWN]
    live["containerDefinitions"].append(container("log", RELEASED))
    made = carry_over(base, live)
    assert [each["name"] for each in made["containerDefinitions"]] == ["prepare", "app"]
    assert made["containerDefinitions"][1]["environment"] == OWN
