"""`up` and `teardown` where AWS refuses, is still at work, or somebody was here before: against canned answers."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from canned_aws import CannedAws

STATUS = "--stack-name {} --query Stacks[0].StackStatus"
FOUNDATION, BOX = STATUS.format("slipway-foundation"), STATUS.format("slipway-box")
ABSENT = (254, "An error occurred (ValidationError): Stack with id slipway does not exist")
DENIED = (254, "An error occurred (AccessDenied) when calling the DescribeStacks operation")
OWNER = "ParameterKey=='GitHubRepository'"
NUMBER = "ParameterKey=='GitHubRepositoryId'"


class Account(CannedAws):
    def run(self, program: str, *arguments: str, rules: dict, **environ: str) -> subprocess.CompletedProcess:
        return self.call([sys.executable, "-m", "slipway", "box", program, *arguments], rules, environ)


@pytest.fixture
def account(tmp_path) -> Account:
    return Account(tmp_path)


@pytest.fixture
def up(account) -> Callable[..., subprocess.CompletedProcess]:
    """`up` of acme/insurance, with these answers before the usual ones: a box that is there."""
    usual = {
        FOUNDATION: (0, "CREATE_COMPLETE"),
        BOX: (0, "CREATE_COMPLETE"),
        OWNER: (0, "acme/insurance"),
        NUMBER: (0, "22"),
        "Outputs": (0, "InstanceId i-1"),
    }

    def make(rules: dict, **environ: str) -> subprocess.CompletedProcess:
        return account.run("up", rules=rules | usual | rules, **{"GITHUB_REPOSITORY": "acme/insurance"} | environ)

    return make


@pytest.mark.parametrize(("program", "arguments"), [("up", ()), ("teardown", ("--yes", "slipway"))])
def test_a_stack_that_cannot_be_looked_up_is_not_taken_for_absent(account, program, arguments):
    rules = {FOUNDATION: DENIED, BOX: DENIED}
    done = account.run(program, *arguments, rules=rules, GITHUB_REPOSITORY="acme/insurance")
    assert done.returncode == 1 and "cannot be read" in done.stderr and "AccessDenied" in done.stderr
    assert account.position("create-stack") is None and account.position("delete-stack") is None


def test_a_stack_that_never_came_about_is_made_again(account, up):
    up({FOUNDATION: [(0, "ROLLBACK_COMPLETE"), (0, "ROLLBACK_COMPLETE"), (0, "ROLLBACK_COMPLETE"), (0, "CREATE_COMPLETE")]})
    assert account.position("delete-stack", "slipway-foundation") < account.position("create-stack", "slipway-foundation")


def test_the_end_of_a_run_that_was_cut_off_is_waited_for(account, up):
    done = up({FOUNDATION: [(0, "CREATE_IN_PROGRESS"), (0, "CREATE_COMPLETE")]})
    assert "slipway-foundation is in state CREATE_IN_PROGRESS; waiting" in done.stderr
    assert account.position("create-stack") is None
    assert account.position("update-stack", "slipway-foundation") is not None


def test_a_second_repository_does_not_take_over_the_deliveries_of_the_first(account, up):
    done = up({}, GITHUB_REPOSITORY="acme/other")
    assert done.returncode == 1 and "slipway belongs to acme/insurance. Set another STACK" in done.stderr
    assert account.position("update-stack") is None


GUEST = {"STACK": "churn", "GITHUB_REPOSITORY": "acme/churn", "BOX_OF": "slipway", "PREFIX": "/churn"}


@pytest.mark.parametrize(
    ("rules", "environ", "told"),
    [
        ({}, {"BOX_OF": "churn"}, 'BOX_OF is "churn", not another STACK'),
        ({}, {"BOX_OF": "a b"}, 'BOX_OF is "a b", not another STACK'),
        ({}, {"BOX_OF": ""}, "PREFIX is set, but BOX_OF is not"),
        ({}, {"PREFIX": ""}, "set PREFIX, such as /churn, or DOMAIN"),
        ({}, {"LOG_SIZE": "2GB"}, 'LOG_SIZE is "2GB", not a size like 2GiB'),
        ({}, {"EMAIL": "a&b@example.org"}, "PREFIX, DOMAIN or EMAIL has a character"),
        ({STATUS.format("churn-box"): (0, "CREATE_COMPLETE")}, {}, "churn has a box of its own"),
        ({STATUS.format("churn-box"): DENIED}, {}, "stack churn-box cannot be read"),
        ({BOX: ABSENT}, {}, "there is no box slipway-box in eu-west-1"),
    ],
)
def test_what_keeps_a_repository_from_the_box_of_another_is_said_before_anything_is_made(account, up, rules, environ, told):
    done = up({STATUS.format("churn-box"): ABSENT} | rules, **GUEST | environ)
    assert done.returncode == 1 and told in done.stderr
    assert account.position("create-stack") is account.position("s3 cp") is account.position("send-command") is None


def test_a_repository_on_the_box_of_another_is_not_given_a_box_of_its_own_by_the_way(account, up):
    rules = {
        STATUS.format("churn-foundation"): (0, "CREATE_COMPLETE"),
        STATUS.format("churn-box"): ABSENT,
        OWNER: (0, "acme/churn"),
        "ParameterKey=='OtherBoxRoleArn'": (0, "arn:aws:iam::123456789012:role/box"),
    }
    done = up(rules, STACK="churn", GITHUB_REPOSITORY="acme/churn")
    assert done.returncode == 1 and "Set BOX_OF to the STACK whose box serves it" in done.stderr
    assert account.position("create-stack") is account.position("update-stack") is None


def test_a_repository_that_was_renamed_keeps_its_stacks(account, up):
    up({}, GITHUB_REPOSITORY="acme/other", OWNER_ID="11", REPOSITORY_ID="22")
    assert account.position("update-stack", "slipway-foundation") is not None


def test_no_box_is_made_from_an_archive_that_was_not_uploaded(account, up):
    done = up({"s3 cp": (1, "upload failed: Connection was closed")})
    assert done.returncode != 0 and "upload failed" in done.stderr
    assert account.position("slipway-box", "update-stack") is None


def test_a_login_that_ends_is_not_waited_for_without_end(up):
    done = up({"get-command-invocation": (255, "ExpiredToken")})
    assert done.returncode == 1 and "ExpiredToken" in done.stderr and "Run this again" in done.stderr


def test_what_runs_is_protected_and_a_box_to_be_replaced_is_not(account, up):
    up({})
    assert account.position("modify-instance-attribute", "--no-disable-api-termination") is None
    for stack in ("slipway-foundation", "slipway-box"):
        assert account.position("update-termination-protection", stack, "--enable") is not None
    up({}, IMAGE="ami-12345678")
    lifted = account.position("modify-instance-attribute", "i-1", "--no-disable-api-termination")
    assert lifted < account.position("update-stack", "slipway-box")
    assert account.position("update-stack", "slipway-box") < account.position("i-1", " --disable-api-termination")


def test_teardown_lifts_the_protection(account):
    rules = {FOUNDATION: (0, "CREATE_COMPLETE"), BOX: (0, "CREATE_COMPLETE"), "Outputs": (0, "InstanceId i-1")}
    assert account.run("teardown", "--yes", "slipway", rules=rules).returncode == 0
    assert account.position("i-1", "--no-disable-api-termination") < account.position("delete-stack", "slipway-box")
    for stack in ("slipway-foundation", "slipway-box"):
        lifted = account.position("update-termination-protection", stack, "--no-enable")
        assert lifted < account.position("delete-stack", stack)


def test_teardown_of_a_repository_on_the_box_of_another_says_that_the_service_stays(account):
    rules = {STATUS.format("churn-foundation"): (0, "CREATE_COMPLETE"), STATUS.format("churn-box"): ABSENT}
    done = account.run("teardown", "--yes", "churn", rules=rules, STACK="churn")
    assert done.returncode == 0 and "no box: what was set up on the box of another stack stays there" in done.stderr
    assert account.position("delete-stack", "churn-foundation") is not None
    assert account.position("delete-stack", "churn-box") is account.position("modify-instance-attribute") is None


def test_teardown_goes_on_where_one_was_cut_off(account):
    """The box is being deleted, the bucket is gone, its stack is not."""
    rules = {
        FOUNDATION: (0, "DELETE_FAILED"),
        BOX: [(0, "DELETE_IN_PROGRESS"), (0, "DELETE_IN_PROGRESS"), ABSENT],
        "Outputs": (0, "BucketName gone"),
        "head-bucket": (254, "Not Found"),
        "list-object-versions": (254, "NoSuchBucket"),
    }
    done = account.run("teardown", "--yes", "slipway", rules=rules)
    assert done.returncode == 0, done.stderr
    assert account.position("delete-stack", "slipway-box") is None
    assert account.position("delete-stack", "slipway-foundation") is not None
