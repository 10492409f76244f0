"""What act cannot simulate of the workflows, asserted on the files: rights, pins, order, limits."""

import json
import re
import subprocess
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml

from rehearsal.project import played
from slipway.release.workflow.road_settings import LOGINS, ROADS
from slipway.store.transfer import OUTCOMES

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
MAIN, RELEASE, DEPLOY = (WORKFLOWS[name]["jobs"] for name in ("main.yaml", "release.yaml", "deploy.yaml"))
CALLS = [(name, job) for name, job in JOBS if "uses" in WORKFLOWS[name]["jobs"][job]]  # without steps and without a machine
LOGGING_IN = ("aws-actions/", "azure/login@", "google-github-actions/auth@")
ON_MAIN = "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'"
# action → (tag, commit), read from the actions' repositories
PINS = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "aws-actions/configure-aws-credentials": ("v6.2.3", "e6de054238d6b7531b4efff3b6587d9aade6a06c"),
    "azure/login": ("v3.0.1", "f5d393ae46f8fde4be8b75f32e3fc50e654ad0ca"),
    "google-github-actions/auth": ("v3.0.0", "7c6bc770dae815cd3e89ee6cdf493a5fab2cc093"),
    "google-github-actions/get-gke-credentials": ("v3.0.0", "3da1e46a907576cefaa90c484278bb5b259dd395"),
}


def triggers(workflow: dict) -> dict:
    return workflow[True]  # YAML 1.1 reads the key `on` as true


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_pinned_actions_that_must_be_actions(name):
    text = (FOLDER / name).read_text()
    used = re.findall(r"uses: (\S+)@(\S+) # (\S+)", text)
    assert len(used) == text.count("uses:") - text.count("uses: ./.github/workflows/")
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
        ("main.yaml", "release", {"contents": "read", "id-token": "write"}),
        ("release.yaml", "tested", {"contents": "read", "id-token": "write"}),
        ("release.yaml", "integration", {"contents": "read"}),
        ("release.yaml", "end-to-end", {"contents": "read"}),
        ("release.yaml", "delivery", {"contents": "read", "id-token": "write"}),
        ("main.yaml", "staging", {"contents": "read", "id-token": "write"}),
        ("main.yaml", "approval", {}),
        ("main.yaml", "deployment", {"contents": "read", "id-token": "write"}),
        ("deploy.yaml", "box", {}),
        ("deploy.yaml", "fargate", {"contents": "read", "id-token": "write"}),
        *(("deploy.yaml", road, {"contents": "read", "id-token": "write"}) for road in ("kubernetes", "webapp", "cloudrun")),
        ("main.yaml", "journal", {"contents": "read", "id-token": "write"}),
        ("retrain.yaml", "retrain", {"contents": "write", "pull-requests": "write", "actions": "write", "id-token": "write"}),
    ],
)
def test_rights_are_the_least(name, job, rights):
    assert WORKFLOWS[name]["jobs"][job]["permissions"] == rights


@pytest.mark.parametrize("name, job", [each for each in JOBS if each not in CALLS])
def test_every_job_ends_some_day(name, job):
    assert 0 < WORKFLOWS[name]["jobs"][job]["timeout-minutes"] <= 120


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_checkout_leaves_no_credential_behind(name):
    found = [step for step in steps(WORKFLOWS[name]) if step.get("uses", "").startswith("actions/checkout@")]
    assert found and all(step["with"]["persist-credentials"] is False for step in found)
    assert all(not {"ref", "repository"} & set(step["with"]) for step in found)


def test_the_jobs_have_the_names_that_people_know_and_come_one_after_the_other():
    assert {name: job["name"] for name, job in (RELEASE | MAIN).items()} == {
        "tested": "Tested Before",
        "integration": "Continuous Integration",
        "end-to-end": "End-to-end Tests",
        "delivery": "Continuous Delivery",
        "release": "Release",
        "staging": "Staging",
        "approval": "Approval",
        "deployment": "Continuous Deployment",
        "journal": "Release journal",
    }
    titles = ("Box", "Fargate", "Kubernetes", "Web App", "Cloud Run")
    assert {name: job["name"] for name, job in DEPLOY.items()} == dict(zip(ROADS, titles, strict=True))
    assert RELEASE["integration"]["needs"] == RELEASE["end-to-end"]["needs"] == "tested"
    assert RELEASE["delivery"]["needs"] == ["tested", "integration", "end-to-end"]
    assert MAIN["staging"]["needs"] == "release"
    assert MAIN["approval"]["needs"] == ["release", "staging"]
    assert MAIN["deployment"]["needs"] == ["release", "approval"]


def test_main_calls_the_workflow_that_tests_and_delivers():
    """By name, secrets of the environment `release` would be empty there: only inherited ones are replaced by them."""
    call = MAIN["release"]
    assert call["uses"] == "./.github/workflows/release.yaml"
    assert (call["with"], call["secrets"]) == ({"commit": "${{ inputs.commit }}"}, "inherit")
    assert triggers(WORKFLOWS["release.yaml"]).keys() == {"workflow_call"}
    outputs = triggers(WORKFLOWS["release.yaml"])["workflow_call"]["outputs"]
    assert {name: each["value"] for name, each in outputs.items()} == {
        "commit": "${{ jobs.tested.outputs.commit }}",
        "key": "${{ jobs.tested.outputs.key || jobs.delivery.outputs.key }}",
        "digest": "${{ jobs.tested.outputs.digest || jobs.delivery.outputs.digest }}",
    }


def test_an_image_that_passed_these_tests_is_neither_tested_nor_delivered_again():
    """Delivery needs both jobs that test, and what needs a skipped job is skipped; a failed one ends it, too."""
    for job in ("integration", "end-to-end"):
        assert RELEASE[job]["if"] == "needs.tested.outputs.digest == ''"
    for call in ("always()", "cancelled()", "failure()"):
        assert call not in RELEASE["delivery"]["if"]
    for job in ("staging", "approval"):
        assert MAIN[job]["if"].startswith(
            "!cancelled() && needs.release.result == 'success' && needs.release.outputs.digest != '' && "
        )
    assert MAIN["deployment"]["if"].startswith("!cancelled() && needs.approval.result == 'success' && ")


def test_whoever_asks_whether_it_was_tested_may_only_read_and_runs_the_release_program_alone():
    job = RELEASE["tested"]
    found = {step["id"]: step for step in job["steps"] if step.get("id") in ("aws", "azure", "google", "known")}
    asking = found.pop("known")
    readers = {"aws": "AWS_READ_ROLE_ARN", "azure": "AZURE_READ_CLIENT_ID", "google": "GCP_READ_SERVICE_ACCOUNT"}
    for name, (kind, setting) in zip(
        readers, [("ecr", "role-to-assume"), ("azure", "client-id"), ("google", "service_account")]
    ):
        login = found[name]
        assert login["with"][setting] == f"${{{{ vars.{readers[name]} }}}}"
        assert login["if"].endswith(f"steps.roads.outputs.kind == '{kind}' && vars.{readers[name]} != ''")
        assert login["continue-on-error"], "whoever cannot ask tests"
        assert not re.search("secrets\\.(?!AWS_REGION)", str(login)), "a password that pushes"
    assert asking["if"] == " || ".join(f"steps.{name}.outcome == 'success'" for name in readers)
    assert asking["continue-on-error"]
    assert "environment" not in job, "nothing that pushes is within reach"
    programs = re.findall(r"(?:python3?|make|bash|pip)\b.*", "\n".join(step.get("run", "") for step in job["steps"]))
    assert programs and all(line.startswith("python3 -m slipway.release ") for line in programs)


def test_only_the_delivery_notes_that_an_image_passed_and_only_after_the_tests():
    noting = [(name, step) for name, job in (RELEASE | MAIN).items() for step in job.get("steps", []) if "--note" in str(step)]
    [(job, step)] = noting
    assert job == "delivery" and step == RELEASE["delivery"]["steps"][-1]
    assert "if" not in step and {"integration", "end-to-end"} < set(RELEASE["delivery"]["needs"])


def test_jobs_that_may_write_are_in_the_environment_that_is_restricted_to_main():
    found = {(name, job) for name, job in JOBS if WORKFLOWS[name]["jobs"][job].get("environment") == "release"}
    assert found == {("release.yaml", "delivery"), ("main.yaml", "journal"), ("retrain.yaml", "retrain")}
    taking = {(name, job) for name, job in JOBS if "AWS_ROLE_ARN }}" in str(WORKFLOWS[name]["jobs"][job].get("steps"))}
    assert taking - {("release.yaml", "tested")} == found


def test_a_revert_goes_live_without_the_store():
    """`deliver` asks the store only for what it builds; no other step before the deployment installs anything or asks S3."""
    later = [step["name"] for step in RELEASE["delivery"]["steps"] if re.search("pip|slipway pull", step.get("run", ""))]
    assert later == []


@pytest.mark.parametrize("job", ["delivery", "staging", "approval", "deployment", "journal", *ROADS])
def test_a_pull_request_and_another_branch_never_deploy(job):
    """Also where it is deployed: a workflow of another branch can call deploy.yaml as it is on main."""
    assert (RELEASE | MAIN | DEPLOY)[job]["if"].endswith(f" && {ON_MAIN}")
    [settings] = (step for step in RELEASE["tested"]["steps"] if step.get("id") == "settings")
    assert settings["if"] == ON_MAIN


def look_for_settings(folder: Path, **settings: str) -> tuple[str, str]:
    """Run the step that looks for settings; what it outputs, and the job summary."""
    [step] = (step for step in RELEASE["tested"]["steps"] if step.get("id") == "settings")
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
def test_a_repository_without_a_registry_is_told_that_nothing_is_released(tmp_path, settings):
    found, summary = look_for_settings(tmp_path, **settings)
    assert found == "" and "Nothing is released: no registry is set" in summary and "docs/release.md" in summary


@pytest.mark.parametrize(
    "name",
    [
        "REGISTRY",
        "REPOSITORY",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "SLIPWAY_REMOTE",
    ],
)
def test_one_setting_is_enough_for_the_delivery_to_ask_for_the_others(tmp_path, name):
    assert look_for_settings(tmp_path, **{name: "x"}) == ("found=true\n", "")
    assert RELEASE["delivery"]["if"].startswith("needs.tested.outputs.settings == 'true' && ")
    names = [step["name"] for step in RELEASE["delivery"]["steps"]]
    logins = [index for index, name in enumerate(names) if name.startswith(("Take the role", "Log in"))]
    assert len(logins) == 4 and names.index("Check the settings") < min(logins)


@pytest.mark.parametrize("name", ["REGISTRY", "REPOSITORY"])
def test_beside_heroku_a_setting_of_the_registry_asks_for_a_release(tmp_path, name):
    assert look_for_settings(tmp_path, HEROKU_API_KEY="x", **{name: "x"}) == ("found=true\n", "")


def test_the_journal_tells_how_a_deployment_ended_and_nothing_waits_for_it():
    job = MAIN["journal"]
    assert job["needs"] == ["release", "staging", "approval", "deployment"]
    assert job["if"].startswith("always() && needs.release.result == 'success' && needs.release.outputs.digest != '' && ")
    assert all("journal" not in each.get("needs", "") for each in MAIN.values())


def test_the_journal_takes_every_outcome():
    for staging, approval, deployment in product(("success", "failure", "cancelled", "skipped"), repeat=3):
        results = {"staging": staging, "approval": approval, "deployment": deployment}
        outcome = value_of(MAIN["journal"]["steps"][-1]["env"]["OUTCOME"], results)
        assert outcome in OUTCOMES
        if approval == "success":
            assert outcome == {"skipped": "cancelled"}.get(deployment, deployment)
        else:
            assert outcome == ("failure" if staging == "failure" else "rejected")


def value_of(expression: str, results: dict[str, str]) -> str:
    """What GitHub makes of an expression over the results of jobs; && and || are those of Python."""
    text = expression.strip().removeprefix("${{").removesuffix("}}").replace("&&", "and").replace("||", "or").strip()
    return eval(re.sub(r"needs\.(\w+)\.result", lambda found: repr(results[found[1]]), text))


def test_every_python_that_is_declared_is_tested_and_lint_runs_once():
    job = RELEASE["integration"]
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


def test_the_browser_the_containers_and_the_engines_are_tested_beside_the_integration_and_delivery_needs_both():
    job = RELEASE["end-to-end"]
    assert job["needs"] == "tested", "a pull request is tested too, and nothing else waits"
    assert [step["run"] for step in job["steps"] if step["name"].startswith("Test")] == [
        "make e2e JUNIT=report.xml",
        ".ci/engines && make engines JUNIT=engines.xml",
    ]
    [report] = (step for step in RELEASE["integration"]["steps"] if step["name"] == "Report the tests")
    summary = 'PYTHONPATH=src python3 -m slipway.release junit {} >> "$GITHUB_STEP_SUMMARY"'
    assert (report["if"], report["run"]) == ("always()", summary.format("report.xml"))
    assert job["steps"][-1]["if"] == "always()" and summary.format('"$report"') in job["steps"][-1]["run"]


def test_known_holes_are_looked_for_after_the_tests_and_never_hold_up_an_earlier_commit():
    """A revert that passed before is not tested again, and so not audited: the job is skipped."""
    names = [step["name"] for step in RELEASE["integration"]["steps"]]
    [audit] = (step for step in RELEASE["integration"]["steps"] if "make --silent audit" in step.get("run", ""))
    assert names.index("Test") < names.index(audit["name"])
    assert audit["if"] == "matrix.python == '3.11' && inputs.commit == ''" and "continue-on-error" not in audit
    assert "integration" in RELEASE["delivery"]["needs"]
    [daily] = WORKFLOWS["audit.yaml"]["jobs"].values()
    assert daily["steps"][-1]["run"] == audit["run"] and "schedule" in triggers(WORKFLOWS["audit.yaml"])


def test_act_plays_all_but_the_job_that_plays_it():
    """The word `queue` is the other difference: act plays no concurrency, and refuses the word."""
    copies = {name: yaml.safe_load(played((FOLDER / name).read_text())) for name in WORKFLOWS}
    whole = {name: yaml.safe_load((FOLDER / name).read_text()) for name in WORKFLOWS}
    del whole["release.yaml"]["jobs"]["end-to-end"]
    whole["release.yaml"]["jobs"]["delivery"]["needs"].remove("end-to-end")
    for road in ROADS:
        del whole["deploy.yaml"]["jobs"][road]["concurrency"]["queue"]
    assert copies == whole


def test_an_earlier_commit_is_chosen_once_and_every_job_works_on_it():
    assert triggers(WORKFLOWS["main.yaml"])["workflow_dispatch"]["inputs"]["commit"]["default"] == ""
    [choosing] = (step for step in RELEASE["tested"]["steps"] if step.get("id") == "commit")
    assert choosing["env"] == {"COMMIT": "${{ inputs.commit }}"}
    assert "slipway.release commit" in choosing["run"] and "git checkout" in choosing["run"]
    others = [(RELEASE[name], "tested") for name in ("integration", "end-to-end", "delivery")] + [(MAIN["journal"], "release")]
    for job, chooser in others:
        first, second = [step for step in job["steps"] if step["name"] != "Keep the Slipway of now"][:2]
        assert first["with"]["fetch-depth"] == 0
        assert second["if"] == "inputs.commit != ''" and "git checkout" in second["run"]
        assert second["env"] == {"COMMIT": f"${{{{ needs.{chooser}.outputs.commit }}}}"}
    assert all("GITHUB_SHA" not in (FOLDER / name).read_text() for name in ("main.yaml", "release.yaml"))


def test_only_what_is_in_the_image_deploys():
    assert triggers(WORKFLOWS["main.yaml"])["push"] == {
        "branches": ["main"],
        "paths-ignore": ["**.md", "docs/**", "examples/**", "LICENSE"],
    }
    names = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    assert not any(name.endswith(".md") or name.startswith(("docs", "examples", "LICENSE")) for name in names)


def test_the_box_gets_no_code_no_secret_and_one_command():
    job = DEPLOY["box"]
    assert job["runs-on"] == ["self-hosted", "${{ inputs.stage == 'staging' && 'slipway-staging' || 'slipway' }}"]
    assert [list(step) for step in job["steps"]] == [["name", "env", "run"]]
    [step] = job["steps"]
    assert step["env"] == {
        "DIGEST": "${{ inputs.digest }}",
        "KEY": "${{ inputs.key }}",
        "COMMIT": "${{ inputs.commit }}",
    }
    assert "sudo --non-interactive /usr/local/sbin/slipway-release |" in step["run"]


@pytest.mark.parametrize("road", ROADS)
def test_every_road_gets_the_same_request(road):
    run = DEPLOY[road]["steps"][-1]["run"]
    asked = '"digest": "%s", "key": "%s", "commit": "%s", "run_number": %s'
    assert f"printf '{{{asked}}}'" in run and '"$DIGEST" "$KEY" "$COMMIT" "$GITHUB_RUN_NUMBER"' in run


def test_the_box_s_job_ends_as_its_program_ends():
    lines = DEPLOY["box"]["steps"][-1]["run"].splitlines()
    assert (lines[0], lines[-1]) == ("status=0", 'exit "$status"')
    assert 'sed -n \'s/^Result: //p\' "$RUNNER_TEMP/release.log" >> "$GITHUB_STEP_SUMMARY"' in lines


@pytest.mark.parametrize("road", ROADS[1:])
def test_the_program_of_a_road_in_the_cloud_is_the_process_that_a_cancelled_job_signals(road):
    """GitHub signals no child of the step's shell; tests/release/fargate/test_command.py plays it."""
    run = DEPLOY[road]["steps"][-1]["run"]
    last = run.replace("\\\n", " ").splitlines()[-1]
    assert last.startswith(f"exec python3 -m slipway.release deploy {road} ")
    assert '< "$RUNNER_TEMP/request.json"' in last and "|" not in run


@pytest.mark.parametrize(
    "road, arguments",
    [
        ("fargate", ["insurance-staging"]),
        ("kubernetes", ["insurance-staging", "--overlay", "deploy/kubernetes/eks-staging"]),
        ("webapp", ["insurance-7", "--group", "models"]),
        ("cloudrun", ["insurance-staging", "--region", "europe-west1"]),
    ],
)
def test_the_program_of_a_road_gets_the_request_and_the_names(tmp_path, road, arguments):
    """A Web App has a name of its own in each environment; elsewhere the name is the last part of the repository's."""
    (tmp_path / "python3").write_text('#!/bin/bash\nprintf "%s\\n" "$@"\ncat\n')
    (tmp_path / "python3").chmod(0o755)
    environ = {"STAGE": "staging", "REGISTRY": "registry.example.org", "REPOSITORY": "project/models/insurance"}
    environ |= {"DIGEST": "d", "KEY": "k", "COMMIT": "c", "GITHUB_RUN_NUMBER": "7", "SLIPWAY_OVERLAY": "eks-staging"}
    environ |= {"APP": "insurance-7", "GROUP": "models", "LOCATION": "europe-west1", "RUNNER_TEMP": str(tmp_path)}
    run = DEPLOY[road]["steps"][-1]["run"]
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | environ
    done = subprocess.run(["bash", "-e", "-c", run], env=own, capture_output=True, text=True, check=True, timeout=60)
    *told, request = done.stdout.splitlines()
    name, *options = arguments
    place = ["--repository", "registry.example.org/project/models/insurance"]
    assert told == ["-m", "slipway.release", "deploy", road, name, *place, *options]
    assert json.loads(request) == {"digest": "d", "key": "k", "commit": "c", "run_number": 7}


@pytest.mark.parametrize("road", ROADS[1:])
def test_a_road_in_the_cloud_is_reached_from_the_commit_by_the_role_of_its_environment(road):
    """The settings are checked before the first login, and the environment differs for staging."""
    job = DEPLOY[road]
    assert job["environment"] == f"${{{{ inputs.stage == 'staging' && '{road}-staging' || '{road}' }}}}"
    names = [step["name"] for step in job["steps"]]
    assert names[:3] == ["Check out", "Go to the commit", "Check the settings"] and names[-1] == "Release"
    assert job["steps"][1]["if"] == "inputs.commit != github.sha"
    assert f"settings --road {road} --stage" in job["steps"][2]["run"]
    assert [step["name"] for step in job["steps"] if step.get("uses", "").startswith(LOGGING_IN)] == {
        "fargate": ["Take the role"],
        "kubernetes": ["Take the role at AWS", "Log in at Google", "Log in at Azure"],
        "webapp": ["Log in at Azure"],
        "cloudrun": ["Log in at Google"],
    }[road]
    for role in (step for step in job["steps"] if step.get("uses", "").startswith("aws-actions/")):
        assert role["with"] == {"aws-region": "${{ vars.AWS_REGION }}", "role-to-assume": "${{ vars.AWS_DEPLOY_ROLE_ARN }}"}


def test_a_cluster_is_logged_in_at_by_the_overlay():
    """The step that checks the settings refuses every other name."""
    conditions = [step["if"] for step in DEPLOY["kubernetes"]["steps"][3:-1]]
    assert conditions == [f"startsWith(vars.SLIPWAY_OVERLAY, '{each}')" for each in LOGINS for _ in range(2)]


@pytest.mark.parametrize("road", ROADS)
def test_a_road_that_is_not_named_is_left_out(road):
    assert DEPLOY[road]["if"].startswith(f"!cancelled() && contains(inputs.roads, '{road}') && ")
    assert [other for other in ROADS if road in other] == [road], "contains() looks for a part of the text"


def test_staging_gets_what_production_gets_before_anybody_is_asked():
    staging, production = MAIN["staging"]["with"], MAIN["deployment"]["with"]
    assert (staging.pop("stage"), production.pop("stage")) == ("staging", "production")
    assert (staging.pop("roads"), production.pop("roads")) == (
        "${{ vars.SLIPWAY_STAGING }}",
        "${{ vars.SLIPWAY_ROAD || 'box' }}",
    )
    assert staging == production == {each: f"${{{{ needs.release.outputs.{each} }}}}" for each in ("commit", "key", "digest")}
    assert {"./.github/workflows/deploy.yaml"} == {MAIN[job]["uses"] for job in ("staging", "deployment")}
    assert " && vars.SLIPWAY_STAGING != '' && " in MAIN["staging"]["if"]
    passed = "needs.staging.result == 'success' || needs.staging.result == 'skipped' && vars.SLIPWAY_STAGING == ''"
    assert f" && ({passed}) && " in MAIN["approval"]["if"], "nor after a staging that failed before the variable was deleted"


def test_where_a_release_goes_is_checked_first_by_the_slipway_of_now():
    """Before an earlier commit is checked out, whose Slipway may not know the road."""
    names = [step["name"] for step in RELEASE["tested"]["steps"]]
    check = RELEASE["tested"]["steps"][names.index("Check where it is to go")]
    assert names.index("Check where it is to go") < names.index("Choose the commit")
    assert (check["if"], check["run"]) == (ON_MAIN, 'python3 -m slipway.release settings --roads >> "$GITHUB_OUTPUT"')
    assert "continue-on-error" not in check


def test_an_image_is_built_on_a_machine_of_its_platform_and_the_key_knows_it():
    machine = "${{ vars.SLIPWAY_PLATFORM == 'linux/arm64' && 'ubuntu-24.04-arm' || 'ubuntu-latest' }}"
    assert RELEASE["delivery"]["runs-on"] == machine
    for job in ("tested", "delivery"):
        assert RELEASE[job]["env"]["SLIPWAY_PLATFORM"] == "${{ vars.SLIPWAY_PLATFORM }}"


@pytest.mark.parametrize("given, code", [("wanted", 0), ("other", 1)])
def test_an_earlier_commit_whose_slipway_does_not_know_the_platform_is_refused(tmp_path, given, code):
    """Its key would be that of the usual platform, and name an image that the tasks cannot run."""
    names = [step["name"] for step in RELEASE["tested"]["steps"]]
    check = next(step for step in RELEASE["tested"]["steps"] if "knows the platform" in step["name"])
    assert names.index("Choose the commit") < names.index(check["name"]) < names.index("Look for any setting of a release")
    choosing = RELEASE["tested"]["steps"][names.index("Choose the commit")]["run"]
    assert choosing.index('key "$commit"') < choosing.index("git checkout"), "with the Slipway of now"
    (tmp_path / "python3").write_text(f"#!/bin/sh\necho {given}\n")
    (tmp_path / "python3").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "KEY": "wanted", "COMMIT": "c" * 40, "SLIPWAY_PLATFORM": "linux/arm64"}
    done = subprocess.run(["bash", "-e", "-c", check["run"]], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == code and ("revert to it instead" in done.stdout) == bool(code)


def test_a_release_that_waits_for_approval_holds_nothing():
    """Its own revert overtakes it: runs on main share no group, and the job that waits is in none."""
    each_run_alone = "main-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}"
    assert WORKFLOWS["main.yaml"]["concurrency"] == {"group": each_run_alone, "cancel-in-progress": True}
    assert [name for name, job in MAIN.items() if job.get("environment") == "production"] == ["approval"]
    assert [name for name, job in (RELEASE | MAIN).items() if "concurrency" in job] == []


@pytest.mark.parametrize("road", ROADS)
def test_deployments_come_one_after_the_other_and_none_is_cancelled(road):
    """On each road and each stage: neither the other road nor staging is waited for."""
    assert DEPLOY[road]["concurrency"] == {
        "group": f"deployment-{road}-${{{{ inputs.stage }}}}",
        "cancel-in-progress": False,
        "queue": "max",
    }


def test_a_release_on_cloud_run_knows_as_whom_it_asks_a_private_service():
    """gcloud gives an identity token to a login by federation only if it is told whose."""
    *_, login, release = DEPLOY["cloudrun"]["steps"]
    assert release["env"]["GCP_SERVICE_ACCOUNT"] == login["with"]["service_account"] == "${{ vars.GCP_SERVICE_ACCOUNT }}"


@pytest.mark.parametrize("name, job", [each for each in JOBS if each not in CALLS])
def test_only_the_deployment_runs_on_a_machine_of_ours(name, job):
    machine = WORKFLOWS[name]["jobs"][job]["runs-on"]
    assert (machine == "ubuntu-latest") == ((name, job) not in {("deploy.yaml", "box"), ("release.yaml", "delivery")})


def test_every_setting_of_the_tutorials_works_as_a_secret():
    text = "".join((FOLDER / name).read_text() for name in ("main.yaml", "release.yaml", "retrain.yaml"))
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_ECR_LOGIN_URI",
        "ECR_REPOSITORY_NAME",
        "MONGO_DB_URL",
    ):
        assert f"secrets.{name} }}}}" in text


RETRAIN = WORKFLOWS["retrain.yaml"]["jobs"]["retrain"]


def test_production_is_watched_every_day_and_a_training_can_be_started_by_hand():
    assert triggers(WORKFLOWS["retrain.yaml"]) == {"schedule": [{"cron": "17 4 * * *"}], "workflow_dispatch": None}
    assert RETRAIN["if"] == "github.ref == 'refs/heads/main'"


def test_slipway_due_decides_and_the_workflow_only_reads_it():
    names = [step["name"] for step in RETRAIN["steps"]]
    due = names.index("Look at production")
    assert RETRAIN["steps"][due]["run"] == "python -m slipway due" and RETRAIN["steps"][due]["id"] == "due"
    assert names.index("Fetch the champion") < due
    conditions = {step["name"]: step.get("if") for step in RETRAIN["steps"][due + 1 :]}
    assert conditions == {
        "Keep the page": "steps.due.outputs.page != ''",
        "Train": "steps.due.outputs.train == 'true'",
        "Keep the bundle": "steps.due.outputs.train == 'true'",
        "Propose": "steps.due.outputs.train == 'true'",
        "Fail if what feeds the model is broken": "steps.due.outputs.outcome == 'broken'",
    }
    assert not any("if" in step for step in RETRAIN["steps"][:due])


def test_the_page_of_a_broken_pipe_is_kept_before_the_job_fails():
    names = [step["name"] for step in RETRAIN["steps"]]
    [page] = (step for step in RETRAIN["steps"] if step["name"] == "Keep the page")
    assert page["with"] == {"name": "production", "path": "${{ steps.due.outputs.page }}"}
    assert names[-1] == "Fail if what feeds the model is broken" and "exit 12" in RETRAIN["steps"][-1]["run"]


def test_only_the_step_that_needs_a_secret_has_it():
    given = {step["name"]: set(re.findall(r"secrets\.(\w+)", str(step.get("env")))) for step in RETRAIN["steps"]}
    assert given["Look at production"] == {"SLIPWAY_WEBHOOK", "SLIPWAY_SMTP_URL"}
    assert given["Train"] == {"DATABASE_URL", "MONGO_DB_URL"}
    assert given["Keep the bundle"] == given["Propose"] == set()


def test_the_proposal_is_told_why():
    [propose] = (step for step in RETRAIN["steps"] if step["name"] == "Propose")
    assert propose["env"]["SLIPWAY_WHY"] == "${{ steps.due.outputs.reason }}"
