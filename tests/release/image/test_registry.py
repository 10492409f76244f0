"""Is the image there, and may it have one more tag? Asked of a small registry that remembers what it was asked."""

from collections.abc import Iterator

import pytest

from registries import DIGEST, KIND, SmallRegistry, serve_registry
from servers import free_port
from slipway.errors import ReleaseError
from slipway.release.image.registry import Registry, find_image


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with serve_registry() as registry:
        registry.images["key"] = DIGEST
        yield registry


@pytest.fixture
def environ(registry, tmp_path) -> dict[str, str]:
    return {"DOCKER_CONFIG": str(registry.login(tmp_path))}


def test_an_image_that_is_there_is_named_by_its_digest(registry, environ):
    assert find_image(registry.host, "team/insurance", "key", environ) == DIGEST
    [(_, _, unasked), (method, path, headers)] = registry.asked
    assert "Authorization" not in unasked, "a login is for whoever asks for it"
    assert (method, path) == ("HEAD", "/v2/team/insurance/manifests/key")
    assert "application/vnd.oci.image.index.v1+json" in headers["Accept"]


def test_an_image_that_is_not_there_is_none(registry, environ):
    assert find_image(registry.host, "insurance", "other", environ) is None


def test_without_a_login_it_says_so(registry, tmp_path):
    with pytest.raises(ReleaseError, match="401.*docker login"):
        find_image(registry.host, "insurance", "key", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_any_other_answer_is_an_error_and_never_taken_for_absence(registry, environ, status):
    registry.status = status
    with pytest.raises(ReleaseError, match=str(status)):
        find_image(registry.host, "insurance", "key", environ)


@pytest.mark.parametrize("sent", ["", "latest", "sha256:abc", DIGEST + "0", DIGEST.upper()])
def test_an_answer_without_a_digest_is_an_error(registry, environ, sent):
    registry.images["key"] = sent
    with pytest.raises(ReleaseError, match="no digest"):
        find_image(registry.host, "insurance", "key", environ)


def test_the_login_of_a_registry_is_not_shown_to_another_host(registry, environ):
    with serve_registry() as other:
        registry.status, registry.elsewhere = 302, f"http://{other.host}/v2/insurance/manifests/key"
        with pytest.raises(ReleaseError, match="401"):
            find_image(registry.host, "insurance", "key", environ)
    assert other.asked and all("Authorization" not in headers for _, _, headers in other.asked)


def test_a_registry_that_does_not_answer_is_named():
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(ReleaseError, match=f"{host}: cannot be reached"):
        find_image(host, "insurance", "key", {})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"auths": []}',
        '{"auths": {"HOST": {"auth": "no base64!"}}}',
        '{"auths": {"HOST": {"auth": null}}}',
    ],
)
def test_a_docker_configuration_of_another_form_is_no_login(registry, tmp_path, content):
    (tmp_path / "config.json").write_text(content.replace("HOST", registry.host))
    with pytest.raises(ReleaseError, match="401"):
        find_image(registry.host, "insurance", "key", {"DOCKER_CONFIG": str(tmp_path)})


def test_one_more_tag_names_the_same_image_without_a_pull(registry, environ):
    Registry(registry.host, environ).add_tag("insurance", DIGEST, "more")
    assert registry.images == {"key": DIGEST, "more": DIGEST}
    method, path, headers = registry.asked[-1]
    assert (method, path, headers["Content-Type"]) == ("PUT", "/v2/insurance/manifests/more", KIND)


def test_a_tag_that_another_run_put_first_is_as_good_and_another_image_s_is_refused(registry, environ):
    """Tags never change; ECR refuses even the same image under the same tag."""
    Registry(registry.host, environ).add_tag("insurance", DIGEST, "key")
    registry.images["other"] = "sha256:" + "b" * 64
    with pytest.raises(ReleaseError, match="insurance:other failed with status 400"):
        Registry(registry.host, environ).add_tag("insurance", DIGEST, "other")


def test_an_image_that_is_gone_gets_no_tag(registry, environ):
    with pytest.raises(ReleaseError, match="is not in the registry"):
        Registry(registry.host, environ).add_tag("insurance", DIGEST.replace("a", "b"), "more")
