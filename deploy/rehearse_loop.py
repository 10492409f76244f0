"""make rehearse-loop: production talks back, on this machine and without an account, in fourteen simulated days.

python deploy/rehearse_loop.py
"""

import shutil
import signal
import sys
import tempfile
import time as clocks
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "deploy")]

from loop.checkouts import Checkouts, make_checkouts  # noqa: E402
from loop.clock import Clock  # noqa: E402
from loop.disk import apart, mounted  # noqa: E402
from loop.findings import Finding, findings  # noqa: E402
from loop.fortnight import DAILY, HOURS, Day, Plan, Stage, moment, play  # noqa: E402
from loop.parcels import DRIFT, parcels  # noqa: E402
from loop.seeds import rates, truth_of  # noqa: E402
from loop.service import serving  # noqa: E402

SEED = 13
LEARNED = 18_000  # parcels
AGE = 10  # days of the first model when the fortnight begins: longer than the cool-down, shorter than 30
START = clocks.monotonic()
PLAN = Plan()
HELLO = f"""\
Fourteen days of a service at speed: about 90 seconds of CPU time, four minutes on two busy cores.
The service, its log, the commands and git are real. Simulated are the parcels, GitHub, and the date: what time.time() and
datetime.now() say to the service and the commands.
  Day {PLAN.killed}: kill -9 of a worker under load. Day {PLAN.full}: at noon the disk of the log is full.
  Day {PLAN.twice}: a table of labels comes twice.
  Day {DRIFT}: from now on 30% of the parcels cross the river, and wait for the ferry: longer ways, and a model that is wrong.
  Labels come one to three days late, for 70% of the parcels.
It uses a temporary folder, and cleans up at the end, also after Ctrl-C."""
HEAD = f"{'day':>3}  {'answered':>8}  {'dropped':>7}  {'labels':>6}  {'loss':>5}  {'limit':>5}  {'look':<7} found"
FAULTS = {PLAN.killed: "kill -9 of a worker", PLAN.full: "full disk", PLAN.twice: "labels twice", DRIFT: "the ferry begins"}


def main() -> None:
    """Play it, and say what held."""
    if sys.platform != "linux":
        sys.exit("rehearse-loop: it needs Linux. On Windows use WSL, elsewhere a container with Python and git")
    if missing := [name for name in ("git", "unshare") if shutil.which(name) is None]:
        sys.exit(f"rehearse-loop: {', '.join(missing)} not found. Install it first.")
    apart()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up, as after Ctrl-C
    print(HELLO, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-loop-") as place, ExitStack() as stack:
            found = rehearse(Path(place), stack)
    except KeyboardInterrupt:
        sys.exit("rehearse-loop: stopped")
    except RuntimeError as error:
        sys.exit(f"rehearse-loop: {error}")
    if not all(each.holds for each in found):
        sys.exit("rehearse-loop: not everything held")


def rehearse(place: Path, stack: ExitStack) -> list[Finding]:
    """The fortnight, and many more from counts."""
    clock = Clock(place / "clock")
    clock.set(moment(1 - AGE, HOURS[0]))
    disk = stack.enter_context(mounted(place / "log"))
    say(f"A first model, {AGE} days before day 1. The disk of the log is {disk.kind}")
    learned = parcels(np.random.default_rng(SEED), LEARNED, "known")
    checkouts = make_checkouts(place, clock, disk.folder, learned)
    champion = checkouts.store.champion()
    service = stack.enter_context(serving(checkouts.box.folder, checkouts.environ, place / "told"))
    say(f"The service answers with model {champion.digest[:12]}\n\n{HEAD}")
    found = play(Stage(PLAN, place, clock, disk, checkouts, service, learned), SEED, tell)
    show(checkouts)
    say("The same parcels and the same ferry, 200 times from counts")
    held = findings(PLAN, found, checkouts, rates(truth_of(champion, SEED), DAILY))
    print(f"\n{table(held)}", flush=True)
    return held


def tell(day: Day) -> None:
    """A line of the table."""
    loss, figures = day.look["figures"]["loss"], day.look["figures"]
    numbers = [f"{figure:5.2f}" for figure in (loss["mean"], loss["allowed"])] if loss else ["–", "–"]
    moved = [f"{name} {figures['effects'][key]:.2f} sd" for key, name in zip(figures["flagged"], day.flagged)]
    what = [FAULTS.get(day.number, ""), ", ".join(moved), f"trained: {day.trained}" if day.trained else ""]
    row = f"{day.number:>3}  {len(day.heard.answered):>8}  {day.dropped:>7}  {day.labels:>6}  {numbers[0]:>5}  {numbers[1]:>5}"
    print(f"{row}  {day.look['outcome']:<7} {'; '.join(filter(None, what))}".rstrip(), flush=True)


def show(checkouts: Checkouts) -> None:
    """The pull request, as GitHub was given it."""
    for pull in checkouts.github.pulls():
        lines = [line for line in pull["body"].splitlines() if line.strip()]
        print(
            f"\n  Pull request {pull['number']}: {pull['title']}",
            *(f"  | {line}" for line in lines[:12]),
            sep="\n",
            flush=True,
        )


def table(held: list[Finding]) -> str:
    """What held, for people."""
    return "\n".join(f"{'held  ' if each.holds else 'FAILED'}  {each.what}: {each.numbers}" for each in held)


def say(text: str) -> None:
    minutes, seconds = divmod(int(clocks.monotonic() - START), 60)
    print(f"== {minutes}:{seconds:02} {text}", flush=True)


if __name__ == "__main__":
    main()
