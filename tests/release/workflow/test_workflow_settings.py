"""A workflow that was not told everything says what is missing, and where it goes."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.workflow.workflow_settings import require_settings

ROLE = {
    "AWS_REGION": "eu-west-1",
    "AWS_ECR_LOGIN_URI": "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "ECR_REPOSITORY_NAME": "insurance",
    "SLIPWAY_REMOTE": "s3://bucket/insurance",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/delivery",
}
KEYS = {name: value for name, value in ROLE.items() if name != "AWS_ROLE_ARN"} | {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "hidden-value",
}


@pytest.mark.parametrize("environ", [ROLE, KEYS], ids=["role", "keys"])
def test_both_roads_are_enough(environ):
    require_settings(environ, bundle_in_git=False)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("AWS_REGION", "variable"),
        ("AWS_ECR_LOGIN_URI", "variable"),
        ("ECR_REPOSITORY_NAME", "variable"),
        ("SLIPWAY_REMOTE", "variable"),
        ("AWS_ACCESS_KEY_ID", "secret"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ],
)
@pytest.mark.parametrize("value", ["", None])
def test_a_missing_one_is_named_with_the_command_that_sets_it(name, kind, value):
    environ = {key: each for key, each in KEYS.items() if key != name} | ({name: ""} if value == "" else {})
    with pytest.raises(ReleaseError, match=f"^{name} is not set.*gh {kind} set {name}"):
        require_settings(environ, bundle_in_git=False)


@pytest.mark.parametrize(
    "name, value",
    [
        ("AWS_REGION", "Ireland"),
        ("AWS_ECR_LOGIN_URI", "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
        ("AWS_ECR_LOGIN_URI", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/insurance"),
        ("ECR_REPOSITORY_NAME", "insurance:latest"),
        ("SLIPWAY_REMOTE", "bucket/insurance"),
    ],
)
def test_one_of_another_form_is_shown_with_what_was_expected(name, value):
    with pytest.raises(ReleaseError, match=f"^{name} is malformed.*expected"):
        require_settings(ROLE | {name: value}, bundle_in_git=False)


def test_all_that_is_missing_is_said_at_once_and_no_secret_is_shown():
    with pytest.raises(ReleaseError) as raised:
        require_settings({"AWS_SECRET_ACCESS_KEY": "hidden-value"}, bundle_in_git=False)
    assert len(str(raised.value).splitlines()) == 5
    assert "hidden-value" not in str(raised.value)


def test_a_bundle_in_git_needs_no_remote():
    environ = {name: value for name, value in ROLE.items() if name != "SLIPWAY_REMOTE"}
    require_settings(environ, bundle_in_git=True)
    with pytest.raises(ReleaseError, match="SLIPWAY_REMOTE"):
        require_settings(environ, bundle_in_git=True, store_only=True)
