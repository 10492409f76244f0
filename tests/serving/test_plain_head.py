"""Heads that are read in one go are read as gunicorn reads them; all others are left to gunicorn."""

import random

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser, wsgi

from slipway.serving.plain_head import LONGEST, Heads

TCP = ("10.1.2.3", 40_000), ("127.0.0.1", 8080)
LOCAL = ("127.0.0.1", 40_000), ("127.0.0.1", 8080)
IPV6 = ("::1", 40_000, 0, 0), ("::1", 8080, 0, 0)
UNIX = "", "/run/web.sock"
OURS = {"wsgi.input", "wsgi.errors", "wsgi.early_hints", "wsgi.multithread", "gunicorn.socket"}
PREDICT = b"POST /predict HTTP/1.1\r\nHost: a.example:81\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
PROXIED = b"GET /a//b?x=1&y=%20? HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nVia: x\r\nConnection: Close\r\n\r\n"
PLAIN = [
    PREDICT,
    PROXIED,
    b"GET / HTTP/1.1\r\n\r\n",
    b"HEAD /x? HTTP/1.1\r\nHost:\r\nAccept: \t*/* , x\t \r\nConnection: keep-alive\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nhost: x\r\nX-Forwarded-SSL: off\r\nProxy: y\r\nScript-Name: /z\r\nPath-Info: /z\r\n\r\n",
]
FIELD = b"GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
LEFT = [
    *(
        FIELD % field
        for field in (
            b"Content-Length: 1\r\nContent-Length: 1",
            b"Content-Length: 1\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked",
            b"Content-Length: +1",
            b"Content-Length: 1, 1",
            b"Content-Length: 1\xb2",
            b"Content-Length:",
            b"Content-Length : 1",
            b" Content-Length: 1",
            b"Content_Length: 1",
            b"Host: y",
            b"A: b\r\n c",
            b"A: b\nContent-Length: 1",
            b"A: b\rContent-Length: 1",
            b"A: \x00",
            b"A: \xff",
            b"A",
            b": b",
            b"Expect: 100-continue",
            b"Upgrade: h2c",
            b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
            b"A: " + b"b" * LONGEST,
        )
    ),
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\n\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET //x HTTP/1.1\r\n\r\n",
    b"GET /a%2fb HTTP/1.1\r\n\r\n",
    b"GET /a#b HTTP/1.1\r\n\r\n",
    b"GET /?a#b HTTP/1.1\r\n\r\n",
    b"GET http://x/ HTTP/1.1\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    b"get / HTTP/1.1\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\n\r\n",
]


CONFIG = Config()
HEADS = Heads(CONFIG)


def by_us(head: bytes, client, server):
    """The environment, and how the request goes on; None when the head is not plain."""
    request = HEADS.read(bytearray(head), client)
    if request is None:
        return None
    environ = HEADS.environ(request, client, server)
    return comparable(environ), (request.size, request.length, request.version, request.should_close())


def by_gunicorn(head: bytes, client, server):
    parser = get_parser(CONFIG, iter([head]), client)
    request = next(parser)
    length = getattr(request.body.reader, "length", None)
    _, environ = wsgi.create(request, None, client, server, CONFIG)
    size = len(head) - len(parser.unreader.take_buffered())
    return comparable(environ), (size, length, request.version, request.should_close())


def comparable(environ) -> dict:
    return {name: value for name, value in environ.items() if name not in OURS}


@pytest.mark.parametrize("client, server", [TCP, LOCAL, IPV6, UNIX])
@pytest.mark.parametrize("head", PLAIN)
def test_a_plain_head_says_what_gunicorn_reads_in_it(head, client, server):
    assert by_us(head, client, server) == by_gunicorn(head, client, server)


@pytest.mark.parametrize("head", LEFT)
def test_what_is_not_plain_is_left_to_gunicorn(head):
    assert by_us(head, *LOCAL) is None


def test_a_head_that_was_changed_anywhere_is_read_as_gunicorn_reads_it_or_not_at_all():
    draw = random.Random(14)
    alphabet = [bytes([byte]) for byte in range(256)] + [b"\r\n", b"Host: x\r\n", b"Content-Length: 3\r\n", b"//", b"%0d"]
    taken = 0
    for _ in range(6_000):
        head = bytearray(draw.choice(PLAIN))
        start = draw.randrange(len(head))
        head[start : start + draw.randint(0, 2)] = draw.choice(alphabet)
        ours = by_us(bytes(head), *LOCAL)
        if ours is not None:
            taken += 1
            assert ours == by_gunicorn(bytes(head), *LOCAL), head
    assert taken > 500


@pytest.mark.parametrize(
    "name, value",
    [("limit_request_line", 20), ("limit_request_field_size", 20), ("limit_request_fields", 2), ("proxy_protocol", "v1")],
)
def test_gunicorns_settings_hold(name, value):
    cfg = Config()
    cfg.set(name, value)
    assert Heads(cfg).read(bytearray(PREDICT), "") is None


def test_a_path_that_the_environment_strips_is_left_to_gunicorn(monkeypatch):
    monkeypatch.setenv("SCRIPT_NAME", "/models")
    assert Heads(Config()).read(bytearray(PREDICT), "") is None


@pytest.mark.parametrize("name", ["X-FORWARDED-PROTO", "x-forwarded-proto", "X_FORWARDED_PROTO"])
def test_a_header_that_tells_the_scheme_is_known_by_the_name_that_gunicorn_knows(name):
    cfg = Config()
    cfg.set("secure_scheme_headers", {name: "https"})
    by_gunicorn = next(get_parser(cfg, iter([PROXIED]), LOCAL[0]))
    assert Heads(cfg).read(bytearray(PROXIED), LOCAL[0]).scheme == by_gunicorn.scheme
