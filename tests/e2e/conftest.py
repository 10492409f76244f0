"""The engine; without one the tests are skipped, unless SLIPWAY_E2E=required."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import make_bundle
from conftest import absent
from images import build_release, checkout, push
from rehearsal.box import Box, build_box, make_box
from rehearsal.containers import Docker
from rehearsal.registry import Registry, make_registry
from servers import free_port

NAME = "insurance"
WEIGHTS = [[[250.0 + change], [30.0], [23000.0], [1.0]] for change in range(3)]


@pytest.fixture(scope="session")
def docker(tmp_path_factory) -> Iterator[Docker]:
    """The engine's client, with settings of its own."""
    before = os.environ.get("DOCKER_CONFIG")
    os.environ["DOCKER_CONFIG"] = str(tmp_path_factory.mktemp("docker"))
    if not Docker().reachable():
        absent("a running Docker engine", "SLIPWAY_E2E")
    yield Docker()
    os.environ.pop("DOCKER_CONFIG") if before is None else os.environ.update(DOCKER_CONFIG=before)


@pytest.fixture(scope="session")
def box_image(docker) -> str:
    return build_box(docker)


@pytest.fixture(scope="session")
def registry(docker, box_image) -> Iterator[Registry]:
    """A registry that this machine is logged in at."""
    with make_registry(docker, secrets.token_hex(16), free_port()) as registry:
        docker("login", "--username", "AWS", "--password-stdin", registry.host, input=registry.password)
        yield registry


@pytest.fixture(scope="session")
def repository(registry) -> str:
    return f"{registry.host}/{NAME}"


@pytest.fixture(scope="session")
def releases(docker, repository, tmp_path_factory) -> list[str]:
    """Digests of three images that differ in their model."""
    digests = []
    for number, weights in enumerate(WEIGHTS):
        folder: Path = tmp_path_factory.mktemp("release")
        make_bundle(checkout(folder), "regression", weights=weights)
        build_release(docker, folder, f"{repository}:good-{number}")
        digests.append(push(docker, f"{repository}:good-{number}"))
    return digests


@pytest.fixture
def box(docker, registry, repository) -> Iterator[Box]:
    """An empty box that may pull from the registry."""
    with make_box(docker, repository, (registry.host, "AWS", registry.password)) as box:
        yield box
