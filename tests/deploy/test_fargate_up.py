"""`deploy/fargate/up` and `teardown`: the real command line of AWS against a server of AWS (moto), and canned answers.

The server makes no load balancer policy, tags and autoscaling by template, and never runs a task: the rest is read from calls.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

import slipway
from canned_aws import CannedAws

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/fargate"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
FAMILY = "arn:aws:ecs:eu-west-1:123456789012:task-definition/slipway"
STATUS = "--stack-name {} --query Stacks[0].StackStatus"
FOUNDATION, STACK = STATUS.format("slipway-foundation"), STATUS.format("slipway-fargate")
ABSENT = (254, "An error occurred (ValidationError): Stack with id slipway does not exist")
LOOK, SERVES = "length(deployments)", "--query services[0].taskDefinition"
LABEL = 'dockerLabels."slipway.release"'
LIVE = {"containerDefinitions": [{"name": "app", "image": "repo@sha256:1", "dockerLabels": {"slipway.release": "abc-9"}}]}
BASE = {"containerDefinitions": [{"name": "app", "image": "repo:unreleased"}]}
LARGER = BASE | {"memory": "2048"}
CARRIED = {f"describe-task-definition --task-definition {FAMILY}:3": (0, json.dumps(LARGER)), LABEL: (0, "abc-9")}


class Account(CannedAws):
    def run(self, program: str, *arguments: str, rules: dict, **environ: str) -> subprocess.CompletedProcess:
        return self.call([FOLDER / program, *arguments], rules, {"GITHUB_REPOSITORY": "acme/insurance"} | environ)


@pytest.fixture
def canned(tmp_path) -> Account:
    return Account(tmp_path)


@pytest.fixture
def up(canned) -> Callable[..., subprocess.CompletedProcess]:
    """`up` where a release is live, with these answers before the usual ones."""
    usual = {
        FOUNDATION: (0, "CREATE_COMPLETE"),
        STACK: (0, "UPDATE_COMPLETE"),
        "ParameterKey=='GitHubRepository'": (0, "acme/insurance"),
        "Parameters[].ParameterKey": (0, "Name Live Host CertificateArn MinTasks"),
        "Outputs": (0, f"BaseRevision {FAMILY}:3\nBucketName bucket\nAlarmTopicArn arn:topic"),
        LOOK: (0, f"{FAMILY}:9\t1\tCOMPLETED"),
        SERVES: (0, f"{FAMILY}:10"),
        LABEL: (0, "abc-9"),
        f"describe-task-definition --task-definition {FAMILY}:3": (0, json.dumps(LARGER)),
        f"describe-task-definition --task-definition {FAMILY}:9": (0, json.dumps(LIVE)),
        "register-task-definition": (0, f"{FAMILY}:10"),
    }

    def make(rules: dict, **environ: str) -> subprocess.CompletedProcess:
        return canned.run("up", rules=rules | usual | rules, **environ)

    return make


def updates(canned: Account) -> list[tuple[bool, dict[str, str]]]:
    """Of the service's stack: whether with a template of its own, and what was said anew."""
    found = []
    for call in canned.calls:
        if "update-stack" in call and "slipway-fargate " in call:
            given = json.loads(call[call.index("--parameters ") + len("--parameters ") :])
            said = {each["ParameterKey"]: each["ParameterValue"] for each in given if "ParameterValue" in each}
            found.append(("--template-body" in call, said))
    return found


def test_an_update_names_what_is_live_before_anything_else_and_carries_it_over(canned, up):
    done = up({}, MEMORY="2048")
    assert done.returncode == 0, done.stderr
    before, changed, after = updates(canned)
    assert not before[0] and before[1]["Live"] == f"{FAMILY}:9", "what CloudFormation goes back to if the next one fails"
    assert before[1]["Created"] == "yes", "an `up` that was cut off may have left it at no: tasks would be stopped"
    assert changed[0] and (changed[1]["Live"], changed[1]["Memory"], changed[1]["Created"]) == (f"{FAMILY}:9", "2048", "yes")
    assert after == (False, {"Live": f"{FAMILY}:10"})
    assert "slipway gets a changed task definition; the release stays the same" in done.stderr


def test_where_nothing_differs_no_task_is_replaced(canned, up):
    same = {f"describe-task-definition --task-definition {FAMILY}:3": (0, json.dumps(BASE)), SERVES: (0, f"{FAMILY}:9")}
    assert up(same).returncode == 0
    assert len(updates(canned)) == 2 and canned.position("register-task-definition") is None


def test_before_the_first_release_the_base_stays_and_nothing_is_carried_over(canned, up):
    done = up({LABEL: (0, "None"), SERVES: (0, f"{FAMILY}:3")})
    assert done.returncode == 0 and "Nothing runs yet" in done.stdout
    assert "When it is green, run this once more: until then the autoscaling removes no task." in done.stdout
    assert [said["Live"] for _, said in updates(canned)] == ["", ""]
    assert canned.position("register-task-definition") is None


def test_a_new_service_runs_no_task_and_is_told_so_once(canned, up):
    nothing = {STACK: [ABSENT, ABSENT, (0, "CREATE_COMPLETE")], LABEL: (0, "None"), SERVES: (0, f"{FAMILY}:3")}
    done = up(nothing, HOST="a.example.com", CERTIFICATE_ARN=CERTIFICATE)
    assert done.returncode == 0, done.stderr
    assert '"Created", "ParameterValue": "no"' in canned.calls[canned.position("create-stack", "slipway-fargate ")]
    [(_, again)] = updates(canned)
    assert again["Created"] == "yes", "a rollback of a later update would stop all tasks"
    assert "about 68 USD a month" in done.stderr


@pytest.mark.parametrize("state", ["2\tIN_PROGRESS", "1\tIN_PROGRESS", "2\tCOMPLETED"])
def test_a_release_under_way_is_left_alone(canned, up, state):
    done = up({LOOK: (0, f"{FAMILY}:9\t{state}")})
    assert done.returncode == 1 and "a release of slipway is under way" in done.stderr
    assert canned.position("update-stack") is None


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_release_that_goes_live_meanwhile_is_not_taken_back(canned, up, looks):
    """Before what it found first is named to CloudFormation, before the template, and before what is carried over."""
    early, late = ((0, f"{FAMILY}:{revision}\t1\tCOMPLETED") for revision in (9, 11))
    done = up(CARRIED | {LOOK: [early] * looks + [late], "--task-definition": (0, json.dumps(LIVE))})
    assert done.returncode == 1
    assert "a release of slipway went live while this ran, and stays. Run this again." in done.stderr
    assert len(updates(canned)) == looks - 1 and canned.position("register-task-definition") is None


def test_a_release_that_begins_at_the_end_is_told(canned, up):
    done = up({SERVES: (0, f"{FAMILY}:11")})
    assert done.returncode == 1 and "gh variable set AWS_REGION" in done.stdout
    assert "the service runs slipway:11, not slipway:10. Run this again when its job has ended." in done.stderr


def test_the_log_s_bucket_is_taken_away_once_no_task_ships_any_more(canned, up):
    done = up({"list-tasks": (0, "arn:task/1\tarn:task/2")}, LOG="no")
    assert done.returncode == 0, done.stderr
    *_, changed, carried, last = updates(canned)
    assert changed[1]["Log"] == "no" and "LogBucket" not in changed[1], "old tasks ship what they have when they stop"
    assert carried[1]["Live"] == f"{FAMILY}:10" and last == (False, {"LogBucket": ""})
    waited = canned.position("ecs wait tasks-stopped", "--tasks arn:task/1 arn:task/2")
    assert canned.position("register-task-definition") < waited < canned.position('"LogBucket"')


def test_where_no_task_stops_the_log_s_bucket_is_taken_away_at_once(canned, up):
    assert up({}, LOG="no").returncode == 0
    assert updates(canned)[-1] == (False, {"LogBucket": ""}) and canned.position("tasks-stopped") is None


def test_staging_is_a_service_of_its_own_with_the_same_registry(canned, up):
    done = up({STATUS.format("slipway-fargate-staging"): (0, "UPDATE_COMPLETE")}, STAGE="staging")
    assert done.returncode == 0, done.stderr
    said = canned.calls[canned.position("update-stack", "slipway-fargate-staging ", "--template-body")]
    for name, value in [("Name", "slipway-staging"), ("ImageRepository", "slipway"), ("GitHubEnvironment", "fargate-staging")]:
        assert f'"ParameterKey": "{name}", "ParameterValue": "{value}"' in said
    assert "gh variable set SLIPWAY_STAGING --repo acme/insurance --body fargate\n" in done.stdout
    assert "gh variable set AWS_DEPLOY_ROLE_ARN --repo acme/insurance --env fargate-staging " in done.stdout


def test_who_is_told_of_alarms_is_said(canned, up):
    assert "Nobody is told of alarms. Set EMAIL, or subscribe to the topic arn:topic." in up({}).stdout
    assert "Nobody" not in up({"ParameterKey=='Email'": (0, "ops@example.com")}).stdout


@pytest.mark.parametrize(
    ("rules", "environ", "told"),
    [
        ({STACK: ABSENT}, {}, "set HOST and CERTIFICATE_ARN, or TRIAL_FROM"),
        ({STACK: ABSENT}, {"HOST": "a.example.com"}, "set HOST and CERTIFICATE_ARN"),
        ({STACK: ABSENT}, {"HOST": "a.example.com", "TRIAL_FROM": "1.2.3.4/32"}, "a trial has neither"),
        ({STACK: ABSENT}, {"LOG": "yes", "TRIAL_FROM": "1.2.3.4/32"}, "a trial ships no prediction log"),
        ({}, {"TRIAL_FROM": "1.2.3.4/32"}, "slipway has a load balancer already"),
        ({"ParameterKey=='From'": (0, "1.2.3.4/32")}, {"HOST": "a.example.com"}, "slipway is on trial"),
        ({}, {"LOG": "2GiB"}, 'LOG is "2GiB", not yes or no'),
        ({}, {"STAGE": "staging", "LOG": "yes"}, "whose predictions are not logged. Leave LOG out"),
        ({}, {"STAGE": "test"}, 'STAGE is "test", not staging'),
        ({}, {"GITHUB_REPOSITORY": ""}, "Run: GITHUB_REPOSITORY=owner/name deploy/fargate/up"),
        ({LOOK: (0, "None")}, {}, "was deleted outside its stack"),
        ({STACK: (254, "AccessDenied")}, {}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(canned, up, rules, environ, told):
    done = up(rules, **environ)
    assert done.returncode == 1 and told in done.stderr
    assert canned.position("create-stack") is canned.position("update-stack") is None


def test_python_without_slipway_is_told_to_be_another(canned, tmp_path):
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    done = canned.run("up", rules={})
    assert done.returncode == 1 and "Activate its environment first" in done.stderr


def test_the_box_may_go_while_fargate_needs_the_rest(canned):
    rules = {
        FOUNDATION: (0, "CREATE_COMPLETE"),
        STATUS.format("slipway-box"): (0, "CREATE_COMPLETE"),
        STACK: (0, "CREATE_COMPLETE"),
    }
    rules = {STATUS.format("slipway-fargate-staging"): ABSENT} | rules
    command = [sys.executable, "-m", "slipway", "box", "teardown", "--yes", "slipway"]
    done = canned.call(command, rules, {})
    assert done.returncode == 0 and "which slipway-fargate needs" in done.stderr
    assert canned.position("delete-stack", "slipway-box") is not None
    assert canned.position("delete-stack", "slipway-foundation") is canned.position("delete-objects") is None
    done = canned.call(command, rules | {STATUS.format("slipway-box"): ABSENT}, {})
    assert done.returncode == 1 and "Delete that first: deploy/fargate/teardown" in done.stderr


@pytest.mark.parametrize("stack", ["slipway-fargate", "slipway-fargate-staging"])
def test_a_service_that_cannot_be_read_is_not_taken_for_none(canned, stack):
    rules = {STATUS.format(stack): (254, "AccessDenied"), "slipway-staging-box": ABSENT, "slipway-fargate": ABSENT}
    command = [sys.executable, "-m", "slipway", "box", "teardown", "--yes", "slipway"]
    done = canned.call(command, rules | {"Stacks[0].StackStatus": (0, "CREATE_COMPLETE")}, {})
    assert done.returncode == 1 and f"stack {stack} cannot be read: AccessDenied" in done.stderr
    assert canned.position("delete") is None


SETTINGS = {  # all that has a default: the server does not know those as earlier values
    "CPU": "512",
    "MEMORY": "1024",
    "ARCHITECTURE": "X86_64",
    "MIN_TASKS": "2",
    "MAX_TASKS": "6",
    "REQUESTS_PER_TASK": "3000",
    "EMAIL": "ops@example.com",
    "OWNER_ID": "11",
    "REPOSITORY_ID": "22",
}


def real(program: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess:
    """With this Python and its `aws`, without `gh`."""
    path = os.pathsep.join([str(ROOT / "tests/deploy/protection"), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    own = {"PATH": path, "PYTHONPATH": str(Path(slipway.__file__).parents[1]), "GITHUB_REPOSITORY": "acme/insurance"}
    environment = os.environ | own | {"STACK": "try-it"} | environ
    return subprocess.run([FOLDER / program, *arguments], env=environment, capture_output=True, text=True, timeout=300)


def test_the_real_command_line_makes_a_service_that_runs_nothing_yet(account):
    url = "https://token.actions.githubusercontent.com"
    boto3.client("iam").create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    certificate = boto3.client("acm").request_certificate(DomainName="a.example.com")["CertificateArn"]
    done = real("up", HOST="a.example.com", CERTIFICATE_ARN=certificate, LOG="yes", **SETTINGS)
    assert done.returncode == 0, done.stderr
    ecs, name = boto3.client("ecs"), "try-it"
    [service] = ecs.describe_services(cluster=name, services=[name])["services"]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert service["desiredCount"] == 0 and definition["family"] == name
    assert boto3.client("ecr").describe_repositories()["repositories"][0]["repositoryName"] == "try-it"
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "log" in [each["name"] for each in definition["containerDefinitions"]]
    assert "gh variable set SLIPWAY_ROAD --repo acme/insurance --body fargate" in lines
    role = "gh variable set AWS_DEPLOY_ROLE_ARN --repo acme/insurance --env fargate --body arn:aws:iam::"
    assert any(line.startswith(role) for line in lines)


@pytest.mark.parametrize(("stage", "name"), [("", "slipway"), ("staging", "slipway-staging")])
def test_teardown_deletes_one_service_with_its_revisions_and_leaves_the_registry(canned, stage, name):
    stack = STATUS.format(f"slipway-fargate{stage and '-staging'}")
    family = "arn:aws:ecs:eu-west-1:123456789012:task-definition"
    rules = {
        stack: (0, "CREATE_COMPLETE"),
        "list-task-definitions": (0, f"{family}/{name}:3\t{family}/{name}:9\t{family}/{name}-other:1"),
    }
    wrong = canned.run("teardown", "--yes", "other", rules=rules, STAGE=stage)
    assert wrong.returncode == 1 and "Nothing was deleted" in wrong.stderr
    assert canned.position("delete-stack") is None
    gone = canned.run("teardown", "--yes", name, rules=rules, STAGE=stage)
    assert gone.returncode == 0, gone.stderr
    deleted = [call for call in canned.calls if "delete-stack" in call]
    assert len(deleted) == 1 and deleted[0].endswith(f"--stack-name slipway-fargate{stage and '-staging'}")
    left = [call.split()[-1] for call in canned.calls if "deregister" in call]
    assert left == [f"{family}/{name}:3", f"{family}/{name}:9"]


def test_teardown_of_what_is_not_there_says_so(canned):
    done = canned.run("teardown", "--yes", "slipway", rules={STACK: ABSENT})
    assert done.returncode == 1 and "no stack slipway-fargate" in done.stderr


def test_teardown_that_was_cut_off_after_the_stack_goes_on_with_the_revisions(canned):
    family = "arn:aws:ecs:eu-west-1:123456789012:task-definition"
    rules = {STACK: ABSENT, "list-task-definitions": (0, f"{family}/slipway:9\t{family}/slipway-staging:1")}
    wrong = canned.run("teardown", "--yes", "other", rules=rules)
    assert wrong.returncode == 1 and canned.position("deregister") is None
    done = canned.run("teardown", "--yes", "slipway", rules=rules)
    assert done.returncode == 0 and "the task definitions of slipway, which an earlier teardown left" in done.stderr
    assert [call.split()[-1] for call in canned.calls if "deregister" in call] == [f"{family}/slipway:9"]
    assert canned.position("delete-stack") is None
