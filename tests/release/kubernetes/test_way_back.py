"""What a failed release goes back to, and what hiccups of the cluster, killed jobs and closed outputs do to it."""

import json
from collections.abc import Callable, Iterator

import pytest

from kube import Time, write_overlay_of
from slipway.errors import ReleaseError

FORBIDDEN = 'Error from server (Forbidden): deployments.apps is forbidden: User "x" cannot patch resource "deployments"'
UNREACHABLE = "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout"
HICCUPS = [
    UNREACHABLE,
    'error: Get "https://x": read tcp 10.0.0.1:5->1.2.3.4:443: read: connection reset by peer',
    "Error from server: etcdserver: leader changed",
    "Error from server (Timeout): the server was unable to return a response in the time allotted",
    "Error from server (TooManyRequests): the server has received too many requests",
    "Unable to connect to the server: getting credentials: exec: executable aws failed with exit code 255",
]


@pytest.mark.parametrize("said", HICCUPS)
def test_no_error_of_a_look_takes_a_good_release_back(cluster, release, request_of, overlay, address, said):
    own = write_overlay_of(overlay.parent / "balanced", f"http://charges.invalid:{address}", "eks")

    def made() -> None:
        cluster.objects[("ingress", "slipway")]["status"] = {"loadBalancer": {"ingress": [{"hostname": "127.0.0.1"}]}}

    release(request_of(1, run=1), Time(made), overlay=own)
    seen = {"deployment": 0, "ingress": 0}

    def hiccup(arguments: list[str]) -> str | None:
        if arguments[0] == "get" and arguments[1] in seen and cluster.noted()["slipway/run"] == "2":
            seen[arguments[1]] += 1
            return said if seen[arguments[1]] == 1 else None
        return None

    cluster.on_call = hiccup
    assert release(request_of(2, run=2), Time(made), overlay=own)[-1].endswith("is live")
    assert all(seen.values())


@pytest.mark.parametrize("said", HICCUPS)
def test_no_single_error_ends_the_way_back(cluster, release, request_of, said):
    release(request_of(1, run=1))
    cluster.broken.add(request_of(2, run=2).digest)
    failed = set()

    def hiccup(arguments: list[str]) -> str | None:
        """At the first look of the way back, at its apply, and at the look after that."""
        stuck = [call for call in cluster.calls if call[0] == "logs"]
        step = (arguments[0], cluster.noted()["slipway/run"])
        if stuck and arguments[0] in ("get", "apply") and step not in failed:
            failed.add(step)
            return said
        return None

    cluster.on_call = hiccup
    with pytest.raises(ReleaseError, match="pods of release .*run 1.* run again"):
        release(request_of(2, run=2))
    assert failed == {("get", "2"), ("apply", "2"), ("get", "1")}


def test_a_way_back_whose_answer_was_lost_is_followed(cluster, release, request_of):
    release(request_of(1, run=1))
    cluster.broken.add(request_of(2, run=2).digest)

    def lost(arguments: list[str]) -> str | None:
        if arguments[0] == "apply" and "--filename=-" in arguments:
            cluster.on_call = lambda arguments: None
            cluster.put(before)
            return UNREACHABLE
        return None

    before = json.loads(json.dumps(cluster.objects[("deployment", "slipway")]))
    before["spec"].pop("replicas")
    cluster.on_call = lost
    with pytest.raises(ReleaseError, match="pods of release .*run 1.* run again"):
        release(request_of(2, run=2))


@pytest.fixture
def killed(steps) -> Iterator[Callable]:
    """Takes a release as far as its apply; nothing of it runs in the rest of the test."""
    kept = []

    def make(request) -> None:
        kept.append(steps(request))
        assert "Apply" in [next(kept[-1]), next(kept[-1])][1]

    yield make
    for each in kept:
        each.close()


def test_a_failed_release_goes_back_to_the_confirmed_one_and_not_to_one_that_was_killed(
    cluster, release, steps, killed, request_of
):
    release(request_of(1, run=1))
    cluster.broken |= {request_of(2, run=2).digest, request_of(3, run=3).digest}
    killed(request_of(2, run=2))
    lines = []
    with pytest.raises(ReleaseError, match="pods of release .*run 1.* run again"):
        for line in steps(request_of(3, run=3)):
            lines.append(line)
    assert "run 1," in lines[0] and "is live; release" in lines[0] and "run 2," in lines[0] and "never confirmed" in lines[0]
    assert cluster.noted()["slipway/run"] == "1" and len(cluster.templates) == 3  # its own ReplicaSet scales up again
    assert not [each for each in cluster.templates if "pod-template-hash" in each["metadata"]["labels"]]


def test_a_killed_release_whose_pods_are_ready_is_not_called_live_already(cluster, release, killed, request_of):
    release(request_of(1, run=1))
    killed(request_of(2, run=2))
    for _ in range(5):
        cluster.find("deployment", "slipway")
    assert release(request_of(2, run=2))[-1].endswith(") is live")
    assert release(request_of(2, run=2))[-1].endswith("is already live")


def test_a_run_that_is_older_than_a_killed_one_is_told_so(cluster, release, killed, request_of):
    release(request_of(1, run=1))
    killed(request_of(3, run=3))
    with pytest.raises(ReleaseError, match="run 2 is older than run 3, which was applied last and is not confirmed"):
        release(request_of(2, run=2))


def test_a_confirmed_release_whose_replica_set_is_gone_is_not_made_up(cluster, release, killed, request_of):
    release(request_of(1, run=1))
    cluster.broken |= {request_of(2, run=2).digest, request_of(3, run=3).digest}
    killed(request_of(2, run=2))
    del cluster.templates[0]
    with pytest.raises(ReleaseError, match="there is no confirmed release before it, so its pods stay"):
        release(request_of(3, run=3))


def test_a_note_that_fails_is_a_warning(cluster, release, request_of):
    cluster.on_call = lambda arguments: FORBIDDEN if arguments[0] == "annotate" else None
    lines = release(request_of(1, run=1))
    assert "could not be noted" in lines[-2] and lines[-1].endswith("is live")


def test_the_same_run_again_succeeds_once_the_cause_is_cured(cluster, release, request_of):
    """The Deployment says that it is stuck until a pod makes progress."""
    cluster.broken.add(request_of(1, run=1).digest)
    with pytest.raises(ReleaseError, match="did not get ready"):
        release(request_of(1, run=1))
    time = Time()
    with pytest.raises(ReleaseError, match="did not get ready"):
        release(request_of(1, run=1), time)
    assert 300 <= time.seconds < 310
    cluster.broken.clear()
    assert release(request_of(1, run=1))[-1].endswith(") is live")


def test_after_the_way_back_the_public_address_is_asked_for_the_old_release(cluster, release, request_of):
    cluster.set_secret()
    release(request_of(1, run=1))
    cluster.set_secret()
    told = (
        "run again, and http://127.0.0.1:.* answers with it; Service, Ingress and all other objects are those of commit 0+; "
    )
    with pytest.raises(ReleaseError, match=told + "its new pods have the Secret slipway-settings of now"):
        release(request_of(2, run=2), bundle="c" * 64)


def test_an_old_release_that_the_public_address_does_not_serve_again_is_told(cluster, release, request_of, monkeypatch):
    release(request_of(1, run=1))
    cluster.broken.add(request_of(2, run=2).digest)
    monkeypatch.setattr(cluster, "answers", lambda: "somebody else")
    with pytest.raises(ReleaseError, match="run again, but http://.* does not serve release .*somebody else answers"):
        release(request_of(2, run=2))


def test_a_release_that_was_overtaken_wrote_no_other_object(cluster, release, request_of, overlay):
    """The Deployment is applied first, and refused: the newer autoscaler stays."""
    newer_overlay = overlay.parent / "newer"
    newer_overlay.mkdir()
    more = '[{"op": "replace", "path": "/spec/maxReplicas", "value": 9}]'
    patches = [{"target": {"kind": "HorizontalPodAutoscaler"}, "patch": more}]
    (newer_overlay / "kustomization.yaml").write_text(json.dumps({"resources": ["../own"], "patches": patches}))
    release(request_of(1, run=1))

    def newer(arguments: list[str]) -> None:
        if arguments[0] == "apply" and "--dry-run=server" not in arguments:
            cluster.on_call = lambda arguments: None
            release(request_of(3, run=3), overlay=newer_overlay)

    cluster.on_call = newer
    with pytest.raises(ReleaseError, match="run 2 is older than the live run 3"):
        release(request_of(2, run=2))
    assert cluster.objects[("horizontalpodautoscaler", "slipway")]["spec"]["maxReplicas"] == 9


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_closed_output_takes_back_what_was_applied(cluster, release, steps, request_of, capsys, lines):
    release(request_of(1, run=1))
    told = steps(request_of(2, run=2))
    for _ in range(lines):
        next(told)
    told.close()
    assert cluster.noted()["slipway/run"] == "1"
    assert "slipway: cancelled; pods of release" in capsys.readouterr().err


def test_a_field_that_was_added_by_hand_stays_and_is_named(cluster, release, request_of):
    release(request_of(1, run=1))
    live = cluster.objects[("deployment", "slipway")]
    live["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "DEBUG", "value": "1"})
    item = {".": {}, "f:name": {}, "f:value": {}}
    fields = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:env": {'k:{"name":"DEBUG"}': item}}}}}}
    scaler = {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    own = {"manager": "slipway-release", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}
    same = {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}
    by_hand = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": fields}}
    live["metadata"]["managedFields"] = [scaler, own, same, by_hand]
    lines = release(request_of(1, run=1))
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    place = 'spec.template.spec.containers[{"name":"app"}].env[{"name":"DEBUG"}]'
    assert f"of kubectl-edit: {place}.name, {place}.value. They stay" in warning
    assert lines[-1].endswith(") is live")
    assert "DEBUG" in [each["name"] for each in cluster.templates[-1]["spec"]["containers"][0]["env"]]


def test_a_field_that_git_no_longer_names_is_removed(cluster, release, request_of, overlay):
    patch = '[{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "DEBUG", "value": "1"}}]'
    own = overlay.parent / "more"
    own.mkdir()
    patches = [{"target": {"kind": "Deployment"}, "patch": patch}]
    (own / "kustomization.yaml").write_text(json.dumps({"resources": ["../own"], "patches": patches}))
    release(request_of(1, run=1), overlay=own)
    release(request_of(2, run=2))
    named = [[each["name"] for each in template["spec"]["containers"][0]["env"]] for template in cluster.templates]
    assert "DEBUG" in named[0] and "DEBUG" not in named[1]


def test_a_paused_deployment_is_named_at_once(cluster, release, request_of):
    release(request_of(1, run=1))
    cluster.objects[("deployment", "slipway")]["spec"]["paused"] = True
    time = Time()
    with pytest.raises(ReleaseError, match="the Deployment is paused.*kubectl --namespace insurance rollout resume"):
        release(request_of(2, run=2), time)
    assert time.seconds == 0 and cluster.noted()["slipway/run"] == "1"
