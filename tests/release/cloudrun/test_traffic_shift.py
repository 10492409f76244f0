"""A release on Cloud Run beyond the contract (tests/release/test_contract.py): faults, races, tokens, secrets."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import run_cloud
from clouds import BUNDLE, request
from run_cloud import NEXT, PLACEHOLDER, SERVICE, URL, RunCloud, cloud_run
from slipway.errors import ReleaseError
from slipway.release.cloudrun import traffic_shift
from slipway.release.cloudrun.traffic_shift import deploy


@pytest.fixture
def cloud() -> RunCloud:
    return RunCloud()


@pytest.fixture(autouse=True)
def asked(cloud) -> Iterator[list]:
    with run_cloud.answering(cloud) as asked:
        yield asked


def release(cloud: RunCloud, run: int, digest: str = "a", commit: str = "", **options) -> list[str]:
    return [*cloud_run(cloud, **options).deploy(request(run, digest, commit))]


def test_the_revision_answers_at_its_own_address_before_it_gets_traffic(cloud, asked):
    lines = release(cloud, 1)
    once = [URL[8:]]  # to see whether it is private
    assert [address.host for address in asked] == once + [NEXT[8:]] * 5 + once + [URL[8:]] * 5
    updated, shifted = cloud.calls.index("run services update"), cloud.calls.index("run services update-traffic")
    assert updated < shifted
    [revision] = cloud.traffic
    assert cloud.traffic == {revision: 100} and revision != PLACEHOLDER, "by its name, and not whatever is the latest"
    assert lines[0] == "live: nothing yet" and lines[-1].startswith(
        f"Result: release {revision.removeprefix(f'{SERVICE}-')} (run 1"
    )


def test_the_revision_says_which_release_it_is(cloud):
    release(cloud, 7, "b", "c")
    [revision] = cloud.traffic
    found = cloud.revisions[revision]
    labels = found["metadata"]["labels"]
    assert (labels["slipway-commit"], labels["slipway-run"], labels["slipway-key"]) == ("c" * 40, "7", "b" * 63)
    [container] = found["spec"]["containers"]
    assert container["image"] == f"{run_cloud.HOST}/{run_cloud.PATH}@sha256:{'b' * 64}"
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert variables["SLIPWAY_RELEASE"] == labels["slipway-release"] == revision.removeprefix(f"{SERVICE}-")
    assert variables == {
        "WEB_CONCURRENCY": "2",
        "SLIPWAY_RELEASE": labels["slipway-release"],
        "SLIPWAY_COMMIT": "c" * 40,
        "SLIPWAY_TRUSTED_PROXIES": "1",
    }


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crashing", "failed to start and listen; the traffic is as it was. The log that the message names has the reason"),
        ("hanging", r"/readyz answers 503; the traffic is as it was"),
        ("wrong", r"it serves the bundle e{12}, but the commit names b{12}; the traffic is as it was"),
    ],
)
def test_a_revision_that_does_not_serve_gets_no_traffic(cloud, fault, said):
    release(cloud, 1)
    getattr(cloud, fault).add("b")
    with pytest.raises(ReleaseError, match=said):
        release(cloud, 2, "b")
    assert cloud.serving() == "a" and list(cloud.traffic.values()) == [100]


def test_a_revision_that_never_started_does_not_hold_the_tag(cloud):
    """Cloud Run would refuse to move traffic by hand, which is what one does then."""
    release(cloud, 1)
    [first] = cloud.traffic
    cloud.crashing.add("b")
    with pytest.raises(ReleaseError, match="failed to start and listen"):
        release(cloud, 2, "b")
    cloud("run", "services", "update-traffic", SERVICE, "--region=r", f"--to-revisions={first}=100")
    assert "is live" in release(cloud, 3, "c")[-1]


def test_the_tag_of_another_release_stays_where_it_is(cloud):
    release(cloud, 1)
    tagged = cloud.tag
    cloud.denied["run services update"] = "ERROR: (gcloud.run.services.update) ABORTED: Conflict for resource"
    with pytest.raises(ReleaseError, match="ABORTED"):
        release(cloud, 2, "b")
    assert cloud.tag == cloud.wanted_tag == tagged


def test_one_that_fails_with_the_traffic_loses_it(cloud):
    release(cloud, 1)
    before = dict(cloud.traffic)
    cloud.late.add("b")
    with pytest.raises(ReleaseError, match=rf"/readyz answers 503; the traffic is back at {SERVICE}-\w+ 100 %"):
        release(cloud, 2, "b")
    assert cloud.traffic == before


def test_a_first_release_that_fails_leaves_the_placeholder(cloud):
    cloud.late.add("a")
    with pytest.raises(ReleaseError, match="the traffic is back at"):
        release(cloud, 1)
    assert cloud.traffic == {PLACEHOLDER: 100}


def test_traffic_that_was_divided_by_hand_is_told_and_comes_back_so(cloud):
    release(cloud, 1)
    release(cloud, 2, "b")
    first, second = list(cloud.revisions)[1:]
    cloud.traffic = {second: 90, first: 10}
    cloud.late.add("c")
    with pytest.raises(ReleaseError):
        release(cloud, 3, "c")
    assert cloud.traffic == {second: 90, first: 10}
    lines = release(cloud, 4, "b")
    assert f"warning: the traffic was divided by hand ({second} 90 %, {first} 10 %); this release gets all of it" in lines
    assert list(cloud.traffic.values()) == [100]


def test_the_same_again_takes_back_traffic_that_was_divided(cloud):
    release(cloud, 1)
    release(cloud, 2, "b")
    first, second = list(cloud.revisions)[1:]
    cloud.traffic = {second: 90, first: 10}
    assert "already" not in release(cloud, 2, "b")[-1]
    assert len(cloud.traffic) == 1


def test_order_is_asked_of_every_release_with_traffic(cloud):
    release(cloud, 5)
    release(cloud, 1 + 5, "b")
    old, new = list(cloud.revisions)[1:]
    cloud.traffic = {old: 95, new: 5}
    with pytest.raises(ReleaseError, match=f"run 5 is older than run 6.*--update-labels slipway-restarted={new[-12:]}"):
        release(cloud, 5)


def test_run_numbers_that_started_over_are_let_through_once(cloud):
    release(cloud, 9)
    [revision] = cloud.traffic
    cloud.labels["slipway-restarted"] = revision[-12:]
    assert "is live" in release(cloud, 1, "b")[-1]
    with pytest.raises(ReleaseError, match="run 0 is older than run 1"):
        release(cloud, 0, "c")


def test_a_newer_release_that_went_live_meanwhile_stays(cloud):
    release(cloud, 1)

    def overtake() -> None:
        labels = {"slipway-release": "f" * 12, "slipway-run": "9"}
        newer = {"metadata": {"labels": labels}, "spec": {"containers": [{"image": "x@sha256:" + "f" * 64}]}}
        cloud.revisions[f"{SERVICE}-{'f' * 12}"] = newer
        cloud.traffic = {f"{SERVICE}-{'f' * 12}": 100}

    cloud.before["run services update"] = overtake
    with pytest.raises(ReleaseError, match="run 2 is older than run 9"):
        release(cloud, 2, "b")
    assert cloud.serving() == "f"


def test_whoever_took_the_traffic_afterwards_keeps_it(cloud, monkeypatch):
    release(cloud, 1)
    [first] = cloud.traffic
    cloud.late.add("b")
    answer = cloud.answer

    def take(address):
        if not address.host.startswith("next---") and first not in cloud.traffic:
            cloud.revisions[f"{SERVICE}-by-hand"] = cloud.revisions[first]
            cloud.traffic = {f"{SERVICE}-by-hand": 100}
        return answer(address)

    monkeypatch.setattr(cloud, "answer", take)
    with pytest.raises(ReleaseError, match=f"it was overtaken by {SERVICE}-by-hand"):
        release(cloud, 2, "b")
    assert cloud.traffic == {f"{SERVICE}-by-hand": 100}


def test_a_conflict_is_no_release(cloud):
    release(cloud, 1)
    cloud.denied["run services update-traffic"] = "ERROR: (gcloud.run.services.update-traffic) ABORTED: Conflict for resource"
    with pytest.raises(ReleaseError, match=r"ABORTED.*; the traffic is as it was.*Run the job again later"):
        release(cloud, 2, "b")
    assert cloud.serving() == "a"


@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_cancelled_job_leaves_the_traffic(cloud, when):
    release(cloud, 1)
    before = dict(cloud.traffic)
    hooks = {1: "run services update", 2: "run services update-traffic"}

    def end() -> None:
        cloud.ended = cloud.passed

    if when in hooks:
        cloud.before[hooks[when]] = end
    else:
        cloud.ended = 0
    with pytest.raises(ReleaseError, match="cancelled"):
        release(cloud, 2, "b")
    assert cloud.traffic == before


def test_traffic_that_cannot_be_sent_back_is_said_with_the_command(cloud):
    release(cloud, 1)
    [revision] = cloud.traffic
    cloud.late.add("b")

    def deny() -> None:
        cloud.before["run services update-traffic"] = lambda: cloud.denied.update(
            {"run services update-traffic": "ERROR: (x) PERMISSION_DENIED: Permission 'run.services.update' denied"}
        )

    cloud.before["run services update-traffic"] = deny
    with pytest.raises(ReleaseError, match=f"update-traffic {SERVICE} --region europe-west1 --to-revisions {revision}=100"):
        release(cloud, 2, "b")


def test_a_private_service_is_asked_with_a_token_for_the_service_s_address(cloud, asked, monkeypatch):
    cloud.private = True
    release(cloud, 1)
    headers = {each.headers.get("X-Serverless-Authorization") for each in asked}
    assert headers == {None, f"Bearer identity of the job for {URL}"}, "also at the tag's address"
    assert not any("identity" in repr(each) + str(each) for each in asked)
    monkeypatch.setenv("GCP_SERVICE_ACCOUNT", "release@acme-ml.iam.gserviceaccount.com")
    release(cloud, 2, "b")
    assert asked[-1].headers["X-Serverless-Authorization"].startswith("Bearer identity of release@acme-ml.")


def test_a_lost_connection_does_not_make_a_private_service_public(cloud, asked, monkeypatch):
    cloud.private = True
    monkeypatch.setenv("GCP_SERVICE_ACCOUNT", "release@acme-ml.iam.gserviceaccount.com")
    answer = cloud.answer

    def lose(address):
        if len(asked) == 1:
            raise ConnectionResetError
        return answer(address)

    monkeypatch.setattr(cloud, "answer", lose)
    assert "is live" in release(cloud, 1)[-1]


def test_a_secret_that_may_not_be_looked_up_is_told(cloud):
    cloud.use_secret("keys")
    cloud.denied["secrets versions describe"] = "ERROR: (gcloud.secrets.versions.describe) PERMISSION_DENIED: denied"
    lines = release(cloud, 1)
    assert any("a new version of the secret keys is not noticed. Give the release's" in line for line in lines)
    assert "already live" in release(cloud, 1)[-1]


def test_a_changed_variable_or_limit_is_a_changed_setting(cloud):
    release(cloud, 1)
    cloud.template["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Gi"}}
    assert "already" not in release(cloud, 1)[-1]
    assert "already" in release(cloud, 1)[-1]


def test_scaling_and_network_are_settings_and_what_gcloud_notes_of_itself_is_none(cloud):
    annotations = cloud.template["metadata"]["annotations"] = {"autoscaling.knative.dev/maxScale": "6"}
    release(cloud, 1)
    annotations |= {"run.googleapis.com/client-version": "574.0.0", "client.knative.dev/user-image": "another"}
    cloud.template["spec"]["containers"][0]["name"] = "insurance-1"
    assert "already" in release(cloud, 1)[-1]
    annotations["autoscaling.knative.dev/maxScale"] = "10"
    assert "already" not in release(cloud, 1)[-1]


def test_only_an_image_that_the_registry_lists_under_the_key_is_released(cloud, monkeypatch):
    seen = {}

    def find(host: str, path: str, key: str, environ: dict) -> str:
        seen["login"] = json.loads(Path(environ["DOCKER_CONFIG"], "config.json").read_text())
        return "sha256:" + "f" * 64

    monkeypatch.setattr(traffic_shift, "find_image", find)
    with pytest.raises(ReleaseError, match="the registry lists sha256:f+ under the release key .*, not sha256:a+"):
        release(cloud, 1)
    login = base64.b64encode(b"oauth2accesstoken:access").decode()
    assert seen["login"] == {"auths": {run_cloud.HOST: {"auth": login}}}
    assert "run services update" not in cloud.calls


def test_a_service_that_up_did_not_make_is_an_error_with_a_cure(cloud):
    with pytest.raises(ReleaseError, match="Cannot find service .other.. Run deploy/cloudrun/up"):
        release(cloud, 1, name="other")


@pytest.mark.parametrize(
    ("name", "repository", "said"),
    [
        ("Insurance", "h/p/r/i", "cannot be the name of a service"),
        ("i" * 43, "h/p/r/i", "at most 42"),
        (SERVICE, "h", "is not HOST/PROJECT/REPOSITORY/IMAGE. Set SLIPWAY_REGISTRY"),
    ],
)
def test_names_are_checked_before_anything_is_asked(cloud, name, repository, said):
    with pytest.raises(ReleaseError, match=said):
        next(deploy(name, repository, "europe-west1", request(1), BUNDLE))
    assert cloud.calls == []
