"""A disk without a free byte: the services that are live answer all the same."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from bundles import ROWS
from images import push
from rehearsal.box import Box, make_box, neighbour
from rehearsal.traffic import traffic
from swaps import request

pytestmark = pytest.mark.docker
RATE = 60
FULL = ("/var/log/nginx", "/var/lib/nginx")  # all that nginx writes to, as small disks of their own


@pytest.fixture
def services(docker, registry, repository, releases) -> Iterator[list[Box]]:
    """Two services of one box that are live."""
    images = f"{registry.host}/churn"
    docker("pull", "--quiet", f"{repository}@{releases[0]}")
    docker("tag", f"{repository}@{releases[0]}", f"{images}:full")
    push(docker, f"{images}:full")
    docker("image", "rm", f"{images}:full")
    small = [part for folder in FULL for part in ("--tmpfs", f"{folder}:size=1m")]
    with make_box(docker, repository, (registry.host, "AWS", registry.password), *small, others={"churn": images}) as box:
        found = [box, neighbour(box, "churn", images)]
        for each in found:
            each.release(request(releases[0], 1))
        yield found


def test_whoever_fills_the_disk_leaves_the_others_answering(services):
    insurance, churn = services
    for folder in FULL:
        full = insurance.run("sh", "-c", f"cat /dev/zero > {folder}/full", check=False)
        assert "No space left" in full.stderr
    with (
        traffic("127.0.0.1", insurance.port, ROWS[0], RATE) as first,
        traffic("127.0.0.1", churn.port, ROWS[0], RATE, "/churn/predict") as second,
    ):
        for path in ("/predict", "/churn/predict"):
            assert ask(insurance.port, path, b" " * 200_000 + b"{}") == 422, "read as a whole, and refused for its fields"
    assert len(first.requests) > 0 < len(second.requests)
    assert first.failed == second.failed == []


def ask(port: int, path: str, body: bytes) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
