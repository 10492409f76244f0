"""The service of deploy/compose/compose.yaml, brought up, recreated and taken down by the engine's Compose."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from bundles import make_bundle
from conftest import absent
from images import ROOT, checkout
from servers import free_port
from slipway.store.local import LocalStore

pytestmark = pytest.mark.docker
DEADLINE = 120
PASSWORDS = ("MONGO_PASSWORD", "STORE_SECRET_KEY", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD")


@pytest.fixture(scope="module")
def program() -> list[str]:
    """Compose, as a plugin of the client or as a program of its own; many engines come without, hence .ci/engines."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    absent("Docker Compose: .ci/engines installs it", "SLIPWAY_E2E")


@pytest.fixture
def compose(docker, program, tmp_path) -> Iterator[Callable[..., str]]:
    """Compose in the folder of a repository with its own .env; what it made is gone afterwards."""
    folder, name = tmp_path / "deploy" / "compose", f"slipway-test-{secrets.token_hex(4)}"
    checkout(tmp_path)
    shutil.copytree(ROOT / "deploy" / "compose", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".env"))
    values = {"COMPOSE_PROJECT_NAME": name, "APP_PORT": free_port()} | {each: secrets.token_hex(8) for each in PASSWORDS}
    (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))

    def call(*arguments: str) -> str:
        done = subprocess.run([*program, *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call.port = values["APP_PORT"]
    yield call
    call("down", "--volumes", "--rmi", "local", "--timeout", "20")
    assert docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={name}").stdout == ""


def ready(port: int, digest: str) -> dict:
    """What /readyz says once it names this bundle."""
    deadline = time.monotonic() + DEADLINE
    while True:
        with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            said = json.load(answer)
            if said["bundle"] == digest:
                return said
        assert time.monotonic() < deadline, f"{port} does not name {digest}"
        time.sleep(0.2)


def test_the_service_comes_up_closed_is_recreated_with_a_new_model_and_leaves_nothing(docker, compose, tmp_path):
    store = LocalStore(tmp_path / "artifacts")
    first = make_bundle(store, "regression")
    compose("up", "--detach", "--build")
    assert ready(compose.port, first.digest)["status"] == "ready"
    container = compose("ps", "--quiet", "app").strip()
    host = docker.inspect(container)["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert [each["HostIp"] for each in host["PortBindings"]["8080/tcp"]] == ["127.0.0.1"]
    second = make_bundle(store, "regression", weights=[[1.0], [2.0], [3.0], [4.0]])
    compose("up", "--detach", "--build")
    ready(compose.port, second.digest)
    assert compose("ps", "--quiet", "app").strip() != container
