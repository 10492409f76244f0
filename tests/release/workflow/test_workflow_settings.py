"""A workflow that was not told everything says what is missing, and where it goes."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.workflow.workflow_settings import registry_of, require_settings, require_store

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
        require_store(environ)


def test_a_job_of_the_store_needs_no_registry():
    require_store({name: value for name, value in ROLE.items() if name not in ("AWS_ECR_LOGIN_URI", "ECR_REPOSITORY_NAME")})


AZURE = {"SLIPWAY_REGISTRY": "models.azurecr.io", "SLIPWAY_REPOSITORY": "insurance"}
GOOGLE = {"SLIPWAY_REGISTRY": "europe-west1-docker.pkg.dev", "SLIPWAY_REPOSITORY": "project/models/insurance"}
OTHER = {"SLIPWAY_REGISTRY": "registry.example.org:5000", "SLIPWAY_REPOSITORY": "insurance"}
CLIENT = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"), "x")
ACCOUNT = {"GCP_WORKLOAD_IDENTITY_PROVIDER": "projects/1/p", "GCP_SERVICE_ACCOUNT": "a@b"}
PASSWORD = {"REGISTRY_USERNAME": "me", "REGISTRY_PASSWORD": "hidden-value"}


@pytest.mark.parametrize(
    "environ, login",
    [
        (ROLE, "aws"),
        (ROLE | {"SLIPWAY_REGISTRY": ROLE["AWS_ECR_LOGIN_URI"], "SLIPWAY_REPOSITORY": "insurance"}, "aws"),
        (AZURE | CLIENT, "azure"),
        (AZURE | {"AZURE_CREDENTIALS": "{}"}, "azure"),
        (AZURE | {"AZURE_CREDENTIALS": "{}"} | PASSWORD, "password"),
        (AZURE | CLIENT | PASSWORD, "azure"),
        (AZURE | PASSWORD, "password"),
        (GOOGLE | ACCOUNT, "google"),
        (GOOGLE | PASSWORD, "password"),
        (OTHER | PASSWORD, "password"),
    ],
)
def test_the_registry_decides_how_to_log_in_and_an_identity_comes_before_a_password(environ, login):
    host, name = (environ.get("SLIPWAY_REGISTRY"), environ.get("SLIPWAY_REPOSITORY"))
    expected = [f"registry={host or environ['AWS_ECR_LOGIN_URI']}", f"repository={name or 'insurance'}", f"login={login}"]
    assert require_settings(environ, bundle_in_git=True) == expected


@pytest.mark.parametrize(
    "environ", [AZURE | CLIENT, AZURE | PASSWORD, GOOGLE | ACCOUNT, OTHER | PASSWORD], ids=["Azure", "user", "Google", "other"]
)
def test_a_registry_beyond_aws_needs_its_own_settings_and_none_of_aws(environ):
    for name in set(environ) - {"SLIPWAY_REGISTRY", "AZURE_CLIENT_ID", "GCP_WORKLOAD_IDENTITY_PROVIDER"}:
        kind = "secret" if name in PASSWORD else "variable"
        place = " --env release" if name in (*PASSWORD, "GCP_SERVICE_ACCOUNT") else ""  # who pushes is for one job
        with pytest.raises(ReleaseError, match=f"^{name} is not set.*gh {kind} set {name}{place}$"):
            require_settings(environ | {name: ""}, bundle_in_git=True)


@pytest.mark.parametrize(
    "registry, first", [(AZURE, "AZURE_CLIENT_ID"), (GOOGLE, "GCP_WORKLOAD"), (OTHER, "REGISTRY_USERNAME")]
)
def test_without_any_login_the_best_one_is_asked_for(registry, first):
    with pytest.raises(ReleaseError, match=f"^{first}"):
        require_settings(registry, bundle_in_git=True)


@pytest.mark.parametrize("environ", [AZURE | CLIENT, GOOGLE | ACCOUNT], ids=["Azure", "Google"])
def test_bundles_stay_in_s3_or_git(environ):
    with pytest.raises(ReleaseError) as raised:
        require_settings(environ, bundle_in_git=False)
    missing = [line.partition(" ")[0] for line in str(raised.value).splitlines()]
    assert missing == ["AWS_REGION", "SLIPWAY_REMOTE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert raised.value.cure == "Without a store, commit the bundle: slipway promote DIGEST --in-git"
    with pytest.raises(ReleaseError, match="^AWS_REGION"):
        require_settings(environ | {"SLIPWAY_REMOTE": "s3://bucket/insurance"}, bundle_in_git=True)
    aws = {name: ROLE[name] for name in ("AWS_REGION", "AWS_ROLE_ARN", "SLIPWAY_REMOTE")}
    require_settings(environ | aws, bundle_in_git=False)


@pytest.mark.parametrize(
    "changed, name",
    [
        ({"SLIPWAY_REGISTRY": "https://models.azurecr.io"}, "SLIPWAY_REGISTRY"),
        ({"SLIPWAY_REGISTRY": "models.azurecr.io/insurance"}, "SLIPWAY_REGISTRY"),
        ({"SLIPWAY_REPOSITORY": "insurance:1"}, "SLIPWAY_REPOSITORY"),
        (GOOGLE | {"SLIPWAY_REPOSITORY": "insurance"}, "SLIPWAY_REPOSITORY"),
        (GOOGLE | {"SLIPWAY_REPOSITORY": "project/insurance"}, "SLIPWAY_REPOSITORY"),
    ],
)
def test_a_registry_of_another_form_is_shown_with_what_was_expected(changed, name):
    with pytest.raises(ReleaseError, match=f"^{name} is malformed.*expected"):
        require_settings(AZURE | CLIENT | ACCOUNT | PASSWORD | changed, bundle_in_git=True)


@pytest.mark.parametrize(
    "environ, kind, service",
    [
        ({}, "", ""),
        ({"AWS_ECR_LOGIN_URI": "127.0.0.1:5000", "ECR_REPOSITORY_NAME": "insurance"}, "ecr", "insurance"),
        ({"SLIPWAY_REGISTRY": ROLE["AWS_ECR_LOGIN_URI"], "SLIPWAY_REPOSITORY": "team/insurance"}, "ecr", "insurance"),
        (ROLE | AZURE, "azure", "insurance"),
        (GOOGLE, "google", "insurance"),
        ({"SLIPWAY_REGISTRY": "pkg.dev.example.org"}, "other", ""),
        ({"SLIPWAY_REGISTRY": "models.azurecr.io.example.org"}, "other", ""),
    ],
)
def test_the_host_tells_what_a_registry_is(environ, kind, service):
    registry = registry_of(environ)
    assert (registry.kind, registry.service) == (kind, service)
