"""What doctor says of the settings of the registry, of ECR or another."""

from slipway.doctor.check_credentials import Identity, check
from slipway.doctor.finding import MISSING

NOBODY = Identity(MISSING, "no credentials found")


def states(environ: dict[str, str]) -> dict[str, str]:
    return {each.what: each.state for each in check(NOBODY, environ, "")}


def test_a_registry_beyond_aws_is_named_by_its_own_settings_and_needs_nothing_of_aws():
    azure = {"SLIPWAY_REGISTRY": "models.azurecr.io", "SLIPWAY_REPOSITORY": "insurance"}
    assert states(azure) == {"SLIPWAY_REGISTRY": "ok", "SLIPWAY_REPOSITORY": "ok"}
    with_store = azure | {"SLIPWAY_REMOTE": "s3://bucket/models"}
    assert states(with_store) == {"AWS": "missing", "AWS_REGION": "missing", **states(azure)}


def test_without_any_setting_those_of_ecr_are_missing():
    assert set(states({})) == {"AWS", "AWS_REGION", "AWS_ECR_LOGIN_URI", "ECR_REPOSITORY_NAME"}


def test_a_repository_beyond_github_keeps_its_settings_in_its_own_ci():
    [found] = check(NOBODY, {}, "", elsewhere=True)
    assert (found.what, found.state) == ("registry", "skipped")
    ecr = {"AWS_ECR_LOGIN_URI": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"}
    assert [each.what for each in check(NOBODY, ecr, "", elsewhere=True)][0] == "AWS", "what is exported is judged"
    assert "AWS" in {each.what for each in check(NOBODY, {"SLIPWAY_REMOTE": "s3://bucket/models"}, "", elsewhere=True)}
