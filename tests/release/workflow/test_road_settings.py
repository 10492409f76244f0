"""Where a release goes is checked before anything is tested, and what a road needs before anything is deployed to it."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.workflow.road_settings import require_road, require_roads, roads, unknown_roads

REPOSITORY = {
    "AWS_REGION": "eu-west-1",
    "AWS_ECR_LOGIN_URI": "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "ECR_REPOSITORY_NAME": "insurance",
}
ROLE = {"AWS_DEPLOY_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy"}
EKS = REPOSITORY | ROLE | {"SLIPWAY_OVERLAY": "eks", "SLIPWAY_CLUSTER": "main"}
GKE = {"GCP_WORKLOAD_IDENTITY_PROVIDER": "projects/1/p", "GCP_SERVICE_ACCOUNT": "a@b", "GCP_LOCATION": "europe-west1"}
AKS = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP"), "x")


@pytest.mark.parametrize(
    "environ, found",
    [
        ({}, ["box"]),
        ({"SLIPWAY_ROAD": ""}, ["box"]),
        ({"SLIPWAY_ROAD": "fargate"}, ["fargate"]),
        ({"SLIPWAY_ROAD": "fargate box"}, ["box", "fargate"]),
        ({"SLIPWAY_ROAD": "fargate", "SLIPWAY_STAGING": "box"}, ["box", "fargate"]),
        ({"SLIPWAY_STAGING": "kubernetes"}, ["box", "kubernetes"]),
    ],
)
def test_the_roads_are_those_that_the_variables_name_and_else_the_box(environ, found):
    assert roads(environ) == found and unknown_roads(environ) == {}
    require_roads(environ)


@pytest.mark.parametrize("name", ["SLIPWAY_ROAD", "SLIPWAY_STAGING"])
@pytest.mark.parametrize("value", ["fargat", "Box", "box,fargate", " ", "box heroku"])
def test_a_word_that_is_no_road_is_named_with_the_command_that_sets_it(name, value):
    with pytest.raises(ReleaseError, match=f"^{name} is '{value}': expected box, fargate, kubernetes.*gh variable set {name}"):
        require_roads({name: value})


@pytest.mark.parametrize("value, known", [("", True), ("linux/amd64", True), ("linux/arm64", True), ("arm64", False)])
def test_the_platform_is_one_of_two(value, known):
    if known:
        require_roads({"SLIPWAY_PLATFORM": value})
        return
    with pytest.raises(ReleaseError, match="^SLIPWAY_PLATFORM is 'arm64': expected linux/amd64 or linux/arm64"):
        require_roads({"SLIPWAY_PLATFORM": value})


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(ReleaseError) as raised:
        require_roads({"SLIPWAY_ROAD": "ship", "SLIPWAY_STAGING": "raft", "SLIPWAY_PLATFORM": "paper"})
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.parametrize(
    "road, environ",
    [
        ("fargate", REPOSITORY | ROLE),
        ("kubernetes", EKS),
        ("kubernetes", EKS | {"SLIPWAY_OVERLAY": "eks-staging"}),
        ("kubernetes", REPOSITORY | GKE | {"SLIPWAY_OVERLAY": "gke", "SLIPWAY_CLUSTER": "main"}),
        ("kubernetes", REPOSITORY | AKS | {"SLIPWAY_OVERLAY": "aks", "SLIPWAY_CLUSTER": "main"}),
    ],
)
def test_a_road_needs_its_own_settings_and_no_other_ones(road, environ):
    require_road(environ, road, "production")
    for name in environ:
        with pytest.raises(ReleaseError, match=f"^{name} is not set.*gh variable set {name}"):
            require_road(environ | {name: ""}, road, "production")


@pytest.mark.parametrize(
    "road, stage, environment",
    [
        ("fargate", "production", "fargate"),
        ("fargate", "staging", "fargate-staging"),
        ("kubernetes", "production", "kubernetes"),
        ("kubernetes", "staging", "kubernetes-staging"),
    ],
)
def test_the_role_belongs_to_the_environment_of_road_and_stage(road, stage, environment):
    command = f"gh variable set AWS_DEPLOY_ROLE_ARN --env {environment}"
    with pytest.raises(ReleaseError) as raised:
        require_road({name: value for name, value in EKS.items() if name not in ROLE}, road, stage)
    assert command in str(raised.value) and f"Settings → Environments → {environment}" in str(raised.value)
    with pytest.raises(ReleaseError, match="gh variable set AWS_REGION\n"):
        require_road({}, road, stage)


@pytest.mark.parametrize("value", ["deploy", "arn:aws:iam::123456789012:user/me"])
def test_what_is_not_the_name_of_a_role_is_refused(value):
    with pytest.raises(ReleaseError, match="^AWS_DEPLOY_ROLE_ARN is malformed"):
        require_road(REPOSITORY | {"AWS_DEPLOY_ROLE_ARN": value}, "fargate", "production")


def test_an_overlay_leads_nowhere_else():
    with pytest.raises(ReleaseError, match="^SLIPWAY_OVERLAY is malformed"):
        require_road(EKS | {"SLIPWAY_OVERLAY": "eks/../../.."}, "kubernetes", "production")


@pytest.mark.parametrize(
    "road, stage, name, fits",
    [
        ("kubernetes", "production", "insurance-2", True),
        ("kubernetes", "production", "team/insurance", False),
        ("kubernetes", "production", "insurance_1", False),
        ("kubernetes", "production", "insurance.v1", False),
        ("kubernetes", "production", "a" * 63, True),
        ("kubernetes", "production", "a" * 64, False),
        ("kubernetes", "staging", "a" * 55, True),
        ("kubernetes", "staging", "a" * 56, False),
        ("fargate", "production", "insurance_1", True),
        ("fargate", "production", "team/insurance", False),
        ("fargate", "staging", "1insurance", False),
    ],
)
def test_the_name_of_the_service_is_one_on_its_road(road, stage, name, fits):
    """Before the tests, if the job knows the name; else before the deployment."""
    variable = "SLIPWAY_STAGING" if stage == "staging" else "SLIPWAY_ROAD"
    early = {variable: road, "ECR_REPOSITORY_NAME": name}
    late = EKS | {"ECR_REPOSITORY_NAME": name}
    require_roads({variable: road})
    if fits:
        require_roads(early)
        require_road(late, road, stage)
        return
    for check in (lambda: require_roads(early), lambda: require_road(late, road, stage)):
        with pytest.raises(ReleaseError, match=f"^ECR_REPOSITORY_NAME is '{name}', but .* is no name of a .*gh variable set"):
            check()


def test_the_box_takes_every_name_of_a_repository():
    require_roads({"SLIPWAY_ROAD": "box", "ECR_REPOSITORY_NAME": "team/insurance_1"})
