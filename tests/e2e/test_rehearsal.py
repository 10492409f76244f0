"""What a rehearsal leaves behind: nothing."""

import pytest

from bundles import make_bundle
from images import build_release, checkout, push
from rehearsal.box import make_box
from rehearsal.registry import USER, make_registry
from servers import free_port
from swaps import request

pytestmark = pytest.mark.docker


def test_no_image_is_left_of_a_registry_and_its_box(docker, box_image, tmp_path):
    with make_registry(docker, "a-password", free_port()) as registry:
        docker("login", "--username", USER, "--password-stdin", registry.host, input=registry.password)
        repository = f"{registry.host}/gone"
        make_bundle(checkout(tmp_path), "regression", weights=[[8.0], [1.0], [2.0], [1.0]])
        build_release(docker, tmp_path, f"{repository}:1")
        with make_box(docker, repository, (registry.host, USER, registry.password)) as box:
            done = box.release(request(push(docker, f"{repository}:1"), 1))
            image = docker.inspect(box.releases()[0])["Image"]
            assert "Result" in done.stdout
    for wanted in (f"reference={registry.host}/*", "dangling=true"):
        assert image not in docker("image", "ls", "--filter", wanted, "--quiet", "--no-trunc").stdout.split()
