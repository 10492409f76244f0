"""A small mail server (RFC 5321) that keeps what it gets."""

import socketserver
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass
class Mailbox:
    """What came, and how the server answers."""

    port: int = 0
    user: str = ""  # and password, apart from it by a zero byte; empty when nobody needs one
    starttls: ssl.SSLContext | None = None
    refuses: str = ""  # an address
    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


@contextmanager
def serve_mail(certificate: Path | None = None, **more) -> Iterator[Mailbox]:
    """A server on a free port; with a certificate it is encrypted from the start."""
    box = Mailbox(**more)

    class Handler(socketserver.StreamRequestHandler):
        def finish(self) -> None:
            super().finish()
            self.request.close()  # the server knows the one from before STARTTLS alone

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            sender, receivers = "", []
            self.say("220 ready")
            while line := self.rfile.readline().decode().strip():
                command = line.upper()
                if command.startswith("EHLO"):
                    offers = ["STARTTLS"] * bool(box.starttls) + ["AUTH PLAIN"] * bool(box.user)
                    for each in ["here", *offers]:
                        self.say(f"250-{each}")
                    self.say("250 SIZE")
                elif command == "STARTTLS":
                    self.say("220 go on")
                    super().finish()
                    self.request = box.starttls.wrap_socket(self.request, server_side=True)
                    self.setup()
                elif command.startswith("AUTH PLAIN"):
                    box.logins.append(b64decode(line.split()[2]).decode().lstrip("\0"))
                    self.say("235 welcome" if box.logins[-1] == box.user else f"535 not {box.logins[-1]!r}")
                elif command.startswith("MAIL FROM:"):
                    sender, receivers = line[10:].split()[0].strip("<>"), []
                    self.say("250 ok")
                elif command.startswith("RCPT TO:"):
                    receivers.append(line[8:].strip("<>"))
                    self.say("550 nobody of that name" if receivers[-1] == box.refuses else "250 ok")
                elif command == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (part := self.rfile.readline()) != b".\r\n":
                        lines.append(part)
                    box.letters.append(message_from_bytes(b"".join(lines), policy=policy.default))
                    box.envelopes.append((sender, receivers))
                    box.encrypted.append(isinstance(self.request, ssl.SSLSocket))
                    self.say("250 taken")
                else:
                    self.say("221 bye" if command == "QUIT" else "250 ok")

    class Server(socketserver.ThreadingTCPServer):
        def get_request(self):
            request, address = super().get_request()
            return (context(certificate).wrap_socket(request, server_side=True) if certificate else request), address

        def handle_error(self, request, address) -> None:
            pass  # a client that goes away is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def context(certificate: Path) -> ssl.SSLContext:
    """What a server with this certificate and key, in one file, encrypts with."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made
