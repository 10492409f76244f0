"""slipway upgrade in repositories that are not as it left them: what a person has there stays, or nothing is done."""

import json
from pathlib import Path

import pytest

from slipway.project.generated import packed

LOCK = "requirements-train.txt"
HASH = f"--hash=sha256:{64 * '0'}"


def outdate(folder: Path) -> None:
    """Let the record say that flask was older, as was the lock."""
    path = folder / ".slipway.json"
    record = json.loads(path.read_text())
    new = record["pins"][LOCK]["flask"]
    record["pins"][LOCK]["flask"] = "3.1.0"
    path.write_text(json.dumps(record))
    lock = folder / LOCK
    lock.write_bytes(lock.read_bytes().replace(f"flask=={new} ".encode(), b"flask==3.1.0 "))


def test_a_lock_with_windows_line_ends_keeps_the_hashes_of_own_libraries(folder, run):
    outdate(folder)
    lock = folder / LOCK
    lock.write_text(f"{lock.read_text()}mine==1.0 \\\n    {HASH}\n")
    lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    assert run("upgrade", "--yes").code == 0
    assert f"mine==1.0 \\\n    {HASH}\n" in lock.read_text()


def test_conflict_markers_in_a_lock_are_named(folder, run):
    lock = folder / LOCK
    lock.write_text(f"<<<<<<< HEAD\nmine==1.0 {HASH}\n=======\nmine==2.0 {HASH}\n>>>>>>> other\n{lock.read_text()}")
    before = lock.read_bytes()
    result = run("upgrade", "--yes")
    assert result.code == 8 and f"{LOCK}: has conflict markers. Resolve them first" in result.err
    assert lock.read_bytes() == before


def test_a_lock_that_was_removed_stays_removed(folder, run):
    (folder / LOCK).unlink()
    result = run("upgrade", "--yes")
    assert result.code == 0 and f"kept: {LOCK}: you removed it; it stays removed" in result.out
    assert f"edited or removed here: {LOCK}" in result.out
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize("path", ["../victim.txt", "src/../../victim.txt", "{absolute}", "..\\victim.txt", "C:\\victim.txt"])
def test_a_record_that_leads_out_of_the_repository_is_refused(folder, run, path):
    victim = folder.parent / "victim.txt"
    victim.write_text("theirs\n")
    file = folder / ".slipway.json"
    generated = json.loads(file.read_text())
    generated["files"][path.format(absolute=victim)] = packed("theirs\n")
    file.write_text(json.dumps(generated))
    result = run("upgrade", "--yes")
    assert result.code == 8 and "leads out of the repository. Restore it from git" in result.err
    assert victim.exists()


def test_a_deeply_nested_record_is_refused(folder, run):
    (folder / ".slipway.json").write_text('{"x":' + "[" * 100_000)
    result = run("upgrade", "--yes")
    assert result.code == 8 and "Restore it from git" in result.err


def test_a_comment_in_latin_1_above_an_own_library_survives(folder, run):
    outdate(folder)
    lock = folder / LOCK
    own = b"# f\xfcr mich\nmine==1.0 " + HASH.encode() + b"\n"
    lock.write_bytes(lock.read_bytes() + own)
    result = run("upgrade", "--yes")
    assert result.code == 0, result.err
    assert own in lock.read_bytes()


def test_a_comment_at_the_end_of_a_lock_survives(folder, run):
    outdate(folder)
    lock = folder / LOCK
    lock.write_text(f"{lock.read_text()}\n# not yet: other==2\n")
    assert run("upgrade", "--yes").code == 0
    assert lock.read_text().endswith("\n# not yet: other==2\n")
    assert "Nothing to change" in run("upgrade").out


def test_a_wheel_that_no_lock_names_is_removed(folder, run):
    """A crash between the new locks and the removal leaves it."""
    [wheel] = (folder / "vendor").iterdir()
    (folder / "vendor/slipway_ml-0.0.9-py3-none-any.whl").write_bytes(b"old")
    (folder / "vendor/mine-1.0-py3-none-any.whl").write_bytes(b"mine")
    assert run("upgrade", "--yes").code == 0
    assert sorted(path.name for path in (folder / "vendor").iterdir()) == ["mine-1.0-py3-none-any.whl", wheel.name]
