"""Runs of the release program without an engine: what was started is remembered, and steps fail as told."""

from collections.abc import Sequence

from slipway.errors import ReleaseError
from slipway.release.box import plan as steps
from slipway.release.box.configuration import Configuration
from slipway.release.box.execution import Execution
from slipway.release.box.state import Box
from slipway.release.box.swap import Swap
from slipway.release.request import Request

DOWN = "Cannot connect to the Docker daemon"


class Containers:
    """An engine that remembers what was started and pulled."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.pulled: dict[str, list[str]] = {}
        self.down = False

    def run(self, arguments: Sequence[str]) -> str:
        if self.down:
            raise ReleaseError(DOWN)
        if arguments[0] == "pull":
            digest = f"sha256:{arguments[-1].rpartition(':')[2]}"
            self.pulled[digest] = [digest]
        if arguments[:2] == ("image", "rm"):
            del self.pulled[arguments[-1]]
        if arguments[0] == "run":
            self.running.append(arguments[3].removeprefix("slipway-"))
        if arguments[0] == "rm":
            self.running.remove(arguments[-1].removeprefix("slipway-"))
        return ""

    def containers(self, label: str) -> dict[str, str]:
        self.run(("ps",))
        return dict.fromkeys(self.running, "running")

    def images(self, repository: str) -> dict[str, list[str]]:
        return dict(self.pulled)

    def last_lines(self, container: str) -> list[str]:
        return ["its last words"]


class Trial(Execution):
    """Steps on a box without releases that answer: `fails` says which kind of step does not work, `busy` who still answers."""

    def __init__(self, box: Box, **settings) -> None:
        super().__init__(Configuration("registry.example/insurance", **settings), box, Containers())
        self.fails: dict[type, BaseException] = {}
        self.busy: dict[str, int] = {}

    def perform(self, step: steps.Step) -> None:
        if type(step) in self.fails:
            raise self.fails[type(step)]
        if type(step) not in (steps.RequireDigest, steps.AwaitReady, steps.CheckAnswer, steps.Probe):
            super().perform(step)

    def ready(self, id: str, seconds: float = 1) -> bool:
        return id in self.engine.running

    def requests(self, id: str) -> int:
        return self.busy.get(id, 0)


class Run:
    """A box and what was said there."""

    def __init__(self, box: Box, **settings) -> None:
        self.box = box
        self.trial = Trial(box, **settings)
        self.said: list[str] = []
        self.swap = Swap(self.trial, self.said.append)
        box.sockets.mkdir(parents=True)

    def release(self, number: int) -> str:
        """Make a release live; its id."""
        self.swap.deploy(request(number))
        return self.box.live()

    def events(self) -> list[tuple[str, int]]:
        return [(each["event"], each["run_number"]) for each in self.swap.history.entries()]


def request(number: int) -> Request:
    return Request(f"sha256:{number:064x}", f"{number:064x}", "e" * 40, number)
