"""slipway monitor: the page of the last look, here or on another machine."""

import webbrowser
from hashlib import sha256
from pathlib import Path

import pytest

from looks import leave

LOOKS = {
    "older": "2026-11-21T06:00:00",
    "same": "2026-11-22T06:00:00",
    "newer": "2026-11-22T06:00:01",
    "future": "2999-01-01T00:00:00",
}


@pytest.fixture
def opened(tmp_path, monkeypatch) -> list[str]:
    """A problem, and what its browser was asked to open."""
    monkeypatch.chdir(tmp_path)
    Path("slipway.yaml").write_text("name: charges\nsource: table.csv\ntarget: charges\n")
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def put(bucket, at: str, page: str) -> None:
    """A look of another machine."""
    leave(Path("other"), page, at=at)
    for name in ("live.html", "live.json"):
        content = Path("other", name).read_bytes()
        bucket.remote().write(f"log/{name}", content, sha256(content).hexdigest())


def test_it_opens_the_page(run, opened, tmp_path):
    leave(Path("log"))
    done = run("monitor")
    assert (done.code, done.out) == (0, f"{tmp_path}/log/live.html\n")
    assert opened == [f"file://{tmp_path}/log/live.html"]


def test_it_may_only_say_where_it_is(run, opened):
    leave(Path("log"))
    assert run("monitor", "--no-browser").out.endswith("/log/live.html\n") and opened == []


def test_without_a_look_it_says_what_to_do(run, opened):
    done = run("monitor")
    assert (done.code, opened) == (5, []) and "there is no page yet. Run slipway watch" in done.err


@pytest.mark.parametrize("age, page", [("older", "here"), ("same", "here"), ("newer", "there"), ("future", "here")])
def test_the_newer_look_counts(run, opened, bucket, monkeypatch, age, page):
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    leave(Path("log"), "here")
    put(bucket, LOOKS[age], "there")
    assert run("monitor").code == 0
    assert Path("log/live.html").read_text() == page


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"x":' * 9_999, b'{"at": "2999-01-01T00:00:00"}'])
def test_a_damaged_look_counts_for_none(run, opened, bucket, monkeypatch, content):
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    put(bucket, LOOKS["older"], "there")
    leave(Path("log"), "here")
    Path("log/live.json").write_bytes(content)
    assert run("monitor").code == 0 and Path("log/live.html").read_text() == "there"
    bucket.remote().write("log/live.json", content, sha256(content).hexdigest())
    Path("log/live.html").write_text("again")
    assert run("monitor").code == 0 and Path("log/live.html").read_text() == "again"


def test_a_store_that_cannot_be_reached_leaves_the_look_of_this_machine(run, opened, bucket, monkeypatch):
    monkeypatch.setenv("SLIPWAY_REMOTE", "s3://no-such-bucket/models")
    done = run("monitor")
    assert done.code == 5 and "NoSuchBucket" in done.err
    leave(Path("log"))
    done = run("monitor")
    assert done.code == 0 and "This is the page of this machine's last run" in done.err and len(opened) == 1
