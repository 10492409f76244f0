"""The `aws` program: what it is called with, and what its errors become."""

import os

import pytest

from slipway.release.fargate.aws import Aws, AwsError, failure

SAID = "\naws: [ERROR]: An error occurred ({}) when calling the UpdateService operation{}: {}\n"


@pytest.fixture
def program(tmp_path):
    """Make an `aws` of a shell script, alone on PATH with what a shell needs."""

    def make(script: str) -> Aws:
        path = tmp_path / "aws"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Aws({"PATH": f"{tmp_path}:/usr/bin:/bin", "AWS_MAX_ATTEMPTS": "9", "AWS_REGION": "eu-west-1"})

    return make


def test_a_call_is_answered_with_json_and_asks_nobody_for_a_page(program):
    aws = program("""printf '{"called": "%s", "pager": "%s", "attempts": "%s"}' "$*" "$AWS_PAGER" "$AWS_MAX_ATTEMPTS" """)
    assert aws("ecs", "describe-services", "--cluster", "a b") == {
        "called": "ecs describe-services --cluster a b --output json --cli-connect-timeout 10 --cli-read-timeout 60",
        "pager": "",
        "attempts": "9",
    }


def test_the_region_is_that_of_the_job_for_version_1_of_the_program_too(program):
    assert program("""printf '"%s"' "$AWS_DEFAULT_REGION" """)("ecs", "list-tasks") == "eu-west-1"


def test_a_call_without_an_answer_and_one_that_is_not_json(program):
    assert program("true")("ecs", "tag-resource") is None
    with pytest.raises(AwsError, match="aws ecs list-tasks: the answer is not JSON"):
        program("echo hello")("ecs", "list-tasks")


def test_a_call_is_in_a_session_of_its_own_so_that_no_signal_to_the_job_ends_it(program):
    assert program("ps -o sid= -p $$")("ecs", "list-tasks") != os.getsid(0)


def test_without_the_program_its_page_is_named(tmp_path):
    with pytest.raises(AwsError, match="not installed. See https://aws.amazon.com/cli"):
        Aws({"PATH": str(tmp_path)})("ecs", "list-tasks")


def test_a_program_that_hangs_is_given_up(program, monkeypatch):
    monkeypatch.setattr("slipway.release.fargate.aws.SECONDS", 0.1)
    with pytest.raises(AwsError, match="no answer within 0.1 s") as error:
        program("exec sleep 30")("ecs", "list-tasks")
    assert error.value.passing


def test_an_error_is_told_on_one_line(program):
    said = "An error occurred (AccessDeniedException) when calling the UpdateService operation: User: a is not\nauthorized."
    with pytest.raises(AwsError) as error:
        program(f"echo '{said}' >&2; exit 254")("ecs", "update-service")
    assert error.value.cause == "aws ecs update-service: AccessDeniedException: User: a is not authorized"


@pytest.mark.parametrize(
    "text, code, cure, passing",
    [
        (SAID.format("AccessDeniedException", "", "User: x"), "AccessDeniedException", "deploy/fargate/up again", False),
        (SAID.format("UnauthorizedOperation", "", "You"), "UnauthorizedOperation", "deploy/fargate/up again", False),
        (SAID.format("ServiceNotFoundException", "", "Service"), "ServiceNotFoundException", "which makes the service", False),
        (SAID.format("ClusterNotFoundException", "", "Cluster"), "ClusterNotFoundException", "which makes the service", False),
        (SAID.format("ExpiredTokenException", "", "The"), "ExpiredTokenException", "Take a role first", False),
        (SAID.format("ThrottlingException", " (reached max retries: 4)", "Rate"), "ThrottlingException", "later", True),
        (SAID.format("ServerException", " (reached max retries: 4)", "Service"), "ServerException", "later", True),
        (SAID.format("InvalidParameterException", "", "AccessDenied is a word"), "InvalidParameterException", "", False),
        ("Unable to locate credentials. You can configure them", "", "Take a role first", False),
        ("You must specify a region.", "", "Set AWS_REGION", False),
        ('Could not connect to the endpoint URL: "https://ecs"', "", "later", True),
        ("Connect timeout on endpoint URL", "", "later", True),
        ("", "", "", False),
    ],
)
def test_an_error_has_a_cure(text, code, cure, passing):
    error = failure("aws ecs update-service", text)
    assert (error.code, error.passing) == (code, passing)
    assert cure in error.cure and bool(cure) == bool(error.cure)
    assert error.cause.startswith("aws ecs update-service: ") and not error.cause.endswith((".", ": ", "\n"))
