"""Messages by webhook and by mail, to real servers; and what is said when they do not arrive."""

import json
import smtplib

import pytest

from certificates import certificate
from mail import context, serve_mail
from servers import free_port
from slipway.errors import ProblemError
from slipway.monitoring import channels as module
from slipway.monitoring.channels import Mail, Webhook, channels
from slipway.monitoring.message import Message
from web import serve_web

MOVED = Message("drift", "charges: columns moved", "charges: columns moved\n`größe`: 31 % at 30 or more.")
SECRET = "p@ss/w:rd"
LOGIN = f"bob@example.org\0{SECRET}"


def mail(port: int, scheme: str = "smtp", user: str = "", to: str = "to=b@example.org") -> Mail:
    login = "bob%40example.org:p%40ss%2Fw%3Ard@" if user else ""
    [channel] = channels({"SLIPWAY_SMTP_URL": f"{scheme}://{login}localhost:{port}/?from=a@example.org&{to}"})
    return channel


def test_without_settings_there_is_none():
    assert channels({}) == [] == channels({"SLIPWAY_WEBHOOK": "", "SLIPWAY_SMTP_URL": " "})


def test_a_webhook_is_told():
    with serve_web() as web:
        web.pages["/hook"] = (200, b"ok")
        [channel] = channels({"SLIPWAY_WEBHOOK": f"{web.url}/hook"})
        assert channel.send(MOVED) == ""
    assert json.loads(web.sent["/hook"]) == {"text": MOVED.text, "ok": False}


def test_a_mail_arrives_as_it_was_written():
    with serve_mail() as box:
        assert mail(box.port, to="to=b@example.org&to=c@example.org").send(MOVED) == ""
    [letter] = box.letters
    assert (letter["Subject"], letter["From"], letter["To"]) == (MOVED.title, "a@example.org", "b@example.org, c@example.org")
    assert letter.get_content().splitlines() == MOVED.text.splitlines()
    assert letter["Date"] and "@example.org>" in letter["Message-ID"]
    assert box.envelopes == [("a@example.org", ["b@example.org", "c@example.org"])]


def test_a_mail_server_with_a_password_and_a_certificate(tmp_path, monkeypatch):
    path = certificate(tmp_path, 10)
    with serve_mail(path, user=LOGIN) as box:
        assert mail(box.port, "smtps", user="bob").send(MOVED) == "SSLCertVerificationError"
        assert box.letters == box.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert mail(box.port, "smtps", user="bob").send(MOVED) == ""
    assert (len(box.letters), box.logins, box.encrypted) == (1, [LOGIN], [True])


def test_elsewhere_nothing_is_said_before_the_connection_is_encrypted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HERE", set())
    path = certificate(tmp_path, 10)
    with serve_mail(user=LOGIN) as box:
        assert mail(box.port, user="bob").send(MOVED) == "SMTPNotSupportedError"
        assert box.logins == []
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serve_mail(user=LOGIN, starttls=context(path)) as box:
        assert mail(box.port, user="bob").send(MOVED) == ""
    assert (box.logins, box.encrypted) == ([LOGIN], [True])


def test_what_a_server_refuses_is_told_without_a_secret():
    with serve_mail(user="another") as box:
        assert mail(box.port, user="bob").send(MOVED) == "SMTPAuthenticationError, 535"
    with serve_mail(refuses="c@example.org") as box:
        assert mail(box.port, to="to=b@example.org&to=c@example.org").send(MOVED) == "the server refused the receivers"
    assert mail(free_port()).send(MOVED) == "ConnectionRefusedError"


@pytest.mark.parametrize("scheme, reason", [("smtp", "SMTPServerDisconnected"), ("smtps", "TimeoutError")])
def test_a_server_that_says_nothing_is_not_waited_for_for_ever(monkeypatch, scheme, reason):
    monkeypatch.setattr(module, "SECONDS", 0.1)
    with smtplib.socket.create_server(("127.0.0.1", 0)) as silent:
        assert mail(silent.getsockname()[1], scheme).send(MOVED) == reason


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.org/SECRET",
        "http://hooks.example.org/SECRET",
        "https:///SECRET",
        "https://[SECRET",
        "https://hooks.example.org/SECRET and more",
        "file:///SECRET",
    ],
)
def test_a_webhook_that_is_none_is_refused_without_its_value(url):
    with pytest.raises(ProblemError, match="SLIPWAY_WEBHOOK: not an https:// URL") as error:
        channels({"SLIPWAY_WEBHOOK": url})
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "https://bob:SECRET@example.org/?from=a@example.org&to=b@example.org",
        "smtps://bob:SECRET@example.org/",
        "smtps://bob:SECRET@example.org/?from=a@example.org",
        "smtps://bob:SECRET@example.org/?from=a@example.org&from=c@example.org&to=b@example.org",
        "smtps://bob:SECRET@example.org/?from=a@example.org&to=b@example.org&cc=c@example.org",
        "smtps://bob:SECRET@example.org/?from=a@example.org&to=b%0d%0aBcc:c@example.org",
        "smtps://bob:SECRET@example.org/?from=a&to=b@example.org",
        "smtps://bob:SECRET/x@example.org/?from=a@example.org&to=b@example.org",
        "smtps://bob:SECRET@/?from=a@example.org&to=b@example.org",
        "smtps://bob:SECRET@example.org:x/?from=a@example.org&to=b@example.org",
    ],
)
def test_an_address_that_is_no_mail_server_is_refused_without_its_value(url):
    with pytest.raises(ProblemError, match="SLIPWAY_SMTP_URL: not the address") as error:
        channels({"SLIPWAY_SMTP_URL": url})
    assert "SECRET" not in str(error.value) and "smtps://USER:PASSWORD" in str(error.value)
    assert error.value.__suppress_context__


@pytest.mark.parametrize("scheme, port", [("smtp", 587), ("smtps", 465)])
def test_the_usual_ports(scheme, port):
    [channel] = channels({"SLIPWAY_SMTP_URL": f"{scheme}://mail.example.org/?from=a@example.org&to=b@example.org"})
    assert (channel.port, channel.at_once) == (port, scheme == "smtps")


def test_no_secret_is_shown():
    assert "SECRET" not in repr(Webhook("https://hooks.example.org/SECRET"))
    assert SECRET not in repr(mail(25, user="bob"))
