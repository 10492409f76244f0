"""The ways to a person: a webhook and e-mail. What they need is secret, so it comes from the environment alone, and no
error repeats it.
"""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from slipway.errors import ProblemError
from slipway.monitoring.message import Message
from slipway.webhook import post

WEBHOOK, MAIL = "SLIPWAY_WEBHOOK", "SLIPWAY_SMTP_URL"
PORTS = {"smtp": 587, "smtps": 465}
HERE = {"localhost", "127.0.0.1", "::1"}  # where nobody can listen in
SECONDS = 10
FORM = "Write it like smtps://USER:PASSWORD@HOST:465/?from=a@example.org&to=b@example.org; in them @ is %40"


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """The variable that sets it."""

    def send(self, message: Message) -> str:
        """Send it; returns why it did not arrive, empty when it did."""


@dataclass(frozen=True)
class Webhook:
    """A URL that takes messages as Slack does."""

    url: str = field(repr=False)
    name: str = WEBHOOK

    def send(self, message: Message) -> str:
        return post(self.url, message.text, message.good)


@dataclass(frozen=True)
class Mail:
    """A mail server, and between whom; encrypted, unless it is on this machine."""

    host: str
    port: int
    at_once: bool  # whether the connection is encrypted from the start, not from STARTTLS on
    user: str
    password: str = field(repr=False)
    sender: str
    receivers: tuple[str, ...]
    name: str = MAIL

    def send(self, message: Message) -> str:
        try:
            self._deliver(self._letter(message))
        except smtplib.SMTPResponseException as error:  # its text may repeat the user's name
            return f"{type(error).__name__}, {error.smtp_code}"
        except smtplib.SMTPRecipientsRefused:
            return "the server refused the receivers"
        except (OSError, ValueError) as error:  # SMTPException is an OSError
            return type(error).__name__
        return ""

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"], letter["From"], letter["To"] = message.title, self.sender, ", ".join(self.receivers)
        letter["Date"], letter["Message-ID"] = localtime(), make_msgid(domain=self.sender.rpartition("@")[2])
        letter.set_content(message.text)
        return letter

    def _deliver(self, letter: EmailMessage) -> None:
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
            if self.at_once
            else smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        ) as server:
            if not self.at_once and self.host not in HERE:
                server.starttls(context=context)  # an error when the server cannot
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(letter, self.sender, self.receivers)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)


def channels(environ: Mapping[str, str]) -> list[Channel]:
    """What the environment sets; nothing is contacted yet.

    Parameters
    ----------
    environ : mapping
        ``SLIPWAY_WEBHOOK``: a URL. ``SLIPWAY_SMTP_URL``: ``smtps://USER:PASSWORD@HOST:465/?from=…&to=…``, or ``smtp://`` for
        STARTTLS; ``to`` may be there more than once.

    Raises
    ------
    ProblemError
        When one is no such address; its value is not repeated.
    """
    found: list[Channel] = []
    if url := environ.get(WEBHOOK, "").strip():
        found.append(_webhook(url))
    if url := environ.get(MAIL, "").strip():
        found.append(_mail(url))
    return found


def _webhook(url: str) -> Webhook:
    try:
        parts = urlsplit(url)
        fits = bool(parts.hostname) and (parts.scheme == "https" or parts.scheme == "http" and parts.hostname in HERE)
    except ValueError:
        fits = False
    if not fits or not url.isascii() or len(url.split()) != 1:
        raise ProblemError(f"{WEBHOOK}: not an https:// URL", "Copy it anew from the service that takes the messages")
    return Webhook(url)


def _mail(url: str) -> Mail:
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query, strict_parsing=True)
        mail = _mail_of(parts, asked)
    except (ValueError, KeyError):  # it may quote a part of the password
        raise ProblemError(f"{MAIL}: not the address of a mail server, a sender and a receiver", FORM) from None
    return mail


def _mail_of(parts: SplitResult, asked: Mapping[str, list[str]]) -> Mail:
    [sender] = asked["from"]
    receivers = tuple(asked["to"])
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    if not parts.hostname or asked.keys() > {"from", "to"} or not all(map(_is_address, (sender, *receivers))):
        raise ValueError
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Mail(parts.hostname, port, parts.scheme == "smtps", user, password, sender, receivers)


def _is_address(text: str) -> bool:
    name, _, host = text.rpartition("@")
    return bool(name and host) and text.isascii() and text.isprintable() and not set(text) & set(" ,;<>()")
