"""What is wrong with a service, seen from outside its releases."""

import errno
import os
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.release.box import outage
from slipway.release.box.configuration import Configuration
from slipway.release.box.outage import Condition, certificate_days, examine, findings, silent, unlogged, waiting
from slipway.release.box.state import Box
from slipway.release.box.watch import Watch

ID = "0123456789ab"
OK, DOWN = b"HTTP/1.1 200 OK\r\n\r\n{}", b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}"


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (Condition(), []),
        (Condition(used=0.85, days=14.0, waiting=86_400.0, host="a.example.org"), []),
        (Condition(silent="no answer"), ["service"]),
        (Condition(unlogged="not mounted"), ["log"]),
        (Condition(used=0.86), ["log room"]),
        (Condition(days=13.9, host="a.example.org"), ["certificate"]),
        (Condition(waiting=86_401.0), ["shipping"]),
    ],
)
def test_what_is_found(condition, names):
    assert list(findings(condition)) == names


def test_a_finding_says_what_and_what_to_do():
    found = findings(Condition("its release: no answer", "", 0.9, "a.example.org", -2.0, 90_000.0))
    assert found["service"] == "the service does not answer: its release: no answer"
    assert "is 90% full" in found["log room"] and "waiting for 25 hours" in found["shipping"]
    assert found["certificate"] == "the certificate of a.example.org has ended. Try certbot renew --dry-run"
    assert "ends in 3 days" in findings(Condition(host="a.example.org", days=3.2))["certificate"]


def test_an_outage_is_told_once_and_so_is_its_end(tmp_path):
    told = []
    look = Watch(tmp_path / "watch.json", lambda good, text: told.append((good, text)) or True).look
    for reason in ("", "no answer", "/readyz answers 503", ""):
        look(findings(Condition(silent=reason)))
    assert told == [(False, "the service does not answer: no answer"), (True, "over: service")]


@pytest.fixture
def box() -> Iterator[Box]:
    """A service whose release is live; the path is short, as those of sockets have to be."""
    with tempfile.TemporaryDirectory() as root:
        made = Box("insurance", Path(root))
        made.folder(ID).mkdir(parents=True)
        made.point(ID)
        yield made


@contextmanager
def answering(kind: type[socketserver.BaseServer], address: object, *answers: bytes) -> Iterator[socketserver.BaseServer]:
    """A server with these answers, of which it gives the last again and again."""
    left = list(answers)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().split()[1])
            b"".join(iter(self.rfile.readline, b"\r\n"))
            self.wfile.write(left.pop(0) if len(left) > 1 else left[0])

    asked: list[bytes] = []
    with kind(address, Handler) as server:
        server.asked = asked
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def seen(box: Box, *answers: bytes, release: bytes = OK) -> tuple[str, list[float], list[bytes]]:
    """Why it is silent, the pauses, and what nginx was asked."""
    pauses: list[float] = []
    with (
        answering(socketserver.TCPServer, ("127.0.0.1", 0), *answers) as nginx,
        answering(socketserver.UnixStreamServer, str(box.socket(ID)), release),
    ):
        return silent(box, nginx.server_address, pauses.append), pauses, nginx.asked


def test_a_service_that_answers_is_asked_once_through_nginx(box):
    assert seen(box, OK) == ("", [], [b"/insurance/readyz"])


def test_one_failure_is_none(box):
    assert seen(box, DOWN, OK)[:2] == ("", [5.0])


def test_a_release_that_is_down_is_told_from_nginx_that_is(box):
    said = "/readyz answers 503"
    assert seen(box, DOWN, release=DOWN)[0].startswith(f"its release: {said}. See slipway-release status")
    assert seen_again(box).startswith(f"nginx: {said}. See systemctl status nginx")


def seen_again(box: Box) -> str:
    box.socket(ID).unlink()
    return seen(box, DOWN)[0]


def test_a_service_that_has_never_been_released_is_not_silent(tmp_path):
    box = Box("insurance", tmp_path)
    box.sockets.mkdir(parents=True)
    assert silent(box, ("127.0.0.1", 1), pytest.fail) == ""


def test_a_link_to_no_release_is_told(tmp_path):
    box = Box("insurance", tmp_path)
    box.sockets.mkdir(parents=True)
    box.active.symlink_to("elsewhere")
    assert "points to elsewhere" in silent(box, ("127.0.0.1", 1), pytest.fail)


def test_a_log_belongs_on_a_file_system_of_its_own(tmp_path):
    assert unlogged(Path("/dev/shm")) == ""
    assert "is not mounted" in unlogged(tmp_path, tmp_path)
    assert "No such file" in unlogged(tmp_path / "absent", tmp_path)


def test_the_oldest_closed_file_counts(tmp_path):
    assert waiting(tmp_path, 1_000.0) == 0
    folder = tmp_path / "raw/date=2026-11-20/bundle=8821177e2697"
    folder.mkdir(parents=True)
    for name, at in (("a.jsonl", 400), ("b.jsonl", 700), ("c.jsonl.open", 1)):
        (folder / name).touch()
        os.utime(folder / name, (at, at))
    assert waiting(tmp_path, 1_000.0) == 600.0


def test_a_certificate_says_when_it_ends(tmp_path):
    path = tmp_path / "fullchain.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20", "-subj", "/CN=a.example.org"]
    subprocess.run([*made, "-keyout", tmp_path / "key.pem", "-out", path], check=True, capture_output=True)
    assert certificate_days(path) == pytest.approx(20, abs=0.1)
    path.write_text("damaged")
    assert certificate_days(path) is None and certificate_days(tmp_path / "absent") is None


def test_a_log_that_cannot_be_read_is_a_finding_and_keeps_nothing_else_from_being_one(box, monkeypatch):
    def damaged(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(outage, "unlogged", lambda log, root: "")
    monkeypatch.setattr(outage.os, "statvfs", damaged)
    monkeypatch.setattr(outage, "silent", lambda box, proxy: "no answer")
    found = examine(box, Configuration("example.org/a", log_mount="/srv/log"))
    assert found.unlogged.endswith("srv/log: Input/output error") and found.silent == "no answer"


def test_the_facts_of_a_service(box, monkeypatch, tmp_path):
    monkeypatch.setattr(outage, "unlogged", lambda log, root: "")
    log = box.root / "srv/log/raw/date=2026-11-20/bundle=8821177e2697"
    log.mkdir(parents=True)
    (log / "a.jsonl").touch()
    os.utime(log / "a.jsonl", (1, 1))
    shipping = Configuration("example.org/a", log_mount="/srv/log", log_remote="s3://bucket/a")
    with answering(socketserver.TCPServer, ("127.0.0.1", 0), OK) as nginx:
        found = examine(box, shipping, nginx.server_address)
        assert 0 < found.used < 1 and found.waiting > 86_400 and found.silent == found.unlogged == found.host == ""
        assert examine(box, Configuration("example.org/a", log_mount="/srv/log"), nginx.server_address).waiting == 0
        assert examine(box, Configuration("example.org/a"), nginx.server_address) == Condition()
