"""Which digest the registry lists, asked with the login of `az`."""

import base64
import json
import stat
from pathlib import Path

import pytest

from clouds import request
from slipway.errors import ReleaseError
from slipway.release.webapp import listed

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def registry(monkeypatch):
    """What the registry was asked, with the login's file as it was then."""
    asked = []

    def find(host: str, name: str, key: str, environ: dict | None = None) -> str:
        path = Path(environ["DOCKER_CONFIG"]) / "config.json" if environ else None
        login = (stat.S_IMODE(path.stat().st_mode), json.loads(path.read_text()), path) if path else None
        asked.append((host, name, key, login))
        return DIGEST

    monkeypatch.setattr(listed, "find_image", find)
    return asked


@pytest.mark.parametrize("host, suffix", [("models.azurecr.io", ()), ("models-a1b2c3.azurecr.io", ("--suffix", "a1b2c3"))])
def test_a_registry_of_azure_is_asked_with_a_token_that_nobody_else_can_read(registry, host, suffix):
    calls = []

    def az(*arguments: str):
        calls.append(arguments)
        return {"accessToken": "secret"}

    listed.require_listed(az, f"{host}/insurance", request(1))
    assert calls == [("acr", "login", "--name", "models", *suffix, "--expose-token")]
    ((*asked, (mode, config, path)),) = registry
    assert asked == [host, "insurance", "a" * 64]
    assert mode == 0o600 and not path.exists()
    assert base64.b64decode(config["auths"][host]["auth"]).decode() == f"{listed.NOBODY}:secret"


def test_another_registry_is_asked_with_the_login_of_docker(registry):
    listed.require_listed(pytest.fail, "registry.example/team/insurance", request(1))
    assert registry == [("registry.example", "team/insurance", "a" * 64, None)]


def test_another_digest_is_refused(registry):
    with pytest.raises(
        ReleaseError, match=f"lists {DIGEST} under the release key registry.example/insurance:b.*, not sha256:b"
    ):
        listed.require_listed(pytest.fail, "registry.example/insurance", request(1, "b"))


@pytest.mark.parametrize("repository", ["", "registry.example", "/insurance", "registry.example/"])
def test_a_repository_is_a_host_and_a_name(repository):
    with pytest.raises(ReleaseError, match="is not HOST/REPO"):
        listed.require_listed(pytest.fail, repository, request(1))
