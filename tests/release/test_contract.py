"""The contract of every road (docs/release.md), line by line and for all of them the same, on their stand-ins.

The box keeps it, too: tests/e2e/test_swap.py and tests/e2e/test_faults.py play it with containers.
"""

import re
import shutil

import pytest

from clouds import BUNDLE, NAME, REPOSITORY, Cloud, answering, fargate, request
from kube import MANIFESTS, Cluster, Time, write_overlay_of
from slipway.errors import ReleaseError
from slipway.release.kubernetes import kubectl
from slipway.release.kubernetes.deployment import ClusterRelease
from slipway.release.kubernetes.kubectl import Kubectl
from slipway.release.public_address import PublicAddress
from web_app import Azure, released
from web_app import answering as answering_web_app


class OnFargate:
    def __init__(self) -> None:
        self.cloud = Cloud()

    def release(self, run: int, digest: str, commit: str = "") -> str:
        return [*fargate(self.cloud).deploy(request(run, digest, commit))][-1]

    def serving(self) -> str:
        return self.cloud.serving()

    def rollouts(self) -> int:
        return len(self.cloud.definitions) - 1

    def crash(self, digest: str) -> None:
        self.cloud.crashing.add(digest)

    def hang(self, digest: str) -> None:
        self.cloud.hanging.add(digest)

    def change_setting(self) -> None:
        self.cloud.parameters["SLIPWAY_API_KEYS"] = self.cloud.parameters.get("SLIPWAY_API_KEYS", 0) + 1


class OnKubernetes:
    def __init__(self, cluster: Cluster, overlay) -> None:
        self.cluster, self.overlay = cluster, overlay

    def release(self, run: int, digest: str, commit: str = "") -> str:
        asked = request(run, digest, commit)
        image = f"{REPOSITORY}@{asked.digest}"
        return [*ClusterRelease(Kubectl(NAME), self.overlay, image, asked, BUNDLE, Time()).steps()][-1]

    def serving(self) -> str:
        return self.cluster.serving["spec"]["template"]["spec"]["containers"][0]["image"][-1]

    def rollouts(self) -> int:
        return len(self.cluster.templates)

    def crash(self, digest: str) -> None:
        self.cluster.broken.add(request(1, digest).digest)

    hang = crash  # to a Deployment both are a pod that does not get ready

    def change_setting(self) -> None:
        self.cluster.set_secret()


class OnWebApp:
    def __init__(self, has_slot: bool) -> None:
        self.azure = Azure(has_slot)
        self.settings = 0

    def release(self, run: int, digest: str, commit: str = "") -> str:
        return released(self.azure, run, digest, commit)[-1]

    def serving(self) -> str:
        return self.azure.serving()

    def rollouts(self) -> int:
        settings = [call for call in self.azure.operations if call.startswith("put")]
        return len(settings)

    def crash(self, digest: str) -> None:
        self.azure.crashing.add(digest)

    def hang(self, digest: str) -> None:
        self.azure.hanging.add(digest)

    def change_setting(self) -> None:
        self.settings += 1
        self.azure.change_setting("SLIPWAY_API_KEYS", str(self.settings))


@pytest.fixture(params=["fargate", "kubernetes", "webapp", "webapp without a slot"])
def road(request, monkeypatch, tmp_path):
    """A road that nothing was released to."""
    if request.param == "fargate":
        road = OnFargate()
        with answering(road.cloud):
            yield road
        return
    if request.param.startswith("webapp"):
        road = OnWebApp(has_slot=request.param == "webapp")
        with answering_web_app(road.azure):
            yield road
        return
    cluster = Cluster()
    monkeypatch.setattr(kubectl.subprocess, "run", cluster)
    answer = {"status": "ready", "bundle": BUNDLE}
    monkeypatch.setattr(PublicAddress, "ask", lambda *_: (200, answer | {"release": cluster.answers()}))
    manifests = shutil.copytree(MANIFESTS, tmp_path / "kubernetes")
    yield OnKubernetes(cluster, write_overlay_of(manifests / "own", "http://127.0.0.1:8080"))


def test_a_release_serves_what_was_asked_for(road):
    road.release(1, "a")
    assert re.match(r"Result: release \w+ \(run 2, .*\) is live", road.release(2, "b"))
    assert (road.serving(), road.rollouts()) == ("b", 2)


def test_the_same_again_starts_nothing(road):
    road.release(1, "a")
    assert "is already live" in road.release(1, "a")
    assert road.rollouts() == 1


def test_an_older_run_is_refused_and_changes_nothing(road):
    road.release(2, "b")
    with pytest.raises(ReleaseError, match="run 1 is older"):
        road.release(1, "a")
    assert (road.serving(), road.rollouts()) == ("b", 1)


@pytest.mark.parametrize("fault", ["crash", "hang"])
def test_an_image_that_does_not_serve_leaves_the_old_release_serving_and_a_later_one_goes_through(road, fault):
    road.release(1, "a")
    getattr(road, fault)("b")
    with pytest.raises(ReleaseError):
        road.release(2, "b")
    assert road.serving() == "a"
    road.release(3, "c")
    assert road.serving() == "c"


def test_a_revert_is_the_earlier_digest(road):
    road.release(1, "a")
    road.release(2, "b")
    road.release(3, "a", "c")
    assert road.serving() == "a"


def test_a_setting_that_changed_outside_git_is_rolled_out_with_the_same_release(road):
    road.change_setting()
    road.release(1, "a")
    road.change_setting()
    assert "already" not in road.release(1, "a")
    assert (road.serving(), road.rollouts()) == ("a", 2)
