"""The image, built and run by a Docker engine, as careful people run one: read-only, without rights."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import ROWS, make_bundle
from images import BASE, checkout, derive, push
from lambda_api import runtime_api
from rehearsal.containers import Docker
from rehearsal.project import Project, name_base
from servers import DEADLINE
from slipway.release.image.key import release_key
from slipway.serving.offline.web_runtime import KINDS, NAME, packed

pytestmark = pytest.mark.docker
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def image(docker, tmp_path_factory) -> Iterator[str]:
    """An image with a champion, from a store that holds another bundle too."""
    folder = tmp_path_factory.mktemp("image")
    store = checkout(folder)
    make_bundle(store, "binary", promote=False)
    make_bundle(store, "regression")
    tag = f"slipway-test:{os.getpid()}"
    docker("build", "--tag", tag, folder)
    yield tag
    docker("image", "rm", "--force", tag)


@pytest.fixture
def container(docker, image) -> Iterator[str]:
    """A container that answers, on a port other than the usual."""
    name = docker(
        "run",
        "--detach",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--env",
        "PORT=9000",
        "--publish",
        "127.0.0.1::9000",
        image,
    ).stdout.strip()
    try:
        wait_until_ready(docker, name)
        yield name
    finally:
        docker("rm", "--force", name)


def wait_until_ready(docker: Docker, name: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            assert call(docker, name, "/readyz").status == 200
            return
        except (urllib.error.URLError, ConnectionError):
            running = docker.inspect(name)["State"]["Running"]
            assert running and time.monotonic() < deadline, docker("logs", name).stderr
            time.sleep(0.05)


def call(docker: Docker, name: str, path: str, body: object = None):
    address = docker("port", name, "9000/tcp").stdout.split()[0]
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        answer.document = json.load(answer)
        return answer


def test_without_a_champion_the_build_stops_and_says_what_to_run(docker, tmp_path):
    checkout(tmp_path)
    done = docker("build", tmp_path, check=False)
    assert done.returncode != 0
    assert "no champion" in done.stderr and "Run slipway train" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_a_damaged_bundle_the_build_stops(docker, tmp_path):
    bundle = make_bundle(checkout(tmp_path), "regression")
    path = bundle.folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    done = docker("build", tmp_path, check=False)
    assert done.returncode != 0
    assert "model.onnx" in done.stderr and "Traceback" not in done.stderr


def test_it_answers_read_only_and_without_rights(docker, container):
    answer = call(docker, container, "/predict", ROWS[0]).document
    assert isinstance(answer["prediction"], float)
    champion = docker("exec", container, "cat", "artifacts/champion.json").stdout
    assert answer["bundle"] == json.loads(champion)["digest"]
    assert docker("exec", container, "id", "--user").stdout.strip() == "10001"


def test_it_holds_the_champion_alone_and_no_training_library(docker, container):
    bundles = docker("exec", container, "ls", "artifacts/bundles").stdout.split()
    assert bundles == [call(docker, container, "/predict", ROWS[0]).document["bundle"]]
    names = ("pandas", "sklearn", "onnx", "pip")
    look = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    found = docker("exec", container, "/venv/bin/python", "-I", "-c", look).stdout.strip()
    assert found == "[]"


def test_its_health_check_passes_on_another_port(docker, container):
    kind, *command = docker.inspect(container)["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    docker("exec", container, *command)


def test_it_stops_gracefully(docker, container):
    call(docker, container, "/predict", ROWS)
    docker("stop", container)
    assert docker.inspect(container)["State"]["ExitCode"] == 0, docker("logs", container).stderr
    assert "Traceback" not in docker("logs", container).stderr


@pytest.mark.parametrize("user", ["0", "10001", "4711:4711"])
def test_sagemaker_starts_it_as_any_user_and_stops_it_in_time(docker, image, user):
    safe = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", user)
    name = docker(
        "run", "--detach", *safe, "--env", "PORT=9000", "--publish", "127.0.0.1::9000", image, "serve"
    ).stdout.strip()
    try:
        wait_until_ready(docker, name)
        expected = {"predictions": [{"prediction": call(docker, name, "/predict", ROWS[0]).document["prediction"]}]}
        assert call(docker, name, "/invocations", {"instances": ROWS[:1]}).document == expected
        docker("stop", "--time", "30", name)  # and then kills it, which is another exit code
        assert docker.inspect(name)["State"]["ExitCode"] == 0
    finally:
        docker("rm", "--force", name)


def test_lambda_starts_it_read_only_as_any_user(docker, image):
    safe = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "993:990", "--network", "host", "--shm-size", "0")
    with runtime_api() as api:
        given = ("--env", f"AWS_LAMBDA_RUNTIME_API={api.address}")
        name = docker("run", "--detach", *safe, *given, image, "lambda").stdout.strip()
        try:
            answer = api.call("POST", "/predict", json.dumps(ROWS[0]), content_type="application/json")
            assert answer["statusCode"] == 200 and isinstance(json.loads(answer["body"])["prediction"], float)
            assert api.call("GET", "/readyz")["statusCode"] == 200
            assert docker("logs", name).stderr == ""
        finally:
            docker("rm", "--force", name)


def test_it_is_small(docker, image):
    assert docker.inspect(image)["Size"] - docker.inspect(BASE)["Size"] <= 250 * MEGABYTE


@pytest.fixture(scope="module")
def offline_image(docker, tmp_path_factory) -> Iterator[str]:
    """An image whose form answers offline; its build fetches onnxruntime-web from the npm registry."""
    folder = tmp_path_factory.mktemp("offline")
    make_bundle(checkout(folder), "regression")
    with (folder / "slipway.yaml").open("a") as file:
        file.write("serving: {offline: true}\n")
    tag = f"slipway-offline:{os.getpid()}"
    docker("build", "--tag", tag, folder)
    yield tag
    docker("image", "rm", "--force", tag)


def test_for_a_form_that_answers_offline_it_holds_the_runtime_and_little_more(docker, image, offline_image):
    names = docker("run", "--rm", offline_image, "ls", f"artifacts/{NAME}").stdout.split()
    assert names == sorted(packed(Path(), name).name for name in KINDS)
    assert docker("run", "--rm", image, "ls", "artifacts").stdout.split() == ["bundles", "champion.json", "verdict.json"]
    assert docker.inspect(offline_image)["Size"] - docker.inspect(image)["Size"] <= 4 * MEGABYTE
    refused = docker("run", "--rm", "--env", "SLIPWAY_API_KEYS=key", offline_image, check=False)
    assert refused.returncode == 6 and "exclude each other" in refused.stderr


def test_a_newer_digest_of_the_base_gives_another_key_and_its_revert_the_first_one(docker, registry, tmp_path):
    """What a pull request of Dependabot changes, played with two base images of our own."""
    bases = []
    for number in ("1", "2"):
        name = f"{registry.host}/base:3.11-slim"
        (tmp_path / number).mkdir()
        derive(docker, tmp_path / number, name, BASE, f"RUN echo {number} > /base")
        bases.append(f"{name}@{push(docker, name)}")
    folder = tmp_path / "project"
    make_bundle(checkout(folder), "regression")
    project = Project(folder)
    project.git("init", "--quiet", "--initial-branch", "main")
    keys = []
    for number, base in zip(("1", "2"), bases, strict=True):
        name_base(folder, base)
        project.commit(f"Base {number}")
        keys.append(release_key(folder))
        tag = f"slipway-base:{os.getpid()}"
        docker("build", "--target", "champion", "--tag", tag, folder)
        assert docker("run", "--rm", tag, "cat", "/base").stdout.strip() == number
        docker("image", "rm", "--force", tag)
    assert keys[0] != keys[1]
    project.git("revert", "--no-edit", "HEAD")
    assert release_key(folder) == keys[0]
