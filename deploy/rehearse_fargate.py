"""make rehearse-fargate: releases on Fargate on this machine, under traffic, without an account.

A stand-in of ECS runs the tasks of deploy/fargate/service.yaml as containers, with its periods and counts, behind a load
balancer that checks and drains as AWS's; the releases are made by the command that the workflow runs. What the stand-ins do
otherwise than AWS is said in deploy/rehearsal/{ecs_service,ecs_task,target_group,proxy,ecs_api}.py.
"""

import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "deploy"), str(ROOT / "tests")]

from bundles import ROWS, make_bundle  # noqa: E402
from images import checkout  # noqa: E402
from rehearsal.box import build_box  # noqa: E402
from rehearsal.containers import Docker  # noqa: E402
from rehearsal.ecs import make_ecs  # noqa: E402
from rehearsal.fargate import Image, Play, Road, build_image  # noqa: E402
from rehearsal.fargate_stack import read_stack  # noqa: E402
from rehearsal.registry import USER, make_registry  # noqa: E402
from rehearsal.traffic import Traffic, traffic  # noqa: E402
from servers import free_port  # noqa: E402

NAME = "rehearsal"
RELEASES = 10
RATE = 100
WANTED = 50_000
MOST_SECONDS = 60
CRASHING = 'CMD ["python", "-c", "raise SystemExit(3)"]'
NEVER_READY = 'CMD ["python", "-m", "http.server", "8080"]'
HELLO = """\
This takes half an hour, most of it waiting for health checks and deregistration delays. It uses a temporary folder and the
Docker engine, and cleans up at the end, also after Ctrl-C."""
LOSSES = ("a task killed by SIGKILL", "SIGTERM at once, not after the delay")  # what no load balancer can hide
RED = ("an older run", "a release that crashes", "a release never ready")


def main() -> None:
    """Play it, and print what happened."""
    print(HELLO, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("rehearse-fargate: stopped"))
    docker = Docker()
    if not docker.reachable():
        sys.exit("rehearse-fargate: the Docker engine does not answer. Start it first.")
    with tempfile.TemporaryDirectory(prefix="slipway-fargate-") as place, ExitStack() as stack:
        os.environ["DOCKER_CONFIG"] = f"{place}/docker"
        build_box(docker)
        registry = stack.enter_context(make_registry(docker, secrets.token_hex(16), free_port()))
        docker("login", "--username", USER, "--password-stdin", registry.host, input=registry.password)
        repository = f"{registry.host}/{NAME}"
        images = build_images(docker, Path(place), repository)
        ecs = stack.enter_context(make_ecs(docker, read_stack(NAME, repository)))
        road = Road(ecs, repository)
        plays = [told(road.release("first release, of no task", images["first"], 1))]
        with traffic("127.0.0.1", ecs.balancer.port, ROWS[0], RATE) as found:
            plays += [told(play) for play in everything(docker, road, images)]
    print(table(plays, found), flush=True)
    if faults := wrong(plays, found):
        sys.exit("\n".join(["rehearse-fargate:", *faults]))


def build_images(docker: Docker, place: Path, repository: str) -> dict[str, Image]:
    """Two that differ in their model, and two that are broken."""
    made = {}
    for name, charge in (("first", 250.0), ("second", 251.0)):
        (place / name).mkdir()
        make_bundle(checkout(place / name), "regression", weights=[[charge], [30.0], [23000.0], [1.0]])
        made[name] = build_image(docker, place / name, repository)
    for name, line in (("crashing", CRASHING), ("never ready", NEVER_READY)):
        made[name] = build_image(docker, place / "first", repository, line)
    return made


def everything(docker: Docker, road: Road, images: dict[str, Image]) -> Iterator[Play]:
    """All that may happen to a service, one after the other."""
    pair = (images["second"], images["first"])
    for number in range(RELEASES):
        yield road.release(f"release {number + 1}", pair[number % 2], number + 2)
    live, run = pair[RELEASES % 2], RELEASES + 2
    yield road.release("git revert", live, run)
    yield road.release("the same again", live, run)
    yield road.release("an older run", images["first"], run - 1)
    road.ecs.put_parameter("SLIPWAY_CORS_ORIGINS", "https://example.com")
    yield road.release("a changed setting", live, run)
    yield settled(road, road.release("a release that crashes", images["crashing"], run + 1))
    yield settled(road, road.release("a release never ready", images["never ready"], run + 2))
    yield road.do("scale out, 2 to 4 tasks", lambda: road.ecs.scale(4))
    yield road.do("scale in, 4 to 2 tasks", lambda: road.ecs.scale(2))
    yield road.do("a task stopped by ECS", lambda: road.ecs.tasks()[0].stop("Fargate retires the task"))
    yield road.do(LOSSES[0], lambda: kill(docker, road))
    road.ecs.stop_at_once = True  # of tasks that start from now on
    yield road.release("a release to stop at once", images["second"], run + 3)
    yield road.release(LOSSES[1], images["first"], run + 4)


def settled(road: Road, play: Play) -> Play:
    """A failed release, until nothing is left of it."""
    road.settle()
    play.ended = time.monotonic()
    return play


def kill(docker: Docker, road: Road) -> None:
    task = road.ecs.tasks()[0]
    docker("kill", task.names()["app"])
    while task in road.ecs.tasks():
        time.sleep(0.1)


def told(play: Play) -> Play:
    print(f"== {play.what}: {play.seconds:.0f} s, exit code {play.code}\n{play.said}", flush=True)
    return play


def kept(plays: list[Play], found: Traffic) -> Traffic:
    """All requests but those that were sent when some had to be lost."""
    lost = [play for play in plays if play.what in LOSSES]
    return Traffic([each for each in found.requests if not any(play.begun <= each.sent < play.ended for play in lost)])


def wrong(plays: list[Play], found: Traffic) -> list[str]:
    """What does not hold."""
    sent = kept(plays, found)
    faults = [f"{play.what}: exit code {play.code}" for play in plays if bool(play.code) != (play.what in RED)]
    if sent.failed:
        faults.append(f"{len(sent.failed)} requests failed")
    if len(sent.requests) < WANTED:
        faults.append(f"{len(sent.requests):,} requests instead of {WANTED:,}")
    [revert] = [play for play in plays if play.what == "git revert"]
    if revert.until_all(found) > MOST_SECONDS:
        faults.append(f"{revert.until_all(found):.0f} s until all tasks answered with the reverted release")
    return faults


def table(plays: list[Play], found: Traffic) -> str:
    """What happened, as a table for people."""
    lines = ["", f"{'':<38}{'seconds':>9}{'all new after':>15}{'requests':>10}{'failed':>8}  exit code"]
    for play in plays:
        sent, after = play.sent(found), play.until_all(found)
        lines.append(
            f"{play.what:<38}{play.seconds:>9.0f}{f'{after:.1f} s' if after else '–':>15}"
            f"{len(sent.requests):>10,}{len(sent.failed):>8}  {play.code}"
        )
    all = kept(plays, found)
    lines.append(f"{'all but what is lost by SIGKILL or haste':<62}{len(all.requests):>10,}{len(all.failed):>8}")
    for play in plays:
        if said := sorted({f"{each.status or ''} {each.error}".strip() for each in play.sent(found).failed}):
            lines.append(f"{play.what}: {'; '.join(said)}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
