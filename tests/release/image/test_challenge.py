"""Registries that want a token: the login goes to the address that gives one, and nowhere else."""

import json
import sys

import pytest

from registries import DIGEST, IDENTITY, LOGIN, serve_registry
from slipway.errors import ReleaseError
from slipway.release.image.challenge import authorization
from slipway.release.image.registry import Registry, find_image
from slipway.release.image.registry_login import Login, login_at


@pytest.fixture
def registry():
    """A registry whose tokens another host gives."""
    with serve_registry() as registry, serve_registry() as realm:
        registry.images["key"] = DIGEST
        registry.realm = f"http://{realm.host}/token"
        registry.gives = realm
        yield registry


def configured(folder, **config) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(folder)}


def test_a_login_becomes_a_token_which_is_kept(registry, tmp_path):
    asked = Registry(registry.host, {"DOCKER_CONFIG": str(registry.login(tmp_path))})
    assert asked.find("insurance", "key") == DIGEST
    assert asked.find("insurance", "other") is None
    [(method, path, headers)] = registry.gives.asked
    assert (method, path) == ("GET", "/token?service=the+registry&scope=repository%3Ainsurance%3Apull")
    assert headers["Authorization"] == f"Basic {LOGIN}"
    shown = [headers.get("Authorization") for _, _, headers in registry.asked]
    assert shown == [None, "Bearer may pull", "Bearer may pull"], "the login itself is for the realm"


def test_an_old_token_is_renewed_and_one_to_read_is_none_to_write(registry, tmp_path):
    asked = Registry(registry.host, {"DOCKER_CONFIG": str(registry.login(tmp_path))})
    asked.find("insurance", "key")
    registry.old = True
    registry.gives.asked.clear()
    registry.realm = f"http://{registry.host}/token"  # of this registry, which then knows that it gave a new one
    assert asked.find("insurance", "key") == DIGEST
    asked.add_tag("insurance", DIGEST, "more")
    assert registry.images["more"] == DIGEST
    assert [path.rpartition("%3A")[2] for _, path, _ in registry.asked if path.startswith("/token")] == ["pull", "pull%2Cpush"]


@pytest.mark.parametrize("scope", ["", 'scope="repository:{name}:pull"', 'scope="repository:user/image:pull"'])
def test_what_is_needed_is_asked_for_whatever_the_registry_says(registry, tmp_path, scope):
    """Artifactory of some versions names no scope, GHCR one to read even where something is written."""
    registry.scope = scope
    asked = Registry(registry.host, {"DOCKER_CONFIG": str(registry.login(tmp_path))})
    assert asked.find("insurance", "key") == DIGEST
    asked.add_tag("insurance", DIGEST, "more")
    assert asked.find("insurance", "more") == DIGEST
    assert [path.rpartition("=")[2] for _, path, _ in registry.gives.asked] == [
        "repository%3Ainsurance%3Apull",
        "repository%3Ainsurance%3Apull%2Cpush",
    ]
    written = [headers.get("Authorization") for method, _, headers in registry.asked if method == "PUT"]
    assert written == [None, "Bearer may pull,push"], "a token to read is not shown: some answer 403, and ask for no other"


def test_an_identity_token_is_sent_as_a_form(registry, tmp_path):
    """As az acr login leaves it: a user without a password, and the token beside it."""
    entry = {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": IDENTITY}
    environ = configured(tmp_path, auths={registry.host: entry})
    assert find_image(registry.host, "insurance", "key", environ) == DIGEST
    [(method, path, headers)] = registry.gives.asked
    assert (method, path, headers.get("Authorization")) == ("POST", "/token", None)


def test_a_login_that_the_realm_refuses_says_what_to_run(registry, tmp_path):
    with pytest.raises(ReleaseError, match=r"gave no token for the login \(status 401\)\. Run docker login first"):
        find_image(registry.host, "insurance", "key", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example.org/token",
        "ftp://127.0.0.1/token",
        "",
        "http://127.0.0.1.example.org/",
        "http://localhost:80@example.org/",
    ],
)
def test_no_login_goes_where_it_could_be_read(realm):
    with pytest.raises(ReleaseError, match="is not https"):
        authorization(
            "registry.example.org", [f'Bearer realm="{realm}",service="s"'], Login(LOGIN), "repository:insurance:pull"
        )


def test_an_address_that_a_redirect_led_to_may_not_ask_for_the_login(registry, tmp_path):
    with serve_registry() as first:
        first.status, first.elsewhere = 302, f"http://{registry.host}/v2/insurance/manifests/key"
        with pytest.raises(ReleaseError, match="status 401"):
            find_image(first.host, "insurance", "key", {"DOCKER_CONFIG": str(first.login(tmp_path))})
    assert registry.gives.asked == []


@pytest.mark.parametrize(
    "config, found",
    [
        ({"auths": {"https://europe-west1-docker.pkg.dev": {"auth": LOGIN}}}, Login(LOGIN)),
        ({"auths": {"https://europe-west1-docker.pkg.dev/v2/": {"auth": LOGIN}}}, Login(LOGIN)),
        ({"auths": {"us-docker.pkg.dev": {"auth": LOGIN}}}, Login()),
        (
            {"auths": {"europe-west1-docker.pkg.dev": {}}, "credsStore": "stub"},
            Login("dXNlcjpvZiBldXJvcGUtd2VzdDEtZG9ja2VyLnBrZy5kZXY="),
        ),
        ({"credHelpers": {"europe-west1-docker.pkg.dev": "identity"}, "credsStore": "stub"}, Login(identity="secret")),
        ({"auths": {"europe-west1-docker.pkg.dev": {"auth": LOGIN}}, "credsStore": "fails"}, Login(LOGIN)),
        ({"auths": {"europe-west1-docker.pkg.dev": {"auth": LOGIN}}, "credsStore": "gone"}, Login(LOGIN)),
    ],
)
def test_where_docker_keeps_a_login(tmp_path, config, found):
    programs = {
        "stub": 'print(json.dumps({"Username": "user", "Secret": "of " + sys.stdin.read()}))',
        "identity": 'print(json.dumps({"Username": "<token>", "Secret": "secret"}))',
        "fails": "sys.exit(1)",
    }
    for name, code in programs.items():
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!{sys.executable} -S\nimport json, sys\nassert sys.argv[1] == 'get'\n{code}\n")
        program.chmod(0o755)
    environ = {**configured(tmp_path, **config), "PATH": str(tmp_path)}
    assert login_at("europe-west1-docker.pkg.dev", environ) == found


def test_the_hub_has_three_names_and_one_login(tmp_path):
    environ = configured(tmp_path, auths={"https://index.docker.io/v1/": {"auth": LOGIN}})
    assert {login_at(name, environ).basic for name in ("docker.io", "index.docker.io", "registry-1.docker.io")} == {LOGIN}
