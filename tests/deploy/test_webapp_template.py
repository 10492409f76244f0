"""What the template of the Web App promises, read from the template."""

import json
import re
from pathlib import Path

import pytest

from slipway.release.webapp.app_service import PLACEHOLDER, SLOT, VERSION

TEMPLATE = json.loads((Path(__file__).resolve().parents[2] / "deploy/webapp/webapp.json").read_text())
TEXT = json.dumps(TEMPLATE)
RESOURCES = TEMPLATE["resources"]
VERSIONS = {  # https://learn.microsoft.com/azure/templates lists these
    "Microsoft.ContainerRegistry": "2025-11-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.Web": VERSION,
}
ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
}
REGISTRY, SITES = "Microsoft.ContainerRegistry/registries", "Microsoft.Web/sites"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


def of(kind: str) -> list[dict]:
    return [each for each in RESOURCES if each["type"] == kind]


def apps() -> list[dict]:
    return of(SITES) + of(f"{SITES}/slots")


def names(text: str) -> str:
    """The name of a resource as `resourceId` has it: its parts, as expressions."""
    inner = re.fullmatch(r"\[(?:concat\((.*)\)|(.*))\]", text)
    parts = re.split(r", (?![^(]*\))", inner[1] or inner[2])
    return ", ".join(re.sub(r"^'/(.*)'$", r"'\1'", part) for part in parts)


def test_every_name_of_the_template_is_declared_and_used():
    for kind in ("parameters", "variables"):
        used = set(re.findall(rf"{kind}\('(\w+)'\)", TEXT))
        assert used == set(TEMPLATE[kind]), kind


@pytest.mark.parametrize("each", RESOURCES, ids=lambda each: f"{each['type']}/{each['name']}")
def test_each_resource_depends_on_what_is_there(each):
    there = {f"[resourceId('{other['type']}', {names(other['name'])})]" for other in RESOURCES}
    scope = f"resourceId('{REGISTRY}', parameters('registry'))"
    kind = "Microsoft.Authorization/roleAssignments"
    there |= {f"[extensionResourceId({scope}, '{kind}', {other['name'][1:-1]})]" for other in of(kind)}
    assert set(each.get("dependsOn", ())) <= there


@pytest.mark.parametrize("each", RESOURCES, ids=lambda each: f"{each['type']}/{each['name']}")
def test_each_resource_has_a_version_that_exists(each):
    assert each["apiVersion"] == VERSIONS[each["type"].partition("/")[0]]


def test_expressions_are_balanced():
    for text in re.findall(r'"(\[[^"]*\])"', TEXT):
        assert text.count("(") == text.count(")") and text.count("'") % 2 == 0, text


def test_who_may_do_what():
    found = set()
    for each in of("Microsoft.Authorization/roleAssignments"):
        (role,) = [name for id, name in ROLES.items() if id in each["properties"]["roleDefinitionId"] and id in each["name"]]
        who = re.search(r"variables\('(\w+)'\)", each["properties"]["principalId"])[1]
        found.add((who, role, re.search(r"concat\('([\w./]+)/'", each["scope"])[1]))
        assert each["properties"]["principalType"] == "ServicePrincipal"
    assert found == {
        ("pull", "AcrPull", REGISTRY),
        ("push", "AcrPush", REGISTRY),
        ("read", "AcrPull", REGISTRY),
        ("deploy", "AcrPull", REGISTRY),
        ("deploy", "Website Contributor", SITES),
    }


def test_only_jobs_of_main_and_of_the_two_environments_get_a_token():
    subjects = {each["name"]: each["properties"]["subject"] for each in of(f"{IDENTITIES}/federatedIdentityCredentials")}
    assert subjects == {
        "[concat(variables('push'), '/github')]": "[concat(parameters('subjectPrefix'), ':environment:release')]",
        "[concat(variables('read'), '/github')]": "[concat(parameters('subjectPrefix'), ':ref:refs/heads/main')]",
        "[concat(variables('deploy'), '/github')]": (
            "[concat(parameters('subjectPrefix'), ':environment:', parameters('environment'))]"
        ),
    }
    for each in of(f"{IDENTITIES}/federatedIdentityCredentials"):
        assert each["properties"]["issuer"] == "https://token.actions.githubusercontent.com"
        assert each["properties"]["audiences"] == ["api://AzureADTokenExchange"]


def test_nobody_has_a_password():
    (registry,) = of(REGISTRY)
    assert registry["properties"]["adminUserEnabled"] is False and "listCredentials" not in TEXT and "listKeys" not in TEXT


def test_the_registry_heeds_acr_pull_and_acr_push():
    """Azure is to make the other mode the default, and there these roles count for nothing."""
    assert of(REGISTRY)[0]["properties"]["roleAssignmentMode"] == "LegacyRegistryPermissions"


def test_nothing_changes_the_app_while_its_slot_is_made():
    others = [each for each in RESOURCES if each["type"] == f"{SITES}/config"]
    (slot,) = of(f"{SITES}/slots")
    assert {f"[resourceId('{each['type']}', {names(each['name'])})]" for each in others} <= set(slot["dependsOn"])


def test_requests_are_answered_before_a_container_is_killed():
    from slipway.serving.gunicorn_conf import graceful_timeout  # it sets variables of the environment

    settings = {each["name"]: each["value"] for each in TEMPLATE["variables"]["settings"]}
    assert graceful_timeout < int(settings["WEBSITES_CONTAINER_STOP_TIME_LIMIT"]) <= 120


def test_app_and_slot_are_the_same_but_for_their_names():
    app, slot = apps()
    assert slot["properties"] == app["properties"] and slot["identity"] == app["identity"]
    assert f"'/{SLOT}'" in slot["name"]


@pytest.mark.parametrize("app", apps(), ids=lambda each: each["type"])
def test_an_app_is_closed_where_it_can_be(app):
    config = app["properties"]["siteConfig"]
    assert app["properties"]["httpsOnly"] is True and app["properties"]["clientAffinityEnabled"] is False
    assert (config["minTlsVersion"], config["ftpsState"], config["alwaysOn"]) == ("1.2", "Disabled", True)
    assert config["healthCheckPath"] == "/readyz"
    assert config["acrUseManagedIdentityCreds"] is True and config["acrUserManagedIdentityID"].endswith(".clientId]")


def test_until_the_first_release_it_names_an_image_that_is_not_there():
    assert all(f"'{PLACEHOLDER}')]" in each["properties"]["siteConfig"]["linuxFxVersion"] for each in apps())


def test_the_warm_up_asks_readyz_on_the_service_s_port():
    settings = {each["name"]: each["value"] for each in TEMPLATE["variables"]["settings"]}
    assert settings["WEBSITES_PORT"] == "8080" and settings["WEBSITES_ENABLE_APP_SERVICE_STORAGE"] == "false"
    assert settings["WEBSITE_SWAP_WARMUP_PING_PATH"] == settings["WEBSITE_WARMUP_PATH"] == "/readyz"
    assert settings["WEBSITE_SWAP_WARMUP_PING_STATUSES"] == settings["WEBSITE_WARMUP_STATUSES"] == "200"


def test_what_people_and_releases_change_is_made_once():
    """A template that is deployed again would take back images, settings, and the number of instances."""
    made = {each["type"]: each["condition"] for each in RESOURCES if "condition" in each}
    assert made == {
        REGISTRY: "[parameters('createRegistry')]",
        "Microsoft.Web/serverfarms": "[parameters('createPlan')]",
        SITES: "[parameters('createApp')]",
        f"{SITES}/config": "[parameters('createApp')]",
        f"{SITES}/slots": "[parameters('createSlot')]",
        f"{SITES}/slots/config": "[parameters('createSlot')]",
    }


def test_no_output_needs_what_may_not_be_deployed():
    assert SITES not in json.dumps(TEMPLATE["outputs"])
