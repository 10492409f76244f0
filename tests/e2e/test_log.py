"""The prediction log of releases on a box: every answered row is in it, across a swap and when its disk is full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.box import PROGRAM, Box, make_box
from slipway.model.event import Event, read_events
from slipway.release.box.archive import EC2
from slipway.release.box.state import USER
from swaps import request, under_traffic

pytestmark = pytest.mark.docker
BUCKET = """
import http.server, os, pathlib, sys, threading, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        path = pathlib.Path("/tmp" + urllib.parse.unquote(self.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
    def do_GET(self):
        self.send_response(200 if self.path == "/bucket/artifacts/log/live.html" else 404)
        self.end_headers()
        self.wfile.write(b"the page")
server = http.server.HTTPServer(("127.0.0.1", 9000), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
KEYS = (
    "AWS_ACCESS_KEY_ID=a",
    "AWS_SECRET_ACCESS_KEY=b",
    "AWS_REGION=eu-west-1",
    "AWS_ENDPOINT_URL=http://127.0.0.1:9000",
)


def logged(folder: Path) -> list[Event]:
    found = [event for path in folder.rglob("*.jsonl*") for event in read_events(path.read_bytes())]
    assert None not in found
    return found


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that releases may write to."""
    folder = tmp_path / "log"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """The file system that the bootstrap makes for a log, mounted."""
    image, folder = tmp_path / "log.img", tmp_path / "disk"
    folder.mkdir()
    make = f'. "{EC2}/changes.sh"; . "{EC2}/log.sh"; make_image "{image}" 64MiB'
    subprocess.run(["bash", "-euo", "pipefail", "-c", make], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mount", "-o", "loop,nosuid,nodev,noexec", image, folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def logging_box(docker, registry, repository, disk) -> Iterator[Box]:
    """A box that has this file system where the engine has it, and a disk of its own: `watch` reports one that fills up."""
    login = (registry.host, "AWS", registry.password)
    own = ("--tmpfs", "/var/lib/slipway:mode=711,size=2g")
    with make_box(docker, repository, login, *own, "--mount", f"type=bind,source={disk},target={disk}") as box:
        box.configure(log_mount=str(disk), log_remote="s3://bucket/artifacts")
        box.write(f"{box.settings}/service.env", "SLIPWAY_LOG_TO=files\n")
        yield box


def test_what_two_releases_answered_during_a_swap_is_all_shipped(logging_box, releases, disk):
    box = logging_box
    box.release(request(releases[0], 1))
    first = box.live()
    with under_traffic(box) as found:
        box.release(request(releases[1], 2))
    second = box.live()
    by_release = {name: [each for each in found.requests if each.release == name] for name in (first, second)}
    events = logged(disk)
    for name, answered in by_release.items():
        own = [event for event in events if event.release == name]  # a release also answers the golden row that checks it
        assert len(own) >= len(answered) > 0
    assert sum(len(event.rows) for event in events) - len(found.requests) <= 4

    assert box.run(PROGRAM, "watch").stdout == ""
    for name in box.releases():
        box.docker("kill", name)  # which closes no file
    silent = box.run(PROGRAM, "watch", check=False)
    assert silent.returncode == 1 and "insurance: the service does not answer: its release: no answer" in silent.stdout
    with receiving(box):
        box.run("env", *KEYS, PROGRAM, "ship")
        assert box.run("env", *KEYS, PROGRAM, "ship").stdout == "", "once"
    sent = box.run("sh", "-c", "cd /tmp/bucket/artifacts/log/raw && find . -type f -exec cat {} +").stdout.encode()
    assert sorted(event.id for event in read_events(sent)) == sorted(event.id for event in events)
    assert [path for path in (disk / "raw").rglob("*") if path.is_file()] == []
    page = disk / "live.html"
    assert (page.read_text(), page.stat().st_uid) == ("the page", USER)


@contextmanager
def receiving(box: Box) -> Iterator[None]:
    """A server in the box that keeps what is put, and has a page; tests/release/box plays S3's own answers."""
    arguments = ["docker", "exec", "--interactive", box.name, "python3", "-c", BUCKET]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield
        process.stdin.close()


def test_a_full_log_drops_rows_and_no_answer_fails(box, releases, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,uid={USER},gid={USER}", "tmpfs", folder], check=True)
    try:
        box.configure(log_mount=str(folder))
        box.write(f"{box.settings}/service.env", "SLIPWAY_LOG_TO=files\n")
        box.release(request(releases[0], 1))
        with under_traffic(box):
            box.release(request(releases[1], 2))
        told = box.docker("logs", f"slipway-{box.live()}").stderr
        kept = [event for path in folder.rglob("*.jsonl*") for event in read_events(path.read_bytes())]
        for name in box.releases():
            box.docker("rm", "--force", name)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert '{"error":"answered rows are not logged","reason":"disk_full"}' in told
    assert kept.count(None) <= 8  # at most the last line of each worker's file is torn
