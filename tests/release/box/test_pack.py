"""The release program as one file."""

import stat
import subprocess
import sys
import zipfile

import pytest

from slipway.release.box.pack import build, compiled


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "bin/slipway-release"
    build(path)
    return path


def run(program, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-I", "-S", program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd="/",
    )


def test_it_is_one_executable_file_for_the_system_s_python(program):
    assert program.read_bytes().startswith(b"#!/usr/bin/python3 -I\n")
    assert stat.S_IMODE(program.stat().st_mode) == 0o755


def test_the_same_source_gives_the_same_bytes(program, tmp_path):
    build(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == program.read_bytes()


def test_it_needs_no_library(program):
    """-S leaves out site-packages, so only the standard library is there."""
    done = run(program, "--help")
    assert done.returncode == 0, done.stderr
    assert "rollback" in done.stdout


def test_with_byte_code_it_runs_without_a_line_of_source(program, tmp_path):
    full, bare = tmp_path / "full", tmp_path / "bare"
    full.write_bytes(compiled(program.read_bytes()))
    with zipfile.ZipFile(full) as file, zipfile.ZipFile(bare, "w") as kept:
        for name in file.namelist():
            if name == "__main__.py" or name.endswith(".pyc"):
                kept.writestr(name, file.read(name))
    assert run(full, "--help").stdout == run(bare, "--help").stdout == run(program, "--help").stdout


def test_byte_code_of_another_python_is_passed_over(program, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.MAGIC_NUMBER", b"\x01\x02\r\n")
    other = tmp_path / "other"
    other.write_bytes(compiled(program.read_bytes()))
    assert run(other, "--help").stdout == run(program, "--help").stdout


@pytest.mark.parametrize("arguments", [("deploy",), ("status", "extra"), ("status", "--dry-run"), ("--force",)])
def test_what_it_does_not_know_is_refused(program, arguments):
    assert run(program, *arguments).returncode == 2


def test_without_a_box_it_says_what_sets_one_up(program):
    done = run(program, text="{}")
    assert done.returncode == 7
    assert "Result: FAILED: /etc/slipway/services" in done.stdout and "bootstrap" in done.stdout
    assert done.stderr == ""
