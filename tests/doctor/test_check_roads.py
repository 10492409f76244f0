from pathlib import Path

import pytest

from slipway.doctor.check_roads import check

ROLE = "arn:aws:iam::123456789012:role/deploy"


@pytest.fixture
def top(tmp_path) -> Path:
    """A checkout with the files of both roads."""
    for name in ("fargate/up", "kubernetes/eks/kustomization.yaml"):
        path = tmp_path / "deploy" / name
        path.parent.mkdir(parents=True)
        path.write_text("")
    return tmp_path


def states(environ: dict[str, str], top: Path) -> dict[str, str]:
    return {each.what: each.state for each in check(environ, top)}


def test_the_box_needs_nothing_of_this(tmp_path):
    [found] = check({}, tmp_path)
    assert (found.what, found.state, found.cure) == ("SLIPWAY_ROAD", "skipped", "GitHub's: gh variable get SLIPWAY_ROAD")
    assert [each.state for each in check({"SLIPWAY_ROAD": "box"}, tmp_path)] == ["ok"]


def test_a_road_that_is_all_there(top):
    fargate = {"SLIPWAY_ROAD": "box fargate", "AWS_DEPLOY_ROLE_ARN": ROLE}
    assert states(fargate, top) == dict.fromkeys(("SLIPWAY_ROAD", "deploy/fargate", "AWS_DEPLOY_ROLE_ARN"), "ok")
    kubernetes = {
        "SLIPWAY_ROAD": "kubernetes",
        "SLIPWAY_OVERLAY": "eks",
        "SLIPWAY_CLUSTER": "main",
        "AWS_DEPLOY_ROLE_ARN": ROLE,
    }
    assert set(states(kubernetes, top).values()) == {"ok"} and "overlay eks" in states(kubernetes, top)


@pytest.mark.parametrize("name", ["SLIPWAY_ROAD", "SLIPWAY_STAGING"])
def test_a_word_that_is_no_road_fails(top, name):
    found = {each.what: each for each in check({name: "ship"}, top)}[name]
    assert found.state == "failed" and "expected box, fargate, kubernetes" in found.says
    assert found.cure == f"gh variable set {name}"


def test_the_road_that_azure_devops_alone_has_is_a_mistake_only_without_its_files(top):
    assert states({"SLIPWAY_ROAD": "azure-ml"}, top) == {"SLIPWAY_ROAD": "failed"}
    (top / "deploy/azure-devops").mkdir()
    found = {each.what: each for each in check({"SLIPWAY_ROAD": "azure-ml", "SLIPWAY_STAGING": "azure-ml"}, top)}
    assert [(each.what, each.state) for each in found.values()] == [
        ("SLIPWAY_ROAD", "skipped"),
        ("SLIPWAY_STAGING", "skipped"),
    ]
    assert found["SLIPWAY_ROAD"].says == "is 'azure-ml', a road of azure-devops and none of GitHub's"


def test_the_files_and_the_role_of_a_road_are_named_with_what_makes_them(tmp_path):
    found = {each.what: each for each in check({"SLIPWAY_ROAD": "fargate"}, tmp_path)}
    assert found["deploy/fargate"].state == "missing" and "slipway upgrade --road fargate" in found["deploy/fargate"].cure
    role = found["AWS_DEPLOY_ROLE_ARN"]
    assert role.state == "missing" and "gh variable set AWS_DEPLOY_ROLE_ARN --env fargate." in role.cure


def test_a_road_that_is_only_staging_is_looked_at_too(tmp_path):
    found = {each.what: each for each in check({"SLIPWAY_STAGING": "fargate"}, tmp_path)}
    assert found["SLIPWAY_ROAD"].state == "skipped" and found["SLIPWAY_STAGING"].state == "ok"
    assert found["deploy/fargate"].state == "missing" and "--env fargate-staging" in found["AWS_DEPLOY_ROLE_ARN"].cure


@pytest.mark.parametrize(
    "environ, what, state",
    [
        ({"AWS_DEPLOY_ROLE_ARN": "deploy"}, "AWS_DEPLOY_ROLE_ARN", "failed"),
        ({"SLIPWAY_OVERLAY": ""}, "SLIPWAY_OVERLAY", "missing"),
        ({"SLIPWAY_OVERLAY": "../base"}, "SLIPWAY_OVERLAY", "failed"),
        ({"SLIPWAY_OVERLAY": "eks-2"}, "overlay eks-2", "missing"),
        ({"SLIPWAY_OVERLAY": "gke"}, "GCP_LOCATION", "missing"),
        ({"SLIPWAY_CLUSTER": ""}, "SLIPWAY_CLUSTER", "missing"),
    ],
)
def test_what_a_cluster_needs(top, environ, what, state):
    usual = {"SLIPWAY_ROAD": "kubernetes", "SLIPWAY_OVERLAY": "eks", "SLIPWAY_CLUSTER": "main", "AWS_DEPLOY_ROLE_ARN": ROLE}
    assert states(usual | environ, top)[what] == state


def test_what_the_delivery_needs_too_is_set_for_the_repository(tmp_path):
    found = {each.what: each for each in check({"SLIPWAY_ROAD": "webapp"}, tmp_path)}
    assert found["AZURE_TENANT_ID"].cure.startswith("gh variable set AZURE_TENANT_ID. ")
    assert found["AZURE_CLIENT_ID"].cure.startswith("gh variable set AZURE_CLIENT_ID --env webapp. ")
