import re

import pytest

from bundles import ROWS
from page import Page
from slipway.errors import ServingError

PREFIX = "/models/charges"


def addresses(text: str) -> list[str]:
    named = ("src", "href", "action", "data-url")
    found = [attributes.get(name) for _, attributes, _ in Page(text).elements for name in named]
    return [address for address in found if address and not address.startswith("#")]


@pytest.mark.parametrize("sent", ["", PREFIX], ids=["removed by the proxy", "passed on"])
@pytest.mark.parametrize("written", [PREFIX, PREFIX + "/"])
def test_every_address_has_the_prefix(serve, sent, written):
    client = serve(environ={"SLIPWAY_URL_PREFIX": written}).test_client()
    for path in ("/", "/model", "/apidocs/"):
        answer = client.get(sent + path)
        assert answer.status_code == 200
        found = addresses(answer.text)
        assert found and all(address.startswith(f"{PREFIX}/") for address in found)
    assert client.get(sent + "/apispec.json").json["basePath"] == PREFIX
    assert client.get(sent + "/apidocs").headers["Location"] == f"{PREFIX}/apidocs/"
    assert client.get(sent + "/healthz").status_code == 200
    assert client.post(sent + "/predict", json=ROWS[0]).status_code == 200


def test_the_prefix_alone_is_the_form(serve):
    client = serve(environ={"SLIPWAY_URL_PREFIX": PREFIX}).test_client()
    assert Page(client.get(PREFIX).text).one("a", aria_current="page")[1] == "Predict"
    assert client.get(f"{PREFIX}s/model").status_code == 404


@pytest.mark.parametrize("prefix", ["", "/"])
def test_no_prefix(serve, prefix):
    assert serve(environ={"SLIPWAY_URL_PREFIX": prefix}).test_client().get("/apispec.json").json["basePath"] == "/"


@pytest.mark.parametrize("prefix", ["models", "/a//b", "/a b", "/a?b", "https://x.example/a", "/ä", "/a\n"])
def test_what_is_not_a_path_is_refused_at_the_start(serve, prefix):
    with pytest.raises(ServingError, match="SLIPWAY_URL_PREFIX: .* is not a path"):
        serve(environ={"SLIPWAY_URL_PREFIX": prefix})


@pytest.mark.parametrize("prefix", ["/model", "/predict/charges", "/static"])
def test_a_prefix_like_an_own_address_is_refused_at_the_start(serve, prefix):
    with pytest.raises(ServingError, match=re.escape(f"e.g. /models{prefix}")):
        serve(environ={"SLIPWAY_URL_PREFIX": prefix})


@pytest.mark.parametrize("proxies", ["", "0", "1", "2"])
def test_neither_prefix_nor_host_comes_from_a_header(serve, proxies):
    client = serve(environ={"SLIPWAY_TRUSTED_PROXIES": proxies}).test_client()
    evil = {"X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Host": "evil.example"}
    for path in ("/", "/model", "/apidocs/", "/apispec.json", "/apidocs"):
        answer = client.get(path, headers=evil)
        assert "evil" not in answer.text + str(answer.headers)


def test_scheme_and_client_come_from_a_trusted_proxy(serve):
    headers = {"X-Forwarded-Proto": "https", "Host": "models.example"}
    trusting = serve(environ={"SLIPWAY_TRUSTED_PROXIES": "1"}).test_client()
    assert "https://models.example/predict" in trusting.get("/", headers=headers).text
    assert "http://models.example/predict" in serve().test_client().get("/", headers=headers).text


@pytest.mark.parametrize("count", ["-1", "one", "1.5", "²"])
def test_a_number_of_proxies_that_is_none_is_refused_at_the_start(serve, count):
    with pytest.raises(ServingError, match="SLIPWAY_TRUSTED_PROXIES: .* is not a number of proxies"):
        serve(environ={"SLIPWAY_TRUSTED_PROXIES": count})
