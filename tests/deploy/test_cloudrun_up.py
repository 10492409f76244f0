"""`deploy/cloudrun/up` and `teardown` with a stand-in for gcloud, which knows its commands and options."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from canned_gcloud import CannedGcloud

FOLDER = Path(__file__).resolve().parents[2] / "deploy/cloudrun"
ABSENT = (1, "ERROR: NOT_FOUND: it could not be found")
USUAL = {"PROJECT": "acme-ml", "REGION": "europe-west1", "GITHUB_REPOSITORY": "acme/Charges.Model"}
ANSWERS = {
    "projects describe": (0, "123456789012"),
    "status.url": (0, "https://charges-model-x-ew.a.run.app"),
    "state": (0, "ACTIVE"),
}
SERVICE = "run services describe charges-model --region=europe-west1 --project"


@pytest.fixture
def canned(tmp_path) -> CannedGcloud:
    return CannedGcloud(tmp_path)


@pytest.fixture
def up(canned) -> Callable[..., subprocess.CompletedProcess]:
    def run(rules: dict | None = None, **environ: str) -> subprocess.CompletedProcess:
        return canned.call([FOLDER / "up"], (rules or {}) | ANSWERS, USUAL | environ)

    return run


def nothing_yet() -> dict:
    return {
        "iam service-accounts describe": ABSENT,
        "artifacts repositories describe": ABSENT,
        "value(state)": ABSENT,
        SERVICE: ABSENT,
    }


def keep_folder(canned: CannedGcloud) -> None:
    """What is applied stays to be looked at."""
    programs = {"mktemp": f"mkdir -p {canned.folder}/work; echo {canned.folder}/work", "rm": ""}
    for name, script in programs.items():
        (canned.folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (canned.folder / name).chmod(0o755)


def test_everything_is_made_once_and_the_variables_are_said(canned, up):
    keep_folder(canned)
    done = up(nothing_yet())
    assert done.returncode == 0, done.stderr
    made = [call for call in canned.calls if " create" in call]
    assert [call.split(" --")[0] for call in made] == [
        "iam service-accounts create slipway-run",
        "iam service-accounts create slipway-deliver",
        "iam service-accounts create slipway-read",
        "iam service-accounts create slipway-release",
        "artifacts repositories create slipway",
        "iam workload-identity-pools create slipway-github",
        "iam workload-identity-pools providers create-oidc github",
    ]
    assert "--immutable-tags" in made[4]
    assert canned.position("run services replace") is not None and "billed, day and night" in done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    repository = "--repo acme/Charges.Model"
    assert f"gh variable set SLIPWAY_REGISTRY {repository} --body europe-west1-docker.pkg.dev" in lines
    assert f"gh variable set SLIPWAY_REPOSITORY {repository} --body acme-ml/slipway/charges-model" in lines
    assert f"gh variable set SLIPWAY_ROAD {repository} --body cloudrun" in lines
    assert "for name in release cloudrun; do" in lines
    place = "repos/acme/Charges.Model/environments/$name"
    assert f"gh api --silent {place} || gh api --silent --method PUT {place}" in lines, "one that is there stays restricted"
    account = "slipway-release@acme-ml.iam.gserviceaccount.com"
    assert f"gh variable set GCP_SERVICE_ACCOUNT {repository} --env cloudrun --body {account}" in lines
    pools = "projects/123456789012/locations/global/workloadIdentityPools"
    provider = f"{pools}/slipway-github/providers/github"
    assert f"gh variable set GCP_WORKLOAD_IDENTITY_PROVIDER {repository} --body {provider}" in lines
    service = yaml.safe_load((canned.folder / "work/service.yaml").read_text())
    assert service["metadata"]["name"] == "charges-model"
    assert service["spec"]["template"]["spec"]["serviceAccountName"] == "slipway-run@acme-ml.iam.gserviceaccount.com"


def test_a_second_run_makes_nothing_leaves_the_service_alone_and_gives_rights_on_it_only(canned, up):
    assert up().returncode == 0
    assert canned.position("create") is canned.position("replace") is canned.position("services update ") is None
    assert canned.position("providers update-oidc", "assertion.ref == 'refs/heads/main'") is not None
    bound = [call for call in canned.calls if "add-iam-policy-binding" in call]
    assert not [call for call in bound if call.startswith("projects ")], "no right in the whole project"
    run = [call for call in bound if call.startswith("run services add-iam-policy-binding charges-model ")]
    assert len(run) == 2 and not any("allUsers" in call for call in run), "nobody is let in unasked"
    assert not [call for call in bound if "--member=serviceAccount:slipway-run@" in call], "the service may do nothing"


def test_jobs_of_the_one_repository_in_their_environment_are_trusted(canned, up):
    assert up(STAGE="staging").returncode == 0
    trusted = [call.partition("/subject/")[2].split(" ")[0] for call in canned.calls if "workloadIdentityUser" in call]
    repository = "repo:acme/Charges.Model"
    assert trusted == [
        f"{repository}:environment:release",
        f"{repository}:ref:refs/heads/main",
        f"{repository}:environment:cloudrun-staging",
    ]


def test_github_says_how_subjects_begin_and_which_repository_it_is(canned, up):
    script = '#!/bin/sh\ncase "$*" in *customization*) echo repo:acme@7/charges@9;; *"--jq .id"*) echo 9;; esac\n'
    (canned.folder / "gh").write_text(script)
    (canned.folder / "gh").chmod(0o755)
    assert up().returncode == 0
    assert canned.position("subject/repo:acme@7/charges@9:environment:cloudrun") is not None
    assert canned.position("update-oidc", "assertion.repository_id == '9' && assertion.ref == 'refs/heads/main'") is not None


def test_a_public_service_is_open_to_all_and_a_deleted_login_is_brought_back(canned, up):
    done = up({"value(state)": (0, "DELETED")}, PUBLIC="yes")
    assert canned.position("run services add-iam-policy-binding", "allUsers", "roles/run.invoker") is not None
    assert "Only callers" not in done.stdout
    assert canned.position("workload-identity-pools undelete slipway-github") is not None
    assert canned.position("providers undelete github") is not None


@pytest.mark.parametrize("said", ["Service account slipway-run@x does not exist.", "NOT_FOUND: Unknown service account"])
def test_an_account_that_is_not_known_yet_is_waited_for(canned, up, said):
    late = [(1, said), (0, "")]
    assert up({"--role=roles/iam.serviceAccountUser": late}).returncode == 0
    done = up({"--role=roles/iam.serviceAccountUser": (1, "PERMISSION_DENIED")})
    assert done.returncode == 1 and "PERMISSION_DENIED" in done.stderr


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"GITHUB_REPOSITORY": ""}, "GITHUB_REPOSITORY is not set to owner/name"),
        ({"REGION": ""}, "set PROJECT and REGION"),
        ({"STACK": "much-too-long-a-name"}, "Use 4 to 14"),
        ({"STAGE": "test"}, 'STAGE is "test", not staging'),
        ({"PUBLIC": "no"}, 'PUBLIC is "no", not yes'),
        ({"NAME": "a" * 40, "STAGE": "staging"}, "at most 42 with -staging"),
        ({"GITHUB_REPOSITORY": f"acme/{'a' * 100}", "NAME": "a"}, "Google takes at most 127 characters"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(canned, up, environ, told):
    done = up(**environ)
    assert done.returncode == 1 and told in done.stderr
    assert all(call.startswith("projects describe") for call in canned.calls)


def test_the_service_fits_the_image_and_the_limits_of_cloud_run():
    service = yaml.safe_load((FOLDER / "service.yaml").read_text())
    [container] = service["spec"]["template"]["spec"]["containers"]
    startup, liveness = container["startupProbe"], container["livenessProbe"]
    assert startup["httpGet"]["path"] == "/readyz" and liveness["httpGet"]["path"] == "/healthz"
    for probe in (startup, liveness):
        assert probe["timeoutSeconds"] <= probe["periodSeconds"] and probe["periodSeconds"] * probe["failureThreshold"] <= 240
    graceful = next(each["value"] for each in container["env"] if each["name"] == "GUNICORN_CMD_ARGS")
    assert int(graceful.partition("=")[2]) < 10, "Cloud Run kills 10 seconds after SIGTERM"
    assert {each["name"] for each in container["env"]}.isdisjoint({"SLIPWAY_RELEASE", "SLIPWAY_COMMIT", "PORT"})


def test_teardown_deletes_one_service_with_its_accounts_after_its_name_was_typed(canned):
    environ = USUAL | {"NAME": "insurance"}
    wrong = canned.call([FOLDER / "teardown", "--yes", "other"], {}, environ)
    assert wrong.returncode == 1 and "Nothing was deleted" in wrong.stderr and canned.calls == []
    done = canned.call([FOLDER / "teardown", "--yes", "insurance"], {"accounts delete slipway-run@": ABSENT}, environ)
    assert done.returncode == 0, done.stderr
    assert [call.split(" --")[0] for call in canned.calls] == [
        "run services delete insurance",
        "iam service-accounts delete slipway-release@acme-ml.iam.gserviceaccount.com",
        "iam service-accounts delete slipway-run@acme-ml.iam.gserviceaccount.com",
    ]
    assert "gcloud artifacts repositories delete slipway --location=europe-west1 --project=acme-ml" in done.stdout
    denied = canned.call(
        [FOLDER / "teardown", "--yes", "insurance"], {"run services delete": (1, "PERMISSION_DENIED")}, environ
    )
    assert denied.returncode == 1 and "PERMISSION_DENIED" in denied.stderr
