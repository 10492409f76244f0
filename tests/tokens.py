"""Gives tokens for a login, as the authorization server of a registry does, signed with a certificate that it trusts."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from certificates import certificate

SERVICE = "a registry"
ISSUER = "a test"
LOGIN = ("robot", "of the robot")


def _encoded(content: bytes | dict) -> str:
    plain = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def signed(claims: dict, pem: bytes) -> str:
    """A token in the form that the distribution specification has: ES256, with the certificate in its header."""
    key = serialization.load_pem_private_key(pem, None)
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
    text = f"{_encoded(head)}.{_encoded(claims)}"
    numbers = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_encoded(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        right = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
        if self.headers["Authorization"] != right or asked["service"] != [SERVICE]:
            return self._end(401, {})
        parts = [scope.split(":") for scope in asked.get("scope", [])]
        access = [{"type": kind, "name": name, "actions": actions.split(",")} for kind, name, actions in parts]
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": LOGIN[0], "aud": SERVICE, "nbf": now - 60, "exp": now + 300, "access": access}
        self._end(200, {"token": signed(claims, self.server.pem)})

    def _end(self, status: int, document: dict) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serve_tokens(folder: Path) -> Iterator[tuple[str, str]]:
    """The realm, and the certificate that its tokens are signed with."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pem = certificate(folder, 1).read_bytes()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        public = x509.load_pem_x509_certificate(server.pem).public_bytes(serialization.Encoding.PEM).decode()
        yield f"http://127.0.0.1:{server.server_port}/token", public
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
