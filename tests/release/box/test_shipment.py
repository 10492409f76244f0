"""The prediction log's way to the bucket: every closed file arrives, once, whatever happens."""

import fcntl
import os
from datetime import date
from pathlib import Path

import pytest

import s3
import shipments
from shipments import FOLDER, SHIPPED, fill
from slipway.errors import ReleaseError
from slipway.model.event import CLOSED, OPEN
from slipway.release.box import shipment
from slipway.release.box.bucket import Bucket
from slipway.release.box.shipment import as_service, close_abandoned, remove_empty, ship


@pytest.fixture
def log(tmp_path) -> Path:
    return fill(tmp_path / "log")


@pytest.fixture
def there(bucket) -> Bucket:
    """The test's bucket as a box reaches it."""
    return shipments.reach(bucket.name, "models/a/", bucket.proxy.url)


def left(log: Path) -> set[str]:
    """The files of a log."""
    return {path.relative_to(log).as_posix() for path in log.rglob("*") if path.is_file()}


def arrived(bucket, prefix: str = "models/a/log/") -> dict[str, bytes]:
    keys = [each["Key"] for each in bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=prefix).get("Contents", [])]
    got = {key: bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read() for key in keys}
    return {key.removeprefix(prefix): content for key, content in got.items() if "/raw/" in key}


def give(*paths: Path) -> None:
    """To the user of the releases, if this is root."""
    for path in paths if os.geteuid() == 0 else ():
        os.chown(path, shipment.USER, shipment.USER, follow_symlinks=False)


def test_closed_files_and_those_of_killed_processes_are_shipped_and_deleted(bucket, there, log):
    assert ship(log, there) == 3
    assert (arrived(bucket), left(log)) == (SHIPPED, set())
    assert ship(log, there) == 0


def test_a_file_that_is_written_or_was_just_made_stays(bucket, there, log):
    empty = log / f"{FOLDER}/r1-cc-1{OPEN}"
    empty.touch()
    written = log / f"{FOLDER}/r1-bb-1{OPEN}"
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert ship(log, there) == 2
    assert left(log) == {f"{FOLDER}/r1-bb-1{OPEN}", f"{FOLDER}/r1-cc-1{OPEN}"}
    assert f"{FOLDER}/r1-bb-1{CLOSED}" not in arrived(bucket)


def test_a_file_that_its_process_closes_meanwhile_is_no_error(log, monkeypatch):
    opened = log / f"{FOLDER}/r1-bb-1{OPEN}"

    def locked(path, how, before=shipment.locked):
        opened.rename(opened.with_name(f"r1-bb-1{CLOSED}"))
        return before(path, how)

    monkeypatch.setattr(shipment, "locked", locked)
    close_abandoned(log)
    assert left(log) == set(SHIPPED)


@pytest.mark.parametrize("fault", [s3.SLOW_DOWN, s3.DENIED, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
def test_what_s3_did_not_say_that_it_has_is_kept_and_sent_again(bucket, there, log, fault):
    bucket.proxy.fault = lambda call, forward: fault if call.kind == "put" else None
    with pytest.raises(ReleaseError, match=FOLDER):
        ship(log, there)
    assert left(log) == set(SHIPPED)
    bucket.proxy.fault = lambda call, forward: None
    assert ship(log, there) == 3 and arrived(bucket) == SHIPPED


def test_a_yes_that_is_lost_on_its_way_doubles_nothing(bucket, there, log):
    def fault(call, forward):
        forward()
        return b""

    bucket.proxy.fault = fault
    with pytest.raises(ReleaseError, match="no answer of S3"):
        ship(log, there)
    assert len(arrived(bucket)) == 1 and left(log) == set(SHIPPED)
    bucket.proxy.fault = lambda call, forward: None
    ship(log, there)
    assert (arrived(bucket), left(log)) == (SHIPPED, set())


def test_a_run_that_is_killed_at_any_step_loses_and_doubles_nothing(bucket, tmp_path):
    deaths = shipments.start(bucket.name, bucket.proxy.url, tmp_path)
    out, err = deaths.communicate(timeout=120)
    assert (deaths.returncode, err) == (0, "")
    logs = [Path(line) for line in out.split()]
    assert len(logs) > 15, "no step was seen"
    for each in logs:
        prefix = f"{each.name}/log/"
        there = arrived(bucket, prefix)
        assert there.items() <= SHIPPED.items(), "half an object"
        assert {name.removesuffix(OPEN).removesuffix(CLOSED) for name in left(each) | set(there)} == {
            name.removesuffix(CLOSED) for name in SHIPPED
        }, "lost"
        ship(each, shipments.reach(bucket.name, f"{each.name}/", bucket.proxy.url))
        assert (arrived(bucket, prefix), left(each)) == (SHIPPED, set())


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_read(bucket, there, log, tmp_path, kind):
    """Releases write the folder: none of it may lead to a file of the machine, or keep the box waiting."""
    (tmp_path / "secret").write_text("secret")
    path = log / f"{FOLDER}/a{CLOSED}"
    {"link": lambda: path.symlink_to(tmp_path / "secret"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises(ReleaseError, match=f"a{CLOSED}"):
        ship(log, there)
    assert arrived(bucket) == {} and (tmp_path / "secret").read_text() == "secret"


def test_the_page_of_the_last_look_is_got_and_written_only_when_it_changed(bucket, there, log):
    bucket.put("log/live.html", b"<p>one")
    ship(log, there)
    page = log / "live.html"
    assert page.read_bytes() == b"<p>one" and page.stat().st_mode & 0o777 == 0o644
    before = page.stat().st_ino
    ship(log, there)
    assert page.stat().st_ino == before
    bucket.proxy.fault = lambda call, forward: s3.cut(forward()) if call.path.endswith("live.html") else None
    bucket.put("log/live.html", b"<p>two")
    with pytest.raises(ReleaseError, match="live.html"):
        ship(log, there)
    assert page.read_bytes() == b"<p>one"
    bucket.proxy.fault = lambda call, forward: None
    ship(log, there)
    assert page.read_bytes() == b"<p>two" and not (log / "live.json").exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "longer"])
def test_what_a_release_puts_in_place_of_a_page_is_replaced_and_not_read(bucket, there, log, tmp_path, kind):
    """A pipe would keep the box waiting for ever, and a device would fill its memory."""
    page, other = log / "live.html", tmp_path / "other"
    other.write_bytes(b"<p>one")
    {
        "pipe": lambda: os.mkfifo(page),
        "device": lambda: page.symlink_to("/dev/zero"),
        "link": lambda: page.symlink_to(other),
        "longer": lambda: page.write_bytes(b"<p>one more"),
    }[kind]()
    bucket.put("log/live.html", b"<p>one")
    give(log, *log.rglob("*"))
    assert as_service(log, lambda: ship(Path(), there) == 3, 30)
    assert not page.is_symlink() and page.read_bytes() == b"<p>one"


def test_empty_folders_of_earlier_days_are_removed(tmp_path):
    days = {name: tmp_path / "raw" / f"date=2026-11-{name}/bundle=8821177e2697" for name in ("18", "19", "20", "21", "22")}
    for folder in days.values():
        folder.mkdir(parents=True)
    (days["18"] / f"a{OPEN}").touch()
    remove_empty(tmp_path, date(2026, 11, 22))
    assert {name for name, folder in days.items() if folder.exists()} == {"18", "21", "22"}
    assert not days["19"].parent.exists()


def test_work_is_done_within_the_folder_and_says_whether_it_went_well(tmp_path, capfd):
    give(tmp_path)
    assert as_service(tmp_path, lambda: Path("here").touch() is None)
    assert (tmp_path / "here").exists() and Path.cwd() != tmp_path
    assert not as_service(tmp_path, lambda: False) and capfd.readouterr().err == ""
    assert not as_service(tmp_path, lambda: 1 / 0) and "ZeroDivisionError" in capfd.readouterr().err
    assert not as_service(tmp_path / "absent", lambda: None)


def test_work_that_never_ends_is_ended(tmp_path):
    give(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReleaseError, match="ended after 1 s"):
        as_service(tmp_path, lambda: bool(Path("pipe").read_bytes()), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_link_leads_the_work_no_farther_than_the_releases(tmp_path):
    folder, other = tmp_path / "log", tmp_path / "other"
    for each in (folder, other):
        each.mkdir()
    os.chown(folder, shipment.USER, shipment.USER)
    (other / "kept").touch()
    (folder / "link").symlink_to(other)
    assert not as_service(folder, lambda: Path("link/kept").unlink())
    assert (other / "kept").exists()
    assert as_service(folder, lambda: Path("own").touch() is None) and (folder / "own").stat().st_uid == shipment.USER
