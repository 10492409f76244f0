"""`deploy/webapp/up` and `teardown`, on canned answers of `az`: every call is one that the real program knows."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from canned_az import CannedAz

FOLDER = Path(__file__).resolve().parents[2] / "deploy/webapp"
OUTPUTS = "LOGINSERVER\nTENANT\nSUBSCRIPTION\nPUSHCLIENT\nREADCLIENT\nDEPLOYCLIENT"
USUAL = {
    "account show": (0, "me@example.com\nTrial"),
    "deployment group create": (0, OUTPUTS),
    "webapp show": (0, "acme-insurance-c1d2.westeurope-01.azurewebsites.net"),
}
NEW = {"group exists": (0, "false")}
WHOLE = "\n".join(
    (
        "Microsoft.ContainerRegistry/registries\tacmeinsurance",
        "Microsoft.Web/serverFarms\tacme-insurance-plan",
        "Microsoft.Web/sites\tacme-insurance",
        "Microsoft.Web/sites/slots\tacme-insurance/staging",
    )
)
THERE = {
    "group exists": (0, "true"),
    "group show": (0, "westeurope"),
    "resource list": (0, WHOLE),
    "appservice plan show": (0, "P0v3"),
}
SETTINGS = {"NAME": "acme-insurance", "GITHUB_REPOSITORY": "Acme/Insurance", "LOCATION": "westeurope"}


@pytest.fixture
def canned(tmp_path) -> CannedAz:
    return CannedAz(tmp_path)


@pytest.fixture
def up(canned) -> Callable:
    def run(rules: dict, *arguments: str, typed: str = "acme-insurance\n", **environ: str):
        return canned.call([FOLDER / "up", *arguments], rules | USUAL | rules, typed, **(SETTINGS | environ))

    return run


def parameters(canned: CannedAz) -> dict[str, str]:
    """What the template was deployed with."""
    (call,) = canned.made("deployment group create")
    return dict(re.findall(r"(\w+)=(\S*)", call.partition("--parameters")[2]))


def test_a_new_account_gets_everything(canned, up):
    done = up(NEW)
    assert done.returncode == 0, done.stderr
    assert canned.made("group create") == ["group create --name slipway --location westeurope --output none"]
    given = parameters(canned)
    declared = json.loads((FOLDER / "webapp.json").read_text())["parameters"]
    needed = {name for name, each in declared.items() if "defaultValue" not in each}
    assert needed <= set(given) <= set(declared)
    assert (given["registry"], given["repository"], given["sku"]) == ("acmeinsurance", "insurance", "P0v3")
    assert given["subjectPrefix"] == "repo:acme@1/insurance@2"
    assert {given[each] for each in ("createRegistry", "createPlan", "createApp", "createSlot")} == {"true"}


def test_the_costs_are_told_and_nothing_is_made_unless_the_name_is_typed(canned, up):
    done = up(NEW, typed="yes\n")
    assert done.returncode == 1 and "plan about 62, registry 5" in done.stderr and "Nothing was made" in done.stderr
    assert not canned.made("group create") and not canned.made("deployment")


def test_the_lines_for_github_are_those_that_the_workflow_reads(up):
    said = up(NEW, "--yes", typed="").stdout
    assert "gh variable set AZURE_CLIENT_ID --repo Acme/Insurance --env release --body PUSHCLIENT" in said
    assert "gh variable set AZURE_CLIENT_ID --repo Acme/Insurance --env webapp --body DEPLOYCLIENT" in said
    assert "gh variable set AZURE_READ_CLIENT_ID --repo Acme/Insurance --body READCLIENT" in said
    assert "gh variable set AZURE_WEBAPP_NAME --repo Acme/Insurance --env webapp --body acme-insurance" in said
    assert "gh variable set AZURE_TENANT_ID --repo Acme/Insurance --body TENANT\n" in said
    assert "gh variable set AZURE_SUBSCRIPTION_ID --repo Acme/Insurance --body SUBSCRIPTION\n" in said
    assert "gh variable set SLIPWAY_REGISTRY --repo Acme/Insurance --body LOGINSERVER" in said
    assert "gh variable set SLIPWAY_ROAD --repo Acme/Insurance --body webapp" in said
    assert "The address: https://acme-insurance-c1d2." in said


def test_what_is_asked_of_the_deployment_is_what_the_template_says(canned, up):
    up(NEW)
    (call,) = canned.made("deployment group create")
    asked = re.search(r"outputs\.\[([^]]*)\]", call)[1].split(", ")
    assert set(asked) == set(json.loads((FOLDER / "webapp.json").read_text())["outputs"])


def test_a_second_run_changes_neither_registry_nor_plan_nor_app_nor_slot(canned, up):
    done = up(THERE, LOCATION="")
    assert done.returncode == 0, done.stderr
    given = parameters(canned)
    assert {given[each] for each in ("createRegistry", "createPlan", "createApp", "createSlot")} == {"false"}
    assert not canned.made("group create") and not canned.made("appservice plan update")


def test_a_group_elsewhere_is_not_used_silently(canned, up):
    done = up(THERE, "--yes", LOCATION="North Europe")
    assert done.returncode == 1 and "the resource group slipway is in westeurope" in done.stderr
    assert "GROUP=slipway deploy/webapp/teardown" in done.stderr and not canned.made("deployment")
    assert up(THERE, "--yes", LOCATION="West Europe").returncode == 0


@pytest.mark.parametrize(
    "asked, told", [("rest ", "a Web App acme-insurance"), ("acr check-name", "a registry acmeinsurance")]
)
def test_a_name_that_somebody_has_is_refused_before_anything_is_made(canned, up, asked, told):
    done = up(NEW | {asked: (0, "false")}, "--yes")
    assert done.returncode == 1 and f"somebody has {told}" in done.stderr
    assert not canned.made("group create") and not canned.made("deployment")


def test_a_subscription_that_cannot_ask_for_names_is_not_stopped(up):
    unregistered = (1, "MissingSubscriptionRegistration")
    assert up(NEW | {"rest ": unregistered, "acr check-name": unregistered}, "--yes").returncode == 0


def test_the_registry_of_the_group_stays_the_registry(canned, up):
    up(THERE | {"resource list": (0, WHOLE.replace("acmeinsurance", "images"))})
    assert parameters(canned)["registry"] == "images"


def test_another_repository_does_not_take_the_deliveries_of_the_first(canned, up):
    listed = f"{WHOLE}\nMicrosoft.ManagedIdentity/userAssignedIdentities\tacmeinsurance-push"
    rules = THERE | {"resource list": (0, listed), "federated-credential list": (0, "repo:acme/charges:environment:release")}
    done = up(rules, "--yes")
    assert done.returncode == 1 and "belongs to repo:acme/charges. Take another GROUP" in done.stderr
    assert not canned.made("deployment")
    own = rules | {"federated-credential list": (0, "repo:acme@1/insurance@2:environment:release")}
    assert up(own, "--yes").returncode == 0


def test_a_small_plan_has_no_slot(canned, up):
    done = up(NEW, SKU="B1")
    assert parameters(canned)["createSlot"] == "false" and "each release interrupts the service" in done.stderr


def test_a_larger_plan_adds_the_slot(canned, up):
    without = WHOLE.rpartition("\n")[0]
    done = up(THERE | {"resource list": (0, without), "appservice plan show": (0, "B1")}, SKU="S1")
    assert done.returncode == 0, done.stderr
    assert len(canned.made("appservice plan update")) == 1
    assert (parameters(canned)["createApp"], parameters(canned)["createSlot"]) == ("false", "true")


def test_staging_is_a_second_app_on_the_same_plan_and_registry(canned, up):
    done = up(THERE, typed="acme-insurance-staging\n", STAGE="staging")
    assert done.returncode == 0, done.stderr
    given = parameters(canned)
    assert (given["name"], given["plan"], given["registry"]) == (
        "acme-insurance-staging",
        "acme-insurance-plan",
        "acmeinsurance",
    )
    assert (given["environment"], given["createPlan"], given["createApp"]) == ("webapp-staging", "false", "true")
    assert "gh variable set SLIPWAY_STAGING --repo Acme/Insurance --body webapp" in done.stdout
    assert "--env webapp-staging --body acme-insurance-staging" in done.stdout


@pytest.mark.parametrize(
    "rules, environ, told",
    [
        (NEW, {"NAME": "Acme"}, "set NAME"),
        (NEW, {"NAME": ""}, "set NAME"),
        (NEW, {"GITHUB_REPOSITORY": "insurance"}, "set GITHUB_REPOSITORY"),
        (NEW, {"LOCATION": ""}, "Set LOCATION"),
        (NEW, {"SKU": "F1"}, "SKU is"),
        (NEW, {"STAGE": "test"}, "STAGE is"),
        (NEW, {"STAGE": "staging"}, "Make production first"),
        (NEW, {"REGISTRY": "my-registry"}, "REGISTRY is"),
        (NEW, {"NAME": "abc"}, "too short or too long for a registry"),
        (NEW, {"NAME": "a" * 46}, "too short or too long for a registry"),
        (NEW | {"account show": (1, "Please run 'az login'")}, {}, "not logged in. Run az login"),
        (NEW | {"deployment group create": (1, "Conflict")}, {}, "the deployment failed"),
    ],
)
def test_what_is_wrong_is_said(up, rules, environ, told):
    done = up(rules, "--yes", **environ)
    assert done.returncode == 1 and told in done.stderr
    assert done.stdout == ""


def test_teardown_lists_all_and_deletes_the_group(canned):
    done = canned.call([FOLDER / "teardown"], THERE | USUAL, "slipway\n")
    assert done.returncode == 0, done.stderr
    assert "Microsoft.Web/sites\tacme-insurance" in done.stderr
    assert canned.made("group delete") == ["group delete --name slipway --yes"]


def test_teardown_deletes_nothing_unless_the_name_is_typed(canned):
    done = canned.call([FOLDER / "teardown"], THERE | USUAL, "y\n")
    assert done.returncode == 1 and "Nothing was deleted" in done.stderr
    assert not canned.made("group delete")


def test_teardown_of_staging_leaves_production(canned):
    identity = "Microsoft.ManagedIdentity/userAssignedIdentities\tacme-insurance-staging-deploy"
    found = f"Microsoft.Web/sites\tacme-insurance-staging\n{identity}"
    rules = THERE | {"resource list": (0, found), "identity list": (0, "principal"), "role assignment list": (0, "/one\n/two")}
    environ = {"STAGE": "staging", "NAME": "acme-insurance"}
    done = canned.call([FOLDER / "teardown", "--yes", "acme-insurance-staging"], rules | USUAL, **environ)
    assert done.returncode == 0, done.stderr
    assert canned.made("role assignment delete") == ["role assignment delete --ids /one /two"]
    assert canned.made("webapp delete") == [
        "webapp delete --resource-group slipway --name acme-insurance-staging --keep-empty-plan"
    ]
    assert len(canned.made("identity delete")) == 1 and not canned.made("group delete")


def test_teardown_of_what_is_not_there_says_so(canned):
    done = canned.call([FOLDER / "teardown"], NEW | USUAL)
    assert done.returncode == 1 and "there is no resource group slipway" in done.stderr
