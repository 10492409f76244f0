"""The real kubectl, against a stand-in for the API server: it takes every call, and its errors are understood."""

import os
from collections.abc import Iterator

import pytest

from kube import BUNDLE, KUBECTL, Cluster, Time, run
from kube_api import kubeconfig, serve_api
from servers import free_port
from slipway.errors import ReleaseError
from slipway.release.kubernetes import kubectl
from slipway.release.kubernetes.deployment import ClusterRelease
from slipway.release.kubernetes.kubectl import Kubectl


@pytest.fixture
def real(cluster, monkeypatch, tmp_path) -> Iterator[Cluster]:
    """The cluster behind kubectl, instead of in its place."""
    monkeypatch.setattr(kubectl.subprocess, "run", run)
    monkeypatch.setenv("PATH", f"{KUBECTL.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))  # it caches what it discovers
    with serve_api(cluster, tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield cluster


@pytest.fixture
def release(real, overlay):
    def make(request, time: Time | None = None) -> list[str]:
        image = f"registry.example.org/insurance@{request.digest}"
        return list(ClusterRelease(Kubectl("insurance"), overlay, image, request, BUNDLE, time or Time()).steps())

    return make


def test_a_release_a_broken_one_and_a_revert(real, release, request_of):
    real.set_secret()
    assert release(request_of(1, run=1))[-1].endswith(") is live")
    real.broken.add(request_of(2, run=2).digest)
    with pytest.raises(ReleaseError, match="did not get ready .*; pods of release .*run 1.* run again"):
        release(request_of(2, run=2))
    assert len(real.templates) == 2 and real.noted()["slipway/run"] == "1"
    assert release(request_of(1, run=3, commit=3))[-1].endswith(") is live")
    assert real.noted()["slipway/settings"].startswith("secret-")


def test_a_newer_release_that_was_faster_is_seen(real, release, request_of):
    release(request_of(1, run=1))

    def newer(arguments: list[str]) -> None:
        real.on_call = lambda arguments: None
        release(request_of(3, run=3))

    real.on_call = newer
    with pytest.raises(ReleaseError, match="run 2 is older than the live run 3"):
        release(request_of(2, run=2))
    assert real.noted()["slipway/run"] == "3"


def test_the_deployment_is_applied_alone_before_all_others(real, release, request_of):
    release(request_of(1, run=1))
    applied = []
    real.on_call = lambda arguments: applied.append(arguments[1]) if "All" not in arguments else None
    release(request_of(2, run=2))
    assert applied[0] == "Deployment" and applied.count("Deployment") == 1 and "Service" in applied[1:]


def test_a_missing_right_changes_nothing_and_is_named(real, release, request_of):
    denied = 'deployments.apps "slipway" is forbidden: User "x" cannot patch resource "deployments" in API group "apps"'
    real.on_call = lambda arguments: denied if arguments[1] == "Deployment" else None
    with pytest.raises(ReleaseError, match='^kubectl apply: deployments.apps "slipway" is forbidden.*access.yaml'):
        release(request_of(1, run=1))
    assert not real.objects


def test_a_kind_that_the_cluster_does_not_have_is_named(real):
    with pytest.raises(ReleaseError, match='doesn\'t have a resource type "gateways".*lacks a controller'):
        Kubectl("insurance").find("gateways.gateway.networking.k8s.io", "slipway")


@pytest.mark.parametrize("known", [True, False])
def test_a_cluster_that_is_not_there_or_not_known_is_said_in_one_line(real, monkeypatch, tmp_path, known):
    config = kubeconfig(tmp_path, free_port()) if known else tmp_path / "nothing"
    monkeypatch.setenv("KUBECONFIG", str(config))
    with pytest.raises(
        ReleaseError, match="^kubectl get: The connection to the server .* was refused - did you specify"
    ) as away:
        Kubectl("insurance").find("deployment", "slipway")
    assert "memcache" not in str(away.value) and "Check the step that logs in" in str(away.value)
