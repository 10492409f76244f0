"""The contract of every road, on a cluster that keeps what is applied; and what can go wrong on the way."""

import io
import json
import shutil
import sys

import pytest

from kube import BUNDLE, MANIFESTS, Time, write_overlay_of
from slipway.errors import ReleaseError
from slipway.release import __main__ as commands
from slipway.release.kubernetes.deployment import ClusterRelease
from slipway.release.kubernetes.kubectl import Kubectl

NAME, REPOSITORY = "insurance", "registry.example.org/insurance"
FORBIDDEN = 'Error from server (Forbidden): deployments.apps is forbidden: User "x" cannot patch resource "deployments"'
UNREACHABLE = "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout"


def test_the_first_release_is_live_when_all_its_pods_are(cluster, release, request_of):
    lines = release(request_of(1, run=1))
    assert lines[0] == "Look: nothing is live in namespace insurance"
    assert lines[-1].startswith("Result: release ") and lines[-1].endswith(
        f"(run 1, commit {'0' * 12}, sha256:{'0' * 12}) is live"
    )
    assert cluster.answers() == cluster.noted()["slipway/release"]
    (container,) = cluster.templates[-1]["spec"]["containers"]
    assert container["image"] == f"{REPOSITORY}@sha256:{1:064x}"
    assert {kind for kind, _ in cluster.objects} >= {"deployment", "service", "networkpolicy", "poddisruptionbudget"}
    assert {each["metadata"]["namespace"] for each in cluster.objects.values()} == {NAME}


def test_the_same_again_starts_no_pod(cluster, release, request_of):
    release(request_of(1, run=1))
    lines = release(request_of(1, run=1))
    assert lines[-1].endswith("is already live") and len(cluster.templates) == 1


def test_a_higher_run_of_the_same_commit_is_a_release_and_no_run_between_the_two_overwrites_it(cluster, release, request_of):
    release(request_of(1, run=1))
    release(request_of(1, run=3))
    with pytest.raises(ReleaseError, match="run 2 is older than the live run 3"):
        release(request_of(2, run=2))
    assert cluster.noted()["slipway/run"] == "3"


def test_an_older_run_changes_nothing(cluster, release, request_of):
    release(request_of(2, run=2))
    before = json.dumps([*cluster.objects.values()])
    with pytest.raises(ReleaseError, match="run 1 is older than the live run 2"):
        release(request_of(1, run=1))
    assert json.dumps([*cluster.objects.values()]) == before


def test_a_revert_is_the_earlier_digest_under_names_of_its_own(cluster, release, request_of):
    release(request_of(1, run=1))
    release(request_of(2, run=2))
    lines = release(request_of(1, run=3, commit=3))
    assert lines[-1].endswith("is live")
    images = [each["spec"]["containers"][0]["image"] for each in cluster.templates]
    assert images[0] == images[2] != images[1]
    assert cluster.noted()["slipway/commit"] == f"{3:040x}"
    assert len({each["metadata"]["annotations"]["slipway/release"] for each in cluster.templates}) == 3


def test_an_image_that_never_gets_ready_leaves_the_old_release_serving_with_its_own_pods(cluster, release, request_of):
    release(request_of(1, run=1))
    old = cluster.answers()
    cluster.broken.add(request_of(2, run=2).digest)
    with pytest.raises(ReleaseError, match="did not get ready .*timed out progressing.*; pods of release .*run 1.* run again"):
        release(request_of(2, run=2))
    assert cluster.answers() == cluster.noted()["slipway/release"] == old
    assert len(cluster.templates) == 2  # its ReplicaSet scales up again: nothing is pulled
    assert release(request_of(3, run=3))[-1].endswith("is live")


def test_a_failed_release_tells_what_its_pods_say(cluster, overlay, request_of):
    request = request_of(1, run=1)
    cluster.broken.add(request.digest)
    lines = []
    with pytest.raises(ReleaseError, match="there is no confirmed release before it, so its pods stay"):
        lines.extend(ClusterRelease(Kubectl(NAME), overlay, f"r@{request.digest}", request, BUNDLE, Time()).steps())
    told = ClusterRelease(Kubectl(NAME), overlay, f"r@{request.digest}", request, BUNDLE, Time()).steps()
    with pytest.raises(ReleaseError):
        while True:
            lines.append(next(told))
    assert lines[-3:] == [
        "  slipway-1-x: CrashLoopBackOff back-off 40s restarting failed container; ended with exit code 5 (Error)",
        "  slipway-1-x: | slipway: no champion",
        "  slipway-1-x: | Run slipway train",
    ]


def test_changed_settings_are_a_release_although_commit_and_image_are_the_same(cluster, release, request_of):
    cluster.set_secret()
    release(request_of(1, run=1))
    assert release(request_of(1, run=1))[-1].endswith("is already live")
    cluster.set_secret()
    assert release(request_of(1, run=1))[-1].endswith(") is live")
    assert len(cluster.templates) == 2


def test_an_image_that_was_set_by_hand_is_replaced_by_that_of_the_commit(cluster, release, request_of):
    release(request_of(1, run=1))
    live = cluster.objects[("deployment", "slipway")]
    live["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:latest"
    assert release(request_of(1, run=1))[-1].endswith(") is live")
    assert cluster.templates[-1]["spec"]["containers"][0]["image"].endswith(f"@sha256:{1:064x}")


def test_a_public_address_that_serves_another_bundle_takes_the_release_back(cluster, release, request_of):
    release(request_of(1, run=1))
    with pytest.raises(ReleaseError, match="it serves the bundle bbbbbbbbbbbb, but the commit names cccc.*run again"):
        release(request_of(2, run=2), time := Time(), bundle="c" * 64)
    assert time.seconds < 30
    assert cluster.noted()["slipway/run"] == "1"


def test_a_newer_release_overtakes_and_stays(cluster, release, request_of):
    release(request_of(1, run=1))

    def newer() -> None:
        time.on_pause = lambda: None
        release(request_of(3, run=3))

    time = Time(newer)
    with pytest.raises(ReleaseError, match=r"was overtaken by release .* \(run 3, .*nothing was taken back"):
        release(request_of(2, run=2), time)
    assert cluster.noted()["slipway/run"] == "3"


def test_an_older_release_that_looked_before_a_newer_one_was_applied_is_refused(cluster, release, request_of):
    """Both looked at run 1; the newer one is faster."""
    release(request_of(1, run=1))

    def newer(arguments: list[str]) -> None:
        if arguments[0] == "apply" and "--dry-run=server" in arguments:
            cluster.on_call = lambda arguments: None
            release(request_of(3, run=3))

    cluster.on_call = newer
    with pytest.raises(ReleaseError, match="run 2 is older than the live run 3"):
        release(request_of(2, run=2))
    assert cluster.noted()["slipway/run"] == "3" and len(cluster.templates) == 2


def test_a_release_gives_up_when_others_are_always_faster(cluster, release, request_of):
    release(request_of(1, run=1))
    busy = 'Operation cannot be fulfilled on horizontalpodautoscalers.autoscaling "slipway": the object has been modified'
    cluster.on_call = lambda arguments: busy if arguments[0] == "apply" and "--kustomize" in arguments else None
    with pytest.raises(
        ReleaseError, match="others changed the objects 5 times meanwhile; nothing was taken back.*Run the job again"
    ):
        release(request_of(2, run=2))
    assert cluster.noted()["slipway/run"] == "1"


def test_a_cancelled_job_restores_the_release_before(cluster, release, request_of):
    release(request_of(1, run=1))
    time = Time()
    time.end()
    with pytest.raises(ReleaseError, match="cancelled; pods of release .*run 1.* run again"):
        release(request_of(2, run=2), time)
    assert cluster.noted()["slipway/run"] == "1"


def test_the_job_of_a_killed_run_goes_on_where_that_was(cluster, overlay, release, request_of):
    request = request_of(1, run=1)
    killed = ClusterRelease(Kubectl(NAME), overlay, f"{REPOSITORY}@{request.digest}", request, BUNDLE, Time()).steps()
    assert "Apply" in [next(killed), next(killed)][1]
    begun = cluster.noted()["slipway/release"]
    assert release(request)[-1].startswith(f"Result: release {begun} ") and len(cluster.templates) == 1


def test_another_object_that_is_refused_after_the_deployment_was_applied_takes_it_back(cluster, release, request_of):
    release(request_of(1, run=1))

    def half(arguments: list[str]) -> str | None:
        if arguments[0] == "apply" and "--kustomize" in arguments and "--dry-run=server" not in arguments:
            cluster.on_call = lambda arguments: None
            cluster.apply(arguments[1:], "")
            return 'Error from server (InternalError): admission webhook "vingress.elbv2.k8s.aws" failed'
        return None

    cluster.on_call = half
    with pytest.raises(ReleaseError, match="vingress.*; pods of release .*run 1.* run again"):
        release(request_of(2, run=2))
    assert cluster.noted()["slipway/run"] == "1"


def test_a_cluster_that_is_away_for_a_while_is_waited_for(cluster, release, request_of):
    release(request_of(1, run=1))
    left = [3]

    def away(arguments: list[str]) -> str | None:
        if cluster.noted()["slipway/run"] == "2" and arguments[0] == "get" and left[0]:
            left[0] -= 1
            return UNREACHABLE
        return None

    cluster.on_call = away
    lines = release(request_of(2, run=2))
    assert lines[-1].endswith("is live") and sum("warning: kubectl get: Unable to connect" in line for line in lines) == 1


@pytest.mark.parametrize(
    "said, told",
    [
        (FORBIDDEN, "cannot patch resource.* applies deploy/kubernetes/access.yaml"),
        (
            'Error from server (InternalError): failed calling webhook "x": Post "https://x": context deadline exceeded',
            "A webhook in the cluster does not answer",
        ),
        ("Error from server: etcdserver: leader changed", "leader changed. Run the job again"),
        (UNREACHABLE, "Unable to connect to the server.*Check the step that logs in"),
        ('Error from server (NotFound): namespaces "insurance" not found', "not found. An administrator"),
        ('error: resource mapping not found: no matches for kind "Gateway" in version "x"', "lacks a controller"),
        ("error: You must be logged in to the server (Unauthorized)", "Log in at the cluster again"),
        ('Error from server: quota "pods" exceeded', r"kubectl apply: quota \"pods\" exceeded$"),
    ],
)
def test_what_the_cluster_refuses_at_first_changes_nothing_and_tells_what_to_do(cluster, release, request_of, said, told):
    cluster.on_call = lambda arguments: said if arguments[0] == "apply" else None
    with pytest.raises(ReleaseError, match=told) as refused:
        release(request_of(1, run=1))
    assert not cluster.objects and "Error from server" not in str(refused.value)


@pytest.mark.parametrize("name", ["eks", "gke", "aks", "eks-staging"])
def test_an_overlay_with_the_hosts_of_the_example_is_refused(cluster, release, request_of, name):
    with pytest.raises(ReleaseError, match="slipway/url is still https://.*example.com. Replace"):
        release(request_of(1, run=1), overlay=MANIFESTS / name)
    assert not cluster.objects


@pytest.mark.parametrize(
    "base, left", [("eks", "Ingress slipway"), ("gke", "HTTPRoute slipway"), ("aks", "HTTPRoute slipway")]
)
def test_a_host_that_was_replaced_in_the_url_alone_is_refused(cluster, release, request_of, overlay, base, left):
    own = overlay.parent / "half"
    own.mkdir()
    patch = '[{"op": "replace", "path": "/metadata/annotations/slipway~1url", "value": "https://charges.example.org"}]'
    patches = [{"target": {"kind": "Service"}, "patch": patch}]
    (own / "kustomization.yaml").write_text(json.dumps({"resources": [f"../{base}"], "patches": patches}))
    told = f"{left} has the host 'charges.example.com', but slipway/url has charges.example.org"
    with pytest.raises(ReleaseError, match=told):
        release(request_of(1, run=1), overlay=own)
    assert not cluster.objects


def test_the_certificate_map_of_the_example_is_refused(cluster, release, request_of, overlay, address):
    gateway = overlay.parent / "gke" / "gateway.yaml"
    own = write_overlay_of(overlay.parent / "mapped", f"http://charges.invalid:{address}", "gke", certmap="CERTIFICATE-MAP")
    assert "CERTIFICATE-MAP" in gateway.read_text()
    with pytest.raises(ReleaseError, match="certmap is still CERTIFICATE-MAP. Set .* to your certificate map"):
        release(request_of(1, run=1), overlay=own)
    assert not cluster.objects


def test_a_folder_without_a_kustomization_is_named(release, request_of, tmp_path):
    with pytest.raises(ReleaseError, match=f"{tmp_path}: no kustomization.yaml there"):
        release(request_of(1, run=1), overlay=tmp_path)


@pytest.mark.parametrize(
    "base, kind, status",
    [
        ("eks", "ingress", {"loadBalancer": {"ingress": [{"hostname": "127.0.0.1"}]}}),
        ("gke", "gateway", {"addresses": [{"value": "127.0.0.1"}]}),
    ],
)
def test_the_load_balancer_is_asked_under_its_own_address_once_it_has_one(
    cluster, release, request_of, overlay, address, base, kind, status
):
    """No name server knows the host."""
    own = write_overlay_of(overlay.parent / "balanced", f"http://charges.invalid:{address}", base)
    pauses = []

    def made() -> None:
        pauses.append(1)
        if len(pauses) == 6:
            cluster.objects[(kind, "slipway")]["status"] = status

    lines = release(request_of(1, run=1), Time(made), overlay=own)
    assert f"Check: http://charges.invalid:{address} at 127.0.0.1 answers with this release and its bundle" in lines


def test_a_load_balancer_without_an_address_fails_the_release(cluster, release, request_of, overlay, address):
    own = write_overlay_of(overlay.parent / "balanced", f"http://charges.invalid:{address}", "eks")
    with pytest.raises(ReleaseError, match="ingress slipway has no address after 300 s"):
        release(request_of(1, run=1), overlay=own)


def test_the_command_reads_the_request_and_ends_with_the_result(cluster, overlay, request_of, tmp_path, monkeypatch, capsys):
    (tmp_path / "artifacts").mkdir()
    pointer = {"format": 2, "problem": "insurance", "digest": BUNDLE}
    (tmp_path / "artifacts" / "champion.json").write_text(json.dumps(pointer))
    (tmp_path / "slipway.yaml").write_text("name: insurance\nsource: table.csv\ntarget: charges\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("slipway.release.kubernetes.deployment.PAUSE", 0.01)
    request = json.dumps(vars(request_of(1, run=1))).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request)))
    chosen = ["deploy", "kubernetes", NAME, "--repository", REPOSITORY, "--overlay", str(overlay)]
    monkeypatch.setattr(sys, "argv", ["release", *chosen])
    commands.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("Result: release ")


def test_without_kubectl_the_error_names_it(monkeypatch, request_of, tmp_path):
    shutil.copytree(MANIFESTS, tmp_path / "kubernetes")
    monkeypatch.setenv("PATH", str(tmp_path))
    request = request_of(1, run=1)
    with pytest.raises(ReleaseError, match="kubectl is not installed. Install version 1.30 or newer"):
        list(ClusterRelease(Kubectl(NAME), tmp_path / "kubernetes" / "eks", "r@d", request, BUNDLE, Time()).steps())
