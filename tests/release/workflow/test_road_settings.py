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
ACR = {"SLIPWAY_REGISTRY": "models.azurecr.io", "SLIPWAY_REPOSITORY": "insurance"}
GAR = {"SLIPWAY_REGISTRY": "europe-west1-docker.pkg.dev", "SLIPWAY_REPOSITORY": "project/models/insurance"}
OTHER = {"SLIPWAY_REGISTRY": "registry.example.org", "SLIPWAY_REPOSITORY": "insurance"}
GOOGLE = {"GCP_WORKLOAD_IDENTITY_PROVIDER": "projects/1/p", "GCP_SERVICE_ACCOUNT": "a@b", "GCP_LOCATION": "europe-west1"}
GROUP = {"AZURE_RESOURCE_GROUP": "models"}
AZURE = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"), "x") | GROUP
WEBAPP = {"AZURE_WEBAPP_NAME": "insurance-7"}


@pytest.mark.parametrize(
    "environ, found",
    [
        ({}, ["box"]),
        ({"SLIPWAY_ROAD": ""}, ["box"]),
        ({"SLIPWAY_ROAD": "fargate"}, ["fargate"]),
        ({"SLIPWAY_ROAD": "fargate box"}, ["box", "fargate"]),
        ({"SLIPWAY_ROAD": "fargate", "SLIPWAY_STAGING": "box"}, ["box", "fargate"]),
        ({"SLIPWAY_STAGING": "kubernetes"}, ["box", "kubernetes"]),
        ({"SLIPWAY_STAGING": "webapp", "SLIPWAY_ROAD": "webapp"}, ["webapp"]),
        ({"SLIPWAY_ROAD": "cloudrun kubernetes"}, ["kubernetes", "cloudrun"]),
    ],
)
def test_the_roads_are_those_that_the_variables_name_and_else_the_box(environ, found):
    assert roads(environ) == found and unknown_roads(environ) == {}
    require_roads(environ)


@pytest.mark.parametrize("name", ["SLIPWAY_ROAD", "SLIPWAY_STAGING"])
@pytest.mark.parametrize("value", ["fargat", "Box", "box,fargate", " ", "box heroku"])
def test_a_word_that_is_no_road_is_named_with_the_command_that_sets_it(name, value):
    with pytest.raises(
        ReleaseError,
        match=f"^{name} is '{value}': expected box, fargate, kubernetes, webapp, cloudrun.*gh variable set {name}",
    ):
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
    "environ, name",
    [
        (ACR | {"SLIPWAY_REGISTRY": "Models.azurecr.io"}, "SLIPWAY_REGISTRY"),
        (OTHER | {"SLIPWAY_REPOSITORY": "Me/insurance"}, "SLIPWAY_REPOSITORY"),
        (GAR | {"SLIPWAY_REPOSITORY": "insurance"}, "SLIPWAY_REPOSITORY"),
    ],
)
def test_a_registry_that_cannot_be_is_named_before_the_tests(environ, name):
    with pytest.raises(ReleaseError, match=f"^{name} is malformed"):
        require_roads({"SLIPWAY_ROAD": "kubernetes", **environ})


@pytest.mark.parametrize(
    "road, environ",
    [
        ("fargate", REPOSITORY | ROLE),
        ("kubernetes", EKS),
        ("kubernetes", EKS | {"SLIPWAY_OVERLAY": "eks-staging"}),
        ("kubernetes", GAR | GOOGLE | {"SLIPWAY_OVERLAY": "gke", "SLIPWAY_CLUSTER": "main"}),
        ("kubernetes", ACR | AZURE | {"SLIPWAY_OVERLAY": "aks", "SLIPWAY_CLUSTER": "main"}),
        ("webapp", ACR | AZURE | WEBAPP),
        ("kubernetes", OTHER | AZURE | {"SLIPWAY_OVERLAY": "aks", "SLIPWAY_CLUSTER": "main"}),
        ("cloudrun", GAR | GOOGLE),
    ],
)
def test_a_road_needs_its_own_settings_and_no_other_ones(road, environ):
    require_road(environ, road, "production")
    for name in set(environ) - {"SLIPWAY_REGISTRY"}:
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
        require_road({"SLIPWAY_OVERLAY": "eks"}, road, stage)


@pytest.mark.parametrize("stage, environment", [("production", "webapp"), ("staging", "webapp-staging")])
def test_the_credentials_of_tutorials_take_the_place_of_a_client_id(stage, environment):
    environ = ACR | GROUP | WEBAPP
    require_road(environ | {"AZURE_CREDENTIALS": "{}"}, "webapp", stage)
    with pytest.raises(ReleaseError, match=f"^AZURE_CLIENT_ID is not set.*--env {environment}\n"):
        require_road(environ, "webapp", stage)
    # azure/login would ignore the credentials; the delivery needs the tenant, too, so it is the repository's
    with pytest.raises(ReleaseError, match="^AZURE_TENANT_ID is not set.*gh variable set AZURE_TENANT_ID\n"):
        require_road(environ | {"AZURE_CREDENTIALS": "{}", "AZURE_CLIENT_ID": "x"}, "webapp", stage)


@pytest.mark.parametrize("name, fits", [("a1", True), ("Insurance-7", True), ("a", False), ("a" * 61, False), ("a_b", False)])
def test_the_name_of_a_web_app_is_one(name, fits):
    environ = ACR | AZURE | {"AZURE_WEBAPP_NAME": name}
    if fits:
        require_road(environ, "webapp", "production")
        return
    with pytest.raises(ReleaseError, match="^AZURE_WEBAPP_NAME is malformed"):
        require_road(environ, "webapp", "production")


@pytest.mark.parametrize(
    "road, registry, wanted",
    [
        ("box", ACR, "Amazon ECR"),
        ("fargate", GAR, "Amazon ECR"),
        ("webapp", REPOSITORY, "Azure Container Registry"),
        ("webapp", GAR, "Azure Container Registry"),
        ("cloudrun", REPOSITORY, "Artifact Registry"),
        ("cloudrun", ACR, "Artifact Registry"),
        ("fargate", OTHER, "Amazon ECR"),
        ("webapp", OTHER, "Azure Container Registry"),
        ("cloudrun", OTHER, "Artifact Registry"),
        ("kubernetes", ACR | {"SLIPWAY_OVERLAY": "eks"}, "Amazon ECR"),
        ("kubernetes", REPOSITORY | {"SLIPWAY_OVERLAY": "gke-staging"}, "Artifact Registry"),
        ("kubernetes", REPOSITORY | {"SLIPWAY_OVERLAY": "aks"}, "Azure Container Registry"),
    ],
)
def test_a_road_that_cannot_pull_from_the_registry_is_named_before_the_tests(road, registry, wanted):
    """The overlay is known there only as a variable of the repository; else before the deployment."""
    checks = [lambda: require_roads(registry | {"SLIPWAY_ROAD": road})]
    checks += [lambda: require_road(registry, road, "production")] if road != "box" else []
    for check in checks:
        with pytest.raises(ReleaseError, match=f"{road} pulls from {wanted}, but .* is '.*docs/release.md"):
            check()


@pytest.mark.parametrize("road", ["box", "fargate", "kubernetes", "webapp", "cloudrun"])
def test_nothing_is_said_of_a_registry_that_nobody_knows(road):
    require_roads({"SLIPWAY_ROAD": road})


@pytest.mark.parametrize("road", ["box", "kubernetes"])
def test_a_box_and_a_cluster_can_have_a_login_of_any_registry(road):
    """The other roads ask the registry with the role of the deployment, which has no password."""
    require_roads({"SLIPWAY_ROAD": road} | OTHER)


def test_without_a_road_the_box_is_meant_and_said():
    with pytest.raises(
        ReleaseError, match="^SLIPWAY_ROAD is not set, so a release goes to the box: box pulls from Amazon ECR"
    ):
        require_roads(ACR)
    with pytest.raises(
        ReleaseError, match="^SLIPWAY_ROAD is not set, so .*box pulls from Amazon ECR, webapp pulls from Azure"
    ):
        require_roads(ACR | {"SLIPWAY_STAGING": "webapp"})


@pytest.mark.parametrize(
    "environ",
    [
        {"SLIPWAY_ROAD": "box webapp"},
        {"SLIPWAY_ROAD": "cloudrun", "SLIPWAY_STAGING": "webapp"},
        {"SLIPWAY_ROAD": "fargate kubernetes", "SLIPWAY_OVERLAY": "aks"},
    ],
)
def test_roads_that_pull_from_two_registries_are_refused_with_the_reason(environ):
    with pytest.raises(ReleaseError, match="^one release is pushed to one registry, but .*Name roads of one cloud") as raised:
        require_roads(environ | ACR)
    assert len(str(raised.value).splitlines()) == 1
    require_roads(REPOSITORY | {"SLIPWAY_ROAD": "fargate kubernetes", "SLIPWAY_STAGING": "box"})


@pytest.mark.parametrize("registry, road", [(GAR, "cloudrun"), (ACR, "webapp")])
def test_a_road_without_arm_machines_is_refused_there(registry, road):
    with pytest.raises(ReleaseError, match=f"^SLIPWAY_PLATFORM is 'linux/arm64', but {road} runs linux/amd64 only"):
        require_roads(registry | {"SLIPWAY_ROAD": road, "SLIPWAY_PLATFORM": "linux/arm64"})


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
        ("kubernetes", "production", "team/insurance", True),
        ("kubernetes", "production", "team/Insurance", False),
        ("kubernetes", "production", "insurance_1", False),
        ("kubernetes", "production", "insurance.v1", False),
        ("kubernetes", "production", "a" * 63, True),
        ("kubernetes", "production", "a" * 64, False),
        ("kubernetes", "staging", "a" * 55, True),
        ("kubernetes", "staging", "a" * 56, False),
        ("fargate", "production", "insurance_1", True),
        ("fargate", "production", "team/insurance", True),
        ("fargate", "staging", "1insurance", False),
        ("cloudrun", "production", "a" * 42, True),
        ("cloudrun", "staging", "a" * 35, False),
        ("cloudrun", "production", "insurance_1", False),
        ("cloudrun", "production", "1insurance", False),
    ],
)
def test_the_name_of_the_service_is_one_on_its_road(road, stage, name, fits):
    """Before the tests, if the job knows the name; else before the deployment."""
    variable = "SLIPWAY_STAGING" if stage == "staging" else "SLIPWAY_ROAD"
    early = {variable: road, "ECR_REPOSITORY_NAME": name}
    late = EKS | {"ECR_REPOSITORY_NAME": name}
    named = "ECR_REPOSITORY_NAME"
    if road == "cloudrun":
        named = "SLIPWAY_REPOSITORY"
        early = {"SLIPWAY_ROAD": road, variable: road} | GAR | {named: f"project/models/{name}"}
        late = GOOGLE | early
    require_roads({"SLIPWAY_ROAD": road, variable: road})
    if fits:
        require_roads(early)
        require_road(late, road, stage)
        return
    for check in (lambda: require_roads(early), lambda: require_road(late, road, stage)):
        with pytest.raises(ReleaseError, match=f"{named} is '.*{name}', but .* is no name of a .*gh variable set"):
            check()


def test_the_box_takes_every_name_of_a_repository():
    require_roads({"SLIPWAY_ROAD": "box", "ECR_REPOSITORY_NAME": "team/insurance_1"})
