"""slipway predict, as a person, cron and a workflow call it."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bundles import make_bundle
from s3 import KEYS, bucket, serve_s3
from servers import DEADLINE, ROOT
from slipway.problem import load_problem
from slipway.store.local import LocalStore
from slipway.store.remote import open_remote
from slipway.store.transfer import push

PAGE = (ROOT / "docs/batch.md").read_text()
HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"
BAD = "old,27.9,yes,2020-01-01"
ANSWERED = f"{HEADER},prediction,warning\n{GOOD},29589.0,\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{GOOD}\n{BAD}\n")
    return tmp_path


def call(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "slipway", "predict", *arguments],
        cwd=folder,
        timeout=DEADLINE,
        text=True,
        env=environ | {"PYTHONPATH": str(ROOT / "src")},
        **({"capture_output": True} | options),
    )


def test_the_last_line_counts_and_says_where_the_rejects_are(folder):
    done = call(folder, "in.csv", "-o", "out.csv")
    assert (done.returncode, done.stdout) == (0, "1 row scored, 1 rejected: see out.rejects.csv\n")
    assert (folder / "out.csv").read_text() == ANSWERED


def test_an_interval_is_two_columns(folder):
    assert call(folder, "in.csv", "-o", "out.csv", "--interval", "0.9").returncode == 0
    assert (folder / "out.csv").read_text() == f"{HEADER},prediction,low,high,warning\n{GOOD},29589.0,26589.0,34089.0,\n"


@pytest.mark.parametrize("cluster", [(), ("--spark", "local")])
@pytest.mark.parametrize(
    "arguments",
    [
        ("in.csv", "-o", "{}"),
        ("in.csv", "-o", "out.csv", "--rejects", "{}"),
        ("{}", "-o", "out.csv"),
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@h/d",
        "MySQL+pymysql://u:hunter2@h/d",
        "sql:postgres://u:hunter2@h/d",
        "mongodb://u:hunter2@h/d/c",
    ],
)
def test_the_url_of_a_database_is_refused_and_not_repeated(run, folder, monkeypatch, url, arguments, cluster):
    monkeypatch.chdir(folder)
    code, out, err = run("predict", *cluster, *(each.format(url) for each in arguments))
    assert code == 3 and "a URL on the command line is shown by ps" in err and "hunter2" not in out + err


def test_without_a_terminal_every_tenth_part_is_told(folder):
    (folder / "in.csv").write_text("\n".join([f"{HEADER},note", *[f"{GOOD},{'x' * 2000}"] * 10_000, ""]))
    told = call(folder, "in.csv", "-o", "out.csv").stderr.splitlines()
    assert 2 < len(told) <= 10
    assert all(re.fullmatch(r"Scoring: \d+0%, [\d,]+ rows, [\d,]+ a second", line) for line in told)
    assert told[-1].startswith("Scoring: 100%, 10,000 rows")


def test_on_a_terminal_a_bar_is_drawn(folder):
    ours, theirs = pty.openpty()
    done = call(
        folder,
        "in.csv",
        "-o",
        "out.csv",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        capture_output=False,
    )
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert re.search(r"\r\x1b\[KScoring █{30} 100% 2 rows, [\d,]+ a second\r\n$", drawn), drawn


def test_memory_does_not_grow_with_the_table(folder):
    def most(rows: int) -> int:
        with (folder / "in.csv").open("w") as file:  # row by row: what this process holds counts for its children
            file.write(f"{HEADER},note\n")
            file.writelines(f"{GOOD},{'x' * 2000}\n" for _ in range(rows))
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "slipway", "predict", "in.csv", "-o", "out.csv"]
        process = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss // 1024

    small, large = most(20_000), most(60_000)  # 40 and 120 MB
    assert large < small + 30, (small, large)


@pytest.mark.parametrize(
    "arguments, code, says",
    [
        (("none.csv", "-o", "out.csv"), 4, "none.csv: there is no such file"),
        (("in.csv", "-o", "out.csv", "--strict"), 4, "in.csv, row 2: age: is text; expected an integer from 0 to 110"),
        (("in.csv", "-o", "out.csv", "--bundle", "abcdef"), 5, "abcdef: no such bundle"),
        (("in.csv", "-o", "out.csv", "--interval", "0.5"), 5, "--interval 0.5: this bundle has the levels 0.8, 0.9, 0.95"),
        (("in.csv", "-o", "in.csv"), 4, "in.csv: OUT would overwrite IN"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(folder, arguments, code, says):
    done = call(folder, *arguments)
    assert done.returncode == code
    assert re.fullmatch(rf"slipway: .*{re.escape(says)}.*\n", done.stderr)
    assert not (folder / "out.csv").exists()


def test_a_full_disk_is_said_what_is_done_is_kept_and_the_next_run_goes_on(folder):
    """A file may not grow beyond a limit: the same to the program as a full disk, with another word of the system."""
    (folder / "in.csv").write_text("\n".join([HEADER, *[GOOD] * 60_000, ""]))
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY)); "
        "from slipway.batch import lines; lines.MOST = 1 << 16; "
        "from slipway.cli import main; sys.argv = ['slipway', 'predict', 'in.csv', '-o', 'out.csv']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 4
    kept = re.search(r"\nThe first ([\d,]+) rows are kept: run the same command again to resume\.\n", done.stderr)[1]
    says = "slipway: out.csv.partial: cannot be written (File too large). Raise the limit on file size"
    assert f"\n{says}" in done.stderr
    assert not (folder / "out.csv").exists()
    again = call(folder, "in.csv", "-o", "out.csv")
    assert again.stderr.startswith(f"Resuming after row {kept}, where the earlier run ended.\n")
    assert (folder / "out.csv").read_text() == "".join([ANSWERED, *[f"{GOOD},29589.0,\n"] * 59_999])


def checkout(folder: Path) -> None:
    """What the lines of the page expect to find: the Python of a virtual environment."""
    (folder / ".venv/bin").mkdir(parents=True)
    python = folder / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)


def test_the_line_for_cron_works_as_cron_runs_it(folder):
    checkout(folder)
    (folder / "data").mkdir()
    (folder / "in.csv").rename(folder / "data/patients.csv")
    [line] = re.search(r"```cron\n(.*?)```", PAGE, re.S)[1].splitlines()
    schedule, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert all(re.fullmatch(r"[\d*/,-]+", each) for each in schedule)
    assert "%" not in command  # cron takes it for the end of the line
    command = command.replace("/srv/patients", str(folder))
    minimal = {"HOME": str(folder), "LOGNAME": "x", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    for _ in range(2):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd="/",
            env=minimal,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            start_new_session=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), (folder / "batch.log").read_text()
    assert (folder / "scored.csv").read_text() == ANSWERED
    assert (folder / "batch.log").read_text().count("1 row scored, 1 rejected: see scored.rejects.csv") == 2


WORKFLOW = re.search(r"```yaml\n(name: batch.*?)```", PAGE, re.S)[1]


def test_the_workflow_is_in_the_style_of_the_others():
    workflow = yaml.safe_load(WORKFLOW)
    assert workflow["permissions"] == {}
    assert "${{" not in "".join(step.get("run", "") for step in workflow["jobs"]["batch"]["steps"])
    ours = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yaml"))
    for used in re.findall(r"uses: (.*)", WORKFLOW):
        assert used in ours  # the same pins


def test_the_steps_of_the_workflow_score_from_bucket_to_bucket(folder, tmp_path):
    with serve_s3() as server, bucket(server) as lake:
        problem = load_problem(folder / "slipway.yaml", environ={"SLIPWAY_REMOTE": lake.url})
        store = LocalStore(folder / "artifacts")
        push(store, open_remote(problem), store.pointer().digest, lambda *_: None)
        (folder / "artifacts/bundles").rename(folder / "gone")  # a checkout has the pointer alone
        lake.client.put_object(Bucket=lake.name, Key="in.csv", Body=(folder / "in.csv").read_bytes())
        checkout(folder)
        environ = KEYS | {
            "AWS_ENDPOINT_URL": lake.proxy.url,
            "SLIPWAY_REMOTE": lake.url,
            "PATH": f"{folder}/.venv/bin:/usr/bin:/bin",
            "IN": f"s3://{lake.name}/in.csv",
            "OUT": f"s3://{lake.name}/out.csv",
            "HOME": str(folder),
        }
        steps = yaml.safe_load(WORKFLOW)["jobs"]["batch"]["steps"]
        for step in steps:
            if "run" in step and step["name"] != "Install":
                shell = ["bash", "-e", "-c", step["run"]]
                done = subprocess.run(shell, cwd=folder, env=environ, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
        assert lake.objects()["out.csv"].decode() == ANSWERED
