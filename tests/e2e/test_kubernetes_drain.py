"""A pod ends under traffic as the kubelet ends it: leave the load balancer, sleep, SIGTERM, SIGKILL after the grace period.

The container gets from Docker what the manifest gives the pod. A load balancer sends it new requests for half of the sleep
after it has left, because word travels slowly from the API to kube-proxy or to the balancer of a cloud.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bundles import ROWS, make_bundle
from images import checkout
from kube import only, overlay
from rehearsal.containers import Docker
from rehearsal.load_balancer import LoadBalancer, make_load_balancer
from rehearsal.target_group import Checks
from rehearsal.traffic import Traffic, traffic
from servers import DEADLINE

pytestmark = pytest.mark.docker
POD = only(overlay("base"), "Deployment")["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
PRE_STOP = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
CHECKS = Checks(CONTAINER["readinessProbe"]["httpGet"]["path"], interval=0.2, delay=30, lag=PRE_STOP / 2)


@pytest.fixture(scope="module")
def image(docker, tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    make_bundle(checkout(folder), "regression")
    tag = f"slipway-pod:{os.getpid()}"
    docker("build", "--tag", tag, folder)
    yield tag
    docker("image", "rm", "--force", tag)


def arguments(release: str, image: str) -> list[str]:
    """Of docker run, as the manifest has them."""
    assert CONTAINER["securityContext"].items() >= {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}.items()
    environment = {each["name"]: each.get("value", release) for each in CONTAINER["env"]}
    (port,) = (each["containerPort"] for each in CONTAINER["ports"])
    limit = CONTAINER["resources"]["limits"]["memory"].replace("Mi", "m")
    return [
        "--read-only",
        *("--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--user", str(POD["securityContext"]["runAsUser"]), "--memory", limit),
        *("--publish", f"127.0.0.1::{port}"),
        *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
        image,
    ]


def await_healthy(balancer: LoadBalancer, address: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while balancer.states().get(address) != "healthy":
        assert time.monotonic() < deadline, balancer.states()
        time.sleep(0.05)


def end(docker: Docker, name: str, pre_stop: int) -> float:
    """What the kubelet does from the moment on when the pod leaves its Service; seconds from SIGTERM to its end."""
    time.sleep(pre_stop)
    signalled = time.monotonic()
    docker("stop", "--time", str(POD["terminationGracePeriodSeconds"] - pre_stop), name)
    assert docker.inspect(name)["State"]["ExitCode"] == 0, docker("logs", name).stderr
    return time.monotonic() - signalled


def test_no_request_fails_while_a_pod_is_replaced_but_without_the_sleep_some_do(docker, image):
    with ExitStack() as stack:
        balancer = stack.enter_context(make_load_balancer(CHECKS))

        def start(release: str) -> tuple[str, str]:
            """Name and address of a pod that gets requests."""
            name = stack.enter_context(docker.running(*arguments(release, image)))
            address = f"127.0.0.1:{docker.port(name, 8080)}"
            balancer.register(address)
            await_healthy(balancer, address)
            return name, address

        def replace(old: tuple[str, str], release: str, pre_stop: int) -> tuple[tuple[str, str], Traffic]:
            """Another pod in the place of one, under traffic."""
            with traffic("127.0.0.1", balancer.port, ROWS[0], rate=100) as found:
                new = start(release)
                balancer.deregister(old[1])
                assert pre_stop + end(docker, old[0], pre_stop) < POD["terminationGracePeriodSeconds"]
            return new, found

        second, calm = replace(start("first"), "second", PRE_STOP)
        assert calm.failed == [] and len(calm.requests) > 50 * PRE_STOP
        assert {each.release for each in calm.requests} == {"first", "second"}
        _, hasty = replace(second, "third", 0)
        assert hasty.failed, "this play would not notice a request that is lost"
