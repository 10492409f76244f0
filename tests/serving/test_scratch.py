import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from slipway.serving.scratch import make_scratch
print(make_scratch(sys.argv[1]), flush=True)
if not os.fork():
    sys.exit()
os.wait()
print("the child ended", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def make(tmp_path):
    """Start a process with a scratch folder: the process and the folder."""
    started = []

    def make():
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": "src"},
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield make
    for process in started:
        process.kill()
        with process:
            process.wait()


def age(folder: Path) -> None:
    os.utime(folder, (time.time() - 3600,) * 2)


def test_it_goes_with_its_process_and_not_with_a_child(make):
    process, folder = make()
    assert process.stdout.readline() == "the child ended\n"
    assert folder.exists()
    process.communicate("\n")
    assert not folder.exists()


def test_one_whose_process_was_killed_goes_at_the_next_start(make):
    killed, left = make()
    _, used = make()
    assert killed.stdout.readline() == "the child ended\n"  # which has the lock, too
    killed.kill()
    killed.wait()
    (left / "counter.db").write_bytes(b"1")
    for folder in (left, used):
        age(folder)
    _, new = make()
    assert (left.exists(), used.exists(), new.exists()) == (False, True, True)


def test_one_that_was_just_made_stays(make):
    killed, left = make()
    killed.kill()
    killed.wait()
    make()
    assert left.exists()
