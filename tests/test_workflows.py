"""What act cannot simulate of the workflows, asserted on the files: rights, pins, order, limits."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from rehearsal.workflow import played

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
MAIN = WORKFLOWS["main.yaml"]
# action → (tag, commit), read from the actions' repositories
PINS = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "aws-actions/configure-aws-credentials": ("v6.2.3", "e6de054238d6b7531b4efff3b6587d9aade6a06c"),
}


def triggers(workflow: dict) -> dict:
    return workflow[True]  # YAML 1.1 reads the key `on` as true


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_pinned_actions_that_must_be_actions(name):
    text = (FOLDER / name).read_text()
    used = re.findall(r"uses: (\S+)@(\S+) # (\S+)", text)
    assert len(used) == text.count("uses:")
    for action, commit, tag in used:
        assert (tag, commit) == PINS[action]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_inside_a_script(name):
    assert [step["run"] for step in steps(WORKFLOWS[name]) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_allowed_unless_a_job_asks_for_it(name):
    assert WORKFLOWS[name]["permissions"] == {}
    assert all("permissions" in job for job in WORKFLOWS[name]["jobs"].values())


@pytest.mark.parametrize(
    "name, job, rights",
    [
        ("main.yaml", "integration", {"contents": "read"}),
        ("main.yaml", "end-to-end", {"contents": "read"}),
        ("main.yaml", "settings", {}),
        ("main.yaml", "delivery", {"contents": "read", "id-token": "write"}),
        ("main.yaml", "approval", {}),
        ("main.yaml", "deployment", {}),
        ("main.yaml", "journal", {"contents": "read", "id-token": "write"}),
        ("retrain.yaml", "retrain", {"contents": "write", "pull-requests": "write", "actions": "write", "id-token": "write"}),
    ],
)
def test_rights_are_the_least(name, job, rights):
    assert WORKFLOWS[name]["jobs"][job]["permissions"] == rights


@pytest.mark.parametrize("name, job", JOBS)
def test_every_job_ends_some_day(name, job):
    assert 0 < WORKFLOWS[name]["jobs"][job]["timeout-minutes"] <= 120


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_checkout_leaves_no_credential_behind(name):
    found = [step for step in steps(WORKFLOWS[name]) if step.get("uses", "").startswith("actions/checkout@")]
    assert found and all(step["with"]["persist-credentials"] is False for step in found)
    assert all(not {"ref", "repository"} & set(step["with"]) for step in found)


def test_the_jobs_have_the_names_that_people_know_and_come_one_after_the_other():
    assert {name: job["name"] for name, job in MAIN["jobs"].items()} == {
        "integration": "Continuous Integration",
        "end-to-end": "End-to-end Tests",
        "settings": "Settings",
        "delivery": "Continuous Delivery",
        "approval": "Approval",
        "deployment": "Continuous Deployment",
        "journal": "Release journal",
    }
    assert MAIN["jobs"]["delivery"]["needs"] == ["integration", "end-to-end", "settings"]
    assert MAIN["jobs"]["approval"]["needs"] == ["integration", "settings"]
    assert MAIN["jobs"]["deployment"]["needs"] == ["integration", "delivery", "approval"]


def test_a_revert_goes_live_without_the_store():
    """Once the image is found, no step before the deployment installs anything or asks S3."""
    later = [step for step in MAIN["jobs"]["delivery"]["steps"] if re.search("pip|slipway pull", step.get("run", ""))]
    assert later and all(step.get("if") == "steps.found.outputs.digest == ''" for step in later)


@pytest.mark.parametrize("job", ["settings", "delivery", "approval", "deployment", "journal"])
def test_a_pull_request_and_another_branch_never_deploy(job):
    assert MAIN["jobs"][job]["if"].endswith("github.event_name != 'pull_request' && github.ref == 'refs/heads/main'")


def look_for_settings(folder: Path, **settings: str) -> tuple[str, str]:
    """Run the step of the job Settings; what it outputs, and the job summary."""
    [step] = MAIN["jobs"]["settings"]["steps"]
    files = {"GITHUB_OUTPUT": folder / "output", "GITHUB_STEP_SUMMARY": folder / "summary"}
    for path in files.values():
        path.touch()
    environ = dict.fromkeys(step["env"], "") | {name: str(path) for name, path in files.items()} | settings
    subprocess.run(["bash", "-e", "-c", step["run"]], env=environ, check=True, timeout=60)
    return files["GITHUB_OUTPUT"].read_text(), files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"HEROKU_API_KEY": "x"},
        {
            "HEROKU_API_KEY": "x",
            "SLIPWAY_REMOTE": "s3://bucket",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        },
    ],
    ids=["nothing", "Heroku", "Heroku with a bundle in S3"],
)
def test_a_repository_without_a_box_is_told_that_nothing_is_released(tmp_path, settings):
    found, summary = look_for_settings(tmp_path, **settings)
    assert found == "" and "Nothing is released to a box" in summary and "docs/release.md" in summary


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ECR_LOGIN_URI",
        "ECR_REPOSITORY_NAME",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "SLIPWAY_REMOTE",
    ],
)
def test_one_setting_of_aws_is_enough_for_the_delivery_to_ask_for_the_others(tmp_path, name):
    assert look_for_settings(tmp_path, **{name: "x"}) == ("found=true\n", "")
    for job in ("delivery", "approval"):
        assert MAIN["jobs"][job]["if"].startswith("needs.settings.outputs.found == 'true' && ")
    names = [step["name"] for step in MAIN["jobs"]["delivery"]["steps"]]
    assert names.index("Check the settings") < names.index("Take the role, or the keys")


@pytest.mark.parametrize("name", ["AWS_ECR_LOGIN_URI", "ECR_REPOSITORY_NAME"])
def test_beside_heroku_a_setting_of_the_registry_asks_for_a_release(tmp_path, name):
    assert look_for_settings(tmp_path, HEROKU_API_KEY="x", **{name: "x"}) == ("found=true\n", "")


def test_the_journal_tells_how_a_deployment_ended_and_nothing_waits_for_it():
    job = MAIN["jobs"]["journal"]
    assert job["needs"] == ["integration", "delivery", "approval", "deployment"]
    assert job["if"].startswith("always() && needs.delivery.result == 'success' && ")
    assert job["steps"][-1]["env"]["OUTCOME"] == (
        "${{ needs.approval.result == 'success' && needs.deployment.result || 'rejected' }}"
    )
    assert all("journal" not in each.get("needs", "") for each in MAIN["jobs"].values())


def test_every_python_that_is_declared_is_tested_and_lint_runs_once():
    job = MAIN["jobs"]["integration"]
    pythons = job["strategy"]["matrix"]["python"]
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert [each.removeprefix("Programming Language :: Python :: ") for each in declared] == pythons
    assert f"py{{{','.join(each.replace('.', '') for each in pythons)}}}" in (ROOT / "tox.ini").read_text()
    assert pythons[0] == (ROOT / ".python-version").read_text().strip()
    conditions = {step["name"]: step.get("if", "") for step in job["steps"]}
    assert conditions["Test"] == ""
    for name in (
        "Lint code, workflows and Dockerfile",
        "Build the documentation",
        "Keep the documentation",
        "Compare the model with that of the base",
    ):
        assert conditions[name].endswith(f"matrix.python == '{pythons[0]}'")


def test_the_browser_and_the_containers_are_tested_beside_the_integration_and_delivery_needs_both():
    job = MAIN["jobs"]["end-to-end"]
    assert "needs" not in job and "if" not in job, "a pull request is tested too, and nothing waits"
    assert [step["run"] for step in job["steps"] if step["name"].startswith("Test")] == ["make e2e JUNIT=report.xml"]
    assert job["steps"][-1] == MAIN["jobs"]["integration"]["steps"][-2], "both report their tests"
    assert "end-to-end" in MAIN["jobs"]["delivery"]["needs"] and "delivery" in MAIN["jobs"]["deployment"]["needs"]


def test_act_plays_all_of_main_but_the_job_that_plays_it():
    """The word `queue` is the other difference: act plays no concurrency, and refuses the word."""
    copy = yaml.safe_load(played((FOLDER / "main.yaml").read_text()))
    whole = yaml.safe_load((FOLDER / "main.yaml").read_text())
    del whole["jobs"]["end-to-end"]
    whole["jobs"]["delivery"]["needs"].remove("end-to-end")
    del whole["jobs"]["deployment"]["concurrency"]["queue"]
    assert copy == whole


def test_every_other_workflow_is_played_as_it_is():
    for name in set(WORKFLOWS) - {"main.yaml"}:
        assert played((FOLDER / name).read_text()) == (FOLDER / name).read_text()


def test_an_earlier_commit_is_chosen_alike_by_both_jobs_that_test_and_every_job_works_on_it():
    assert triggers(MAIN)["workflow_dispatch"]["inputs"]["commit"]["default"] == ""
    integration, beside, *others = (MAIN["jobs"][name] for name in ("integration", "end-to-end", "delivery", "journal"))
    assert integration["outputs"] == {"commit": "${{ steps.commit.outputs.commit }}"}
    assert integration["steps"][0] == beside["steps"][0]
    for job in (integration, beside):
        assert job["steps"][1]["env"] == {"COMMIT": "${{ inputs.commit }}"}
        assert "slipway.release commit" in job["steps"][1]["run"] and "git checkout" in job["steps"][1]["run"]
    for job in others:
        first, second = job["steps"][:2]
        assert first["with"]["fetch-depth"] == 0
        assert second["if"] == "inputs.commit != ''" and "git checkout" in second["run"]
        assert second["env"] == {"COMMIT": "${{ needs.integration.outputs.commit }}"}
    assert "GITHUB_SHA" not in (FOLDER / "main.yaml").read_text()


def test_only_what_is_in_the_image_deploys():
    assert triggers(MAIN)["push"] == {
        "branches": ["main"],
        "paths-ignore": ["**.md", "docs/**", "examples/**", "LICENSE"],
    }
    names = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    assert not any(name.endswith(".md") or name.startswith(("docs", "examples", "LICENSE")) for name in names)


def test_the_box_gets_no_code_no_secret_and_one_command():
    job = MAIN["jobs"]["deployment"]
    assert job["runs-on"] == ["self-hosted", "slipway"]
    assert [list(step) for step in job["steps"]] == [["name", "env", "run"]]
    [step] = job["steps"]
    assert step["env"] == {
        "DIGEST": "${{ needs.delivery.outputs.digest }}",
        "KEY": "${{ needs.delivery.outputs.key }}",
        "COMMIT": "${{ needs.integration.outputs.commit }}",
    }
    assert "sudo --non-interactive /usr/local/sbin/slipway-release |" in step["run"]
    assert "secrets." not in yaml.safe_dump(job)


def test_a_release_that_waits_for_approval_holds_nothing():
    """Its own revert overtakes it: runs on main share no group, and the job that waits is in none."""
    each_run_alone = "main-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}"
    assert MAIN["concurrency"] == {"group": each_run_alone, "cancel-in-progress": True}
    assert [name for name, job in MAIN["jobs"].items() if "environment" in job] == ["approval"]
    assert MAIN["jobs"]["approval"]["environment"] == "production"
    assert [name for name, job in MAIN["jobs"].items() if "concurrency" in job] == ["deployment"]


def test_deployments_come_one_after_the_other_and_none_is_cancelled():
    assert MAIN["jobs"]["deployment"]["concurrency"] == {
        "group": "deployment",
        "cancel-in-progress": False,
        "queue": "max",
    }


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_the_deployment_runs_on_a_machine_of_ours(name):
    for job_name, job in WORKFLOWS[name]["jobs"].items():
        assert job["runs-on"] == "ubuntu-latest" or (name, job_name) == ("main.yaml", "deployment")


def test_every_setting_of_the_tutorials_works_as_a_secret():
    text = (FOLDER / "main.yaml").read_text() + (FOLDER / "retrain.yaml").read_text()
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_ECR_LOGIN_URI",
        "ECR_REPOSITORY_NAME",
        "MONGO_DB_URL",
    ):
        assert f"secrets.{name} }}}}" in text


def test_retraining_is_scheduled_and_can_be_started_by_hand():
    assert set(triggers(WORKFLOWS["retrain.yaml"])) == {"schedule", "workflow_dispatch"}
    assert WORKFLOWS["retrain.yaml"]["jobs"]["retrain"]["if"] == "github.ref == 'refs/heads/main'"
