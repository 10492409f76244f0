"""What answers at the public address, over real connections."""

import socket
import ssl
from http.server import HTTPServer

import pytest

from addresses import serve_answers
from certificates import certificate
from servers import free_port
from slipway.errors import ReleaseError
from slipway.release.fargate.release import public_address
from slipway.release.public_address import PublicAddress, require_reachable, require_release

BUNDLE = "b" * 64
READY = {"status": "ready", "release": "new", "bundle": BUNDLE}


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        self.passed += seconds or 0.01


def at(server: HTTPServer, **how) -> PublicAddress:
    return PublicAddress("127.0.0.1", server.server_port, **how)


def test_five_answers_in_a_row_must_come_from_the_release_each_on_its_own_connection():
    old = (200, READY | {"release": "old"})
    good = (200, READY)
    with serve_answers([old, good, good, old, (502, b"bad gateway"), good]) as server:
        require_release(at(server), "new", BUNDLE, Clock())
    assert len(server.asked) == 10 and len({client for *_, client in server.asked}) == 10
    assert {path for path, *_ in server.asked} == {"/readyz"}


@pytest.mark.parametrize(
    "answer, said",
    [
        ((200, READY | {"release": "old"}), "release old answers"),
        ((503, {"detail": "no"}), "/readyz answers 503"),
        ((200, {"status": "ready", "bundle": BUNDLE}), "/readyz answers 200"),
        ((503, READY), "/readyz answers 503"),
        ((301, b""), "/readyz answers 301"),
        ((200, b"<html>"), "/readyz answers 200"),
        ((200, []), "/readyz answers 200"),
    ],
)
def test_every_other_answer_is_named_after_a_minute(answer, said):
    clock = Clock()
    with serve_answers([answer]) as server, pytest.raises(ReleaseError, match=f"does not serve release new: {said}"):
        require_release(at(server), "new", BUNDLE, clock)
    assert 60 < clock.passed < 63


def test_another_bundle_of_the_same_release_is_final():
    clock, old = Clock(), (200, READY | {"release": "old", "bundle": "c" * 64})
    wrong = (200, READY | {"bundle": "c" * 64})
    told = "new: it serves the bundle cccccccccccc, but the commit names bbbbbbbbbbbb"
    with serve_answers([old, wrong]) as server, pytest.raises(ReleaseError, match=told):
        require_release(at(server), "new", BUNDLE, clock)
    assert len(server.asked) == 2 and clock.passed < 2


def test_what_does_not_answer_is_named():
    nowhere = PublicAddress("127.0.0.1", free_port())
    with pytest.raises(ReleaseError, match=r"it does not answer \(Connection refused\)"):
        require_release(nowhere, "new", BUNDLE, Clock())
    with pytest.raises(ReleaseError, match=r"does not answer \(Connection refused\); nothing was changed"):
        require_reachable(nowhere, Clock())


def test_any_answer_at_all_is_one_that_can_be_reached():
    with serve_answers([(503, b"no tasks yet")]) as server:
        require_reachable(at(server), Clock())


def test_no_proxy_is_asked(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with serve_answers([(200, READY)]) as server:
        assert at(server).ask() == (200, READY)


def test_the_load_balancer_is_asked_for_the_name_before_it_leads_there(tmp_path, monkeypatch):
    path = certificate(tmp_path, 1)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serve_answers([(200, READY)], str(path)) as server:
        port = server.server_port
        address = public_address({"slipway:url": f"https://localhost:{port}/v1/", "slipway:address": "127.0.0.1"})
        assert address.ask() == (200, READY)
        assert server.asked[0][:2] == ("/v1/readyz", f"localhost:{port}")
        other = public_address({"slipway:url": f"https://charges.example.com:{port}", "slipway:address": "127.0.0.1"})
        with pytest.raises(ssl.SSLCertVerificationError, match="charges.example.com"):
            other.ask()


def test_the_host_is_named_as_users_name_it(monkeypatch):
    with serve_answers([(200, READY)]) as server:
        lead = ("127.0.0.1", server.server_port)
        monkeypatch.setattr(PublicAddress, "_connect", lambda address, seconds: socket.create_connection(lead, seconds))
        PublicAddress("charges.example.com", 443, secure=True).ask()
        PublicAddress("charges.example.com", 80).ask()
        PublicAddress("charges.example.com", 8443, secure=True).ask()
    assert [host for _, host, _ in server.asked] == ["charges.example.com"] * 2 + ["charges.example.com:8443"]


def test_a_certificate_that_nobody_signed_is_refused(tmp_path):
    with serve_answers([(200, READY)], str(certificate(tmp_path, 1))) as server, pytest.raises(ssl.SSLCertVerificationError):
        PublicAddress("localhost", server.server_port, secure=True, place="127.0.0.1").ask()


@pytest.mark.parametrize(
    "tags, address",
    [
        ({}, None),
        ({"slipway:url": "https://charges.example.com"}, PublicAddress("charges.example.com", 443, True)),
        ({"slipway:url": "http://10.0.0.1:8080/"}, PublicAddress("10.0.0.1", 8080)),
        (
            {"slipway:url": "https://charges.example.com/a/", "slipway:address": "lb.example.com"},
            PublicAddress("charges.example.com", 443, True, "/a", "lb.example.com"),
        ),
    ],
)
def test_the_tags_of_the_service_name_the_address(tags, address):
    assert public_address(tags) == address


@pytest.mark.parametrize("url", ["charges.example.com", "ftp://example.com", "https://", "https://example.com:port"])
def test_a_tag_that_is_no_address_is_refused(url):
    with pytest.raises(ReleaseError, match="the service's tag slipway:url is"):
        public_address({"slipway:url": url})


def test_the_standard_port_is_not_named():
    assert str(PublicAddress("charges.example.com", 443, True, "", "lb")) == "https://charges.example.com at lb"
    assert str(PublicAddress("203.0.113.7", 8080)) == "http://203.0.113.7:8080"
