"""The command that brings a source's files to a fresh clone."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from slipway.errors import TableError
from slipway.problem import Problem, load_problem
from slipway.sources.fetch import fetch
from slipway.sources.source import sources_of

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.relative_to(ROOT) for path in [ROOT / "slipway.yaml", *ROOT.glob("examples/*/slipway.yaml")])


@pytest.fixture
def problem(tmp_path, monkeypatch):
    """Make a problem whose `fetch` runs a Python program; its working directory is another one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def make(program: str = "", source: str = "table.csv") -> Problem:
        (tmp_path / "program.py").write_text(program)
        path = tmp_path / "slipway.yaml"
        path.write_text(f"name: trial\nsource: {source}\ntarget: y\nfetch: {sys.executable} program.py 'a b'\n")
        return load_problem(path, environ={})

    return make


@pytest.mark.parametrize("shipped", SHIPPED, ids=str)
def test_every_shipped_problem_brings_its_own_data_to_a_fresh_clone(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("PATH", os.defpath)  # what is installed beside this Python is found all the same
    shutil.copy(ROOT / shipped, tmp_path)
    problem = load_problem(tmp_path / "slipway.yaml", environ={})
    fetch(problem)
    assert [len(each.paths()) for each in sources_of(problem)] == [1]


def test_it_runs_beside_slipway_yaml_without_a_shell_and_is_announced(problem, tmp_path):
    said = []
    made = problem("import pathlib, sys; pathlib.Path('table.csv').write_text(sys.argv[1])")
    fetch(made, said.append)
    assert (tmp_path / "table.csv").read_text() == "a b"
    assert said == [f"Fetching table.csv: {sys.executable} program.py 'a b'"]


@pytest.mark.parametrize("source, there", [("table.csv", ["table.csv"]), ("parts/*.csv", ["parts/1.csv"])])
def test_a_file_that_is_there_is_not_fetched(problem, tmp_path, source, there):
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    fetch(problem("raise SystemExit(1)", source))
    assert (tmp_path / there[0]).read_text() == "mine"


def test_one_file_of_several_that_is_absent_is_enough(problem, tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    fetch(problem("open('b.csv', 'w').close()", "[a.csv, b.csv]"))
    assert (tmp_path / "b.csv").exists()


@pytest.mark.parametrize(
    "program, says",
    [
        (
            "print('one'); print('two'); print('no such bucket'); raise SystemExit(3)",
            "fetch ended with exit code 3: one | two | no such bucket. To see it all: cd ",
        ),
        ("import sys; print('x' * 100_000); sys.exit('gone')", "exit code 1: .*gone"),
        (
            r"print('  0%\r 50%\r100%\r\x1b[2Jno such host\0'); raise SystemExit(6)",  # as curl redraws its line
            r"exit code 6: 50% \| 100% \| \[2Jno such host\. To see",
        ),
        ("raise SystemExit(3)", "fetch ended with exit code 3: it printed nothing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "fetch was ended by signal 9"),
        ("", "fetch succeeded, but table.csv is still absent. Let the command write it, relative to "),
    ],
)
def test_a_failure_is_named(problem, program, says):
    with pytest.raises(TableError, match=says) as raised:
        fetch(problem(program))
    assert len(str(raised.value)) < 4_000


def test_a_program_that_is_not_installed(tmp_path):
    path = tmp_path / "slipway.yaml"
    path.write_text("name: trial\nsource: table.csv\ntarget: y\nfetch: no-such-program table.csv\n")
    with pytest.raises(TableError, match="fetch: no-such-program cannot be run .No such file or directory.. Install it"):
        fetch(load_problem(path, environ={}))


def test_what_a_failed_fetch_wrote_is_not_taken_for_the_table(problem, tmp_path):
    """Otherwise the next training would learn from half of it."""
    (tmp_path / "a.csv").write_text("mine")
    half = "open('b.csv', 'w').write('half'); raise SystemExit(1)"
    with pytest.raises(TableError):
        fetch(problem(half, "[a.csv, b.csv]"))
    assert (tmp_path / "a.csv").read_text() == "mine" and not (tmp_path / "b.csv").exists()
