"""make rehearse: the whole way to production on this machine, under traffic, without an account, and the next model.

    python deploy/rehearse.py [REPOSITORY]

REPOSITORY is one that `slipway new` made, after `make install` in it; without it, that of Slipway itself is played, with
two of its test files.
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
from rehearsal.box import IMAGE, Box, build_box, make_box, neighbour  # noqa: E402
from rehearsal.containers import Docker  # noqa: E402
from rehearsal.neighbours import copy_image, load, swap_and_go_back  # noqa: E402
from rehearsal.project import Project, link_data, make_project, pin_base  # noqa: E402
from rehearsal.registry import USER, Registry, make_registry  # noqa: E402
from rehearsal.traffic import Traffic, traffic  # noqa: E402
from rehearsal.workflow import Runner, make_runner  # noqa: E402
from slipway.project.generated import FILE  # noqa: E402
from slipway.release.image.key import release_key  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402

NAME = "rehearsal"
OTHERS = ("second", "third")  # services beside it
SWAPS = 3
RATE = 240
QUICK_TESTS = "tests/store/test_pointer.py tests/model/test_bundle.py"
QUICK_TRAINING = {"SLIPWAY_SEARCH_TRIALS": "2"}
START = time.monotonic()
HELLO = """\
This takes 3 to 20 minutes on two cores, depending on their load; the first run also builds the image of the box.
It uses a temporary folder and the Docker engine, and cleans up at the end, also after Ctrl-C."""


@dataclass
class Row:
    """One line of the table at the end."""

    what: str
    seconds: float
    found: Traffic | None
    digest: str
    commit: str
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
    source = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT
    environment = environment_of(source)
    with tempfile.TemporaryDirectory(prefix="slipway-rehearsal-", ignore_cleanup_errors=True) as place, ExitStack() as stack:
        failed = play(docker, Path(place), stack, source, environment)
    print(f"\nKept for the next run: the image {IMAGE} and the builder's cache.")
    if failed:
        sys.exit("rehearse: requests failed")


def environment_of(source: Path) -> Path | None:
    """Where a repository that `slipway new` made has its libraries; None for that of Slipway itself."""
    if not (source / FILE).exists():
        return None
    if not (source / ".venv/train.stamp").exists():
        sys.exit(f"rehearse: {source} has no .venv with its libraries. Run make install there first.")
    return source / ".venv"


def play(docker: Docker, place: Path, stack: ExitStack, source: Path, environment: Path | None) -> bool:
    """Three releases and a rollback, three models on one box, and the next model; whether a request failed."""
    say("A registry for ECR, and a server for S3 and STS")
    build_box(docker)
    aws = stack.enter_context(make_aws(free_port()))
    registry = stack.enter_context(make_registry(docker, PASSWORD, free_port()))
    say("A temporary clone, and two models")
    project = make_project(place / "project", source)
    link_data(project.folder, source)
    models = train_two(project, aws, environment)
    row = golden_row(project, models[0])
    say("A box with nginx and the release program")
    with make_box(docker, f"{registry.host}/{NAME}", (registry.host, USER, PASSWORD)) as box:
        runner = new_runner(place, aws, registry, box, environment)
        pin_base(docker, registry, project, login(runner))
        rows = releases(runner, project, box, models, row)
    print(table(rows), flush=True)
    requests = [request(project, each) for each in rows[:2]]
    beside = three_models(docker, registry, login(runner), requests, row)
    retrain(runner, project, project.clone(place / "clone"))
    return any(found.failed for found in (*(each.found for each in rows if each.found), *beside))


def releases(runner: Runner, project: Project, box: Box, models: list[str], row: dict) -> list[Row]:
    """Push a commit, change the model under traffic, revert under traffic, roll back under traffic."""
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
    return rows


def three_models(docker: Docker, registry: Registry, settings: Path, requests: list[dict], row: dict) -> list[Traffic]:
    """Two models answer while a third on the same box is swapped and goes back."""
    say(f"Three models on one box: one is swapped and goes back {SWAPS} times, under traffic on all")
    repository = f"{registry.host}/{NAME}"
    others = {name: f"{registry.host}/{name}" for name in OTHERS}
    for each in requests:
        for images in others.values():
            copy_image(docker, settings, f"{repository}@{each['digest']}", f"{images}:{each['key']}")
    with make_box(docker, repository, (registry.host, USER, PASSWORD), others=others) as box:
        services = [box, *(neighbour(box, *each) for each in others.items())]
        for service in services:
            service.release(requests[0] | {"run_number": 1})
        with load(services, row) as found:
            asked = [requests[number % 2] | {"run_number": number} for number in range(2, 2 + SWAPS)]
            swaps, rollbacks = swap_and_go_back(services[-1], asked)
    print(f"  /{OTHERS[-1]}: swaps of at most {max(swaps):.1f} s, rollbacks of at most {max(rollbacks):.1f} s")
    for service, sent in zip(services, found):
        print(f"  {service.path:<16}{len(sent.requests):>7,} requests{len(sent.failed):>4} failed", flush=True)
    return found


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
    run = runner.run(project, number, begun=step)
    if run.code:
        sys.exit(f"{run.log}\nrehearse: main.yaml failed")
    tested = "tested" if run.ran("Test") else "not tested again"
    built = "an image was built" if run.built else "no image was built"
    print(f"  {', '.join(run.jobs)}; {tested}; {built}", flush=True)
    return line(what, run.live, found, box)


def line(what: str, seconds: float, found: Traffic | None, box: Box) -> Row:
    record = json.loads(box.run("cat", f"{box.state}/releases/{box.live()}.json").stdout)
    with urlopen(f"http://127.0.0.1:{box.port}/readyz") as answer:
        return Row(what, seconds, found, record["digest"], record["commit"], json.load(answer)["bundle"])


def request(project: Project, row: Row) -> dict:
    """What asks a box for the release of a row, but for its run number."""
    return {"digest": row.digest, "key": release_key(project.folder, row.commit), "commit": row.commit}


def train_two(project: Project, aws: Aws, environment: Path | None) -> list[str]:
    """Digests of two bundles of the problem, both in the remote store, neither in git."""
    python, source = (environment / "bin/python", "") if environment else (sys.executable, str(ROOT / "src"))
    environ = os.environ | aws.environ | {"SLIPWAY_REMOTE": aws.remote, "PYTHONPATH": source}

    def slipway(*arguments: str, **more: str) -> None:
        command = [python, "-m", "slipway", *arguments]
        done = subprocess.run(command, cwd=project.folder, env=environ | more, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"rehearse: slipway {arguments[0]} failed: {done.stderr}")

    store = LocalStore(project.folder / "artifacts")
    for candidate in ("linear", "boosting"):
        slipway("train", SLIPWAY_CANDIDATES=candidate, **QUICK_TRAINING)
        digests = [entry["digest"] for entry in store.journal.entries() if entry["event"] == "verdict"]
        store.promote(store.bundle(digests[-1]), "promote", "The rehearsal")  # what is pushed is the champion
        slipway("push")
    (project.folder / "artifacts/champion.json").unlink()
    return digests


def commit(project: Project, digest: str, message: str) -> None:
    """Point to a model, as slipway promote does, and commit that."""
    store = LocalStore(project.folder / "artifacts")
    store.promote(store.bundle(digest), "promote", message)
    project.commit(message)


def golden_row(project: Project, digest: str) -> dict:
    return LocalStore(project.folder / "artifacts").bundle(digest).json("golden.json")["rows"][0]


def new_runner(place: Path, aws: Aws, registry: Registry, box: Box, environment: Path | None) -> Runner:
    folder = place / "runner"
    folder.mkdir()
    return make_runner(folder, aws, registry.host, NAME, box, QUICK_TESTS, environment)


def login(runner: Runner) -> Path:
    """Docker's settings of the jobs, with their login at the registry."""
    return Path(runner.environ["DOCKER_CONFIG"])


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
