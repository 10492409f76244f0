"""make rehearse: the whole way to production on this machine, under traffic, without an account, and the next model.

    python deploy/rehearse.py [REPOSITORY]

REPOSITORY is one that `slipway new` made; without it, that of Slipway itself is played, with two of its test files.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "deploy")]

from rehearsal.aws import PASSWORD, Aws, make_aws  # noqa: E402
from rehearsal.box import IMAGE, Box, build_box, make_box  # noqa: E402
from rehearsal.containers import Docker  # noqa: E402
from rehearsal.project import Project, make_project, pin_base  # noqa: E402
from rehearsal.registry import USER, Registry, make_registry  # noqa: E402
from rehearsal.traffic import Traffic, traffic  # noqa: E402
from rehearsal.workflow import Run, Runner, make_runner  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402

NAME = "rehearsal"
RATE = 240
QUICK_TESTS = "tests/store/test_pointer.py tests/model/test_bundle.py"
QUICK_TRAINING = {"SLIPWAY_SEARCH_TRIALS": "2"}
START = time.monotonic()
HELLO = """\
This takes 5 to 20 minutes on two cores, depending on their load; the first run also builds the image of the box.
It uses a temporary folder and the Docker engine, and cleans up at the end, also after Ctrl-C."""


@dataclass
class Row:
    """One line of the table at the end."""

    what: str
    seconds: float
    found: Traffic | None
    digest: str
    bundle: str


def main() -> None:
    """Play it, and print what happened."""
    print(HELLO, flush=True)
    docker = Docker()
    missing = [name for name in ("docker", "node", "npm", "git") if shutil.which(name) is None]
    if missing:
        sys.exit(f"rehearse: {', '.join(missing)} not found. Install it first.")
    if not docker.reachable():
        sys.exit("rehearse: the Docker engine does not answer. Start it first.")
    with tempfile.TemporaryDirectory(prefix="slipway-rehearsal-", ignore_cleanup_errors=True) as place, ExitStack() as stack:
        rows = play(docker, Path(place), stack, Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT)
    print(table(rows))
    print(f"\nKept for the next run: the image {IMAGE} and the builder's cache.")
    if any(row.found and row.found.failed for row in rows):
        sys.exit("rehearse: requests failed")


def play(docker: Docker, place: Path, stack: ExitStack, source: Path) -> list[Row]:
    """Push a commit, change the model under traffic, revert under traffic."""
    say("A registry for ECR, a server for S3 and STS, a box with nginx and the release program")
    build_box(docker)
    aws = stack.enter_context(make_aws(free_port()))
    registry = stack.enter_context(make_registry(docker, PASSWORD, free_port()))
    box = stack.enter_context(make_box(docker, f"{registry.host}/{NAME}", (registry.host, USER, PASSWORD)))
    say("A temporary clone, and two models")
    project = make_project(place / "project", source)
    models = train_two(project, aws, source)
    runner = new_runner(place, aws, registry, box)
    pin_base(docker, registry, project, runner.place / "docker")
    row = golden_row(project, models[0])
    commit(project, models[0], "The first model")
    rows = [push("first push", runner, project, box, 1, None)]
    for number, (what, change) in enumerate((("another model", models[1]), ("git revert", None)), start=2):
        if change:
            commit(project, change, "Another model")
        else:
            project.git("revert", "--no-edit", "HEAD")
        with traffic("127.0.0.1", box.port, row, RATE) as found:
            rows.append(push(what, runner, project, box, number, found))
    say("The emergency command on the box: slipway-release rollback")
    with traffic("127.0.0.1", box.port, row, RATE) as found:
        start = time.monotonic()
        box.rollback()
        rows.append(line("slipway-release rollback", time.monotonic() - start, found, box))
    retrain(runner, project, project.clone(place / "clone"))
    return rows


def retrain(runner: Runner, origin: Project, clone: Project) -> None:
    """Run retrain.yaml on a clean checkout of `origin`, and show the pull request."""
    say("The next model: act runs retrain.yaml on a clean checkout")
    quick = replace(runner, environ=runner.environ | QUICK_TRAINING)
    run = quick.run(clone, 1, workflow="retrain.yaml", event="workflow_dispatch", begun=step)
    if run.code:
        sys.exit(f"{run.log}\nrehearse: retrain.yaml failed")
    for pull in runner.github.pulls():
        changed = ", ".join(origin.git("diff", "--name-only", pull["base"], pull["head"]).splitlines())
        print(f"  Pull request {pull['number']}, {pull['title']!r}, changes {changed}", flush=True)
    if not runner.github.pulls():
        print("  The champion stays: no pull request", flush=True)


def push(what: str, runner: Runner, project: Project, box: Box, number: int, found: Traffic | None) -> Row:
    """Run main.yaml on the commit; a line of the table."""
    say(f"{what}: act runs main.yaml")
    start = time.monotonic()
    run: Run = runner.run(project, number, begun=step)
    if run.code:
        sys.exit(f"{run.log}\nrehearse: main.yaml failed")
    tested = "tested" if run.ran("Test") else "not tested again"
    built = "an image was built" if run.ran("Build") else "no image was built"
    print(f"  {', '.join(run.jobs)}; {tested}; {built}", flush=True)
    return line(what, time.monotonic() - start, found, box)


def line(what: str, seconds: float, found: Traffic | None, box: Box) -> Row:
    record = json.loads(box.run("cat", f"{box.state}/releases/{box.live()}.json").stdout)
    with urlopen(f"http://127.0.0.1:{box.port}/readyz") as answer:
        return Row(what, seconds, found, record["digest"], json.load(answer)["bundle"])


def train_two(project: Project, aws: Aws, source: Path) -> list[str]:
    """Digests of two bundles of the problem, both in the remote store, neither in git."""
    environ = os.environ | aws.environ | {"SLIPWAY_REMOTE": aws.remote, "PYTHONPATH": str(ROOT / "src")}

    def slipway(*arguments: str, **more: str) -> None:
        command = [sys.executable, "-m", "slipway", *arguments]
        done = subprocess.run(command, cwd=project.folder, env=environ | more, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"rehearse: slipway {arguments[0]} failed: {done.stderr}")

    store = LocalStore(project.folder / "artifacts")
    for candidate in ("linear", "boosting"):
        slipway("train", SLIPWAY_CANDIDATES=candidate, **QUICK_TRAINING)
        slipway("push")
    digests = [entry["digest"] for entry in store.journal.entries() if entry["event"] == "verdict"]
    (project.folder / "artifacts/champion.json").unlink()
    return digests


def commit(project: Project, digest: str, message: str) -> None:
    """Point to a model, as slipway promote does, and commit that."""
    store = LocalStore(project.folder / "artifacts")
    store.promote(store.bundle(digest), "promote", message)
    project.commit(message)


def golden_row(project: Project, digest: str) -> dict:
    return LocalStore(project.folder / "artifacts").bundle(digest).json("golden.json")["rows"][0]


def new_runner(place: Path, aws: Aws, registry: Registry, box: Box) -> Runner:
    folder = place / "runner"
    folder.mkdir()
    return make_runner(folder, aws, registry.host, NAME, box, QUICK_TESTS)


def table(rows: list[Row]) -> str:
    """What happened, as a table for people."""
    lines = ["", f"{'':<26}{'push to live':>13}{'requests':>10}{'failed':>8}  {'image':<20}model"]
    for row in rows:
        sent = f"{len(row.found.requests):,}" if row.found else "–"
        failed = str(len(row.found.failed)) if row.found else "–"
        lines.append(f"{row.what:<26}{row.seconds:>11.1f} s{sent:>10}{failed:>8}  {row.digest[7:19]:<20}{row.bundle[:12]}")
    return "\n".join(lines)


def say(text: str) -> None:
    print(f"== {elapsed()} {text}", flush=True)


def step(job: str, name: str) -> None:
    print(f"   {elapsed()} {job}: {name}", flush=True)


def elapsed() -> str:
    minutes, seconds = divmod(int(time.monotonic() - START), 60)
    return f"{minutes}:{seconds:02}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
