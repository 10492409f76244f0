"""Decides which replaced releases may finish their answers, and which are stopped."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.release.box import plan as steps
from slipway.release.box.configuration import Configuration


@dataclass(frozen=True)
class Drainer:
    """A release that is neither the live nor the previous one.

    Parameters
    ----------
    id : str
    requests : int
        How many it is still answering.
    seconds : float
        Since it was replaced.
    """

    id: str
    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.id} still answers {self.requests} request{'s' if self.requests > 1 else ''}"


def overdue(found: Sequence[Drainer], configuration: Configuration) -> dict[Drainer, str]:
    """Releases to cut off, and why: after `drain_seconds`; and the oldest if more than `draining` are busy."""
    busy = sorted((each for each in found if each.requests), key=lambda each: each.seconds, reverse=True)
    excess = len(busy) - configuration.draining
    reasons = dict.fromkeys(busy[: max(0, excess)], f"more than {configuration.draining} releases are draining (draining)")
    late = {
        each: f"it has been draining for {configuration.drain_seconds} s (drain_seconds)"
        for each in busy
        if each.seconds >= configuration.drain_seconds
    }
    return reasons | late


def drain_group(found: Sequence[Drainer], configuration: Configuration) -> steps.Group:
    """The steps that stop idle releases, and cut off overdue ones."""
    idle = [step for each in found if not each.requests for step in steps.end_steps(each.id)]
    cut = [step for each in overdue(found, configuration) for step in steps.discard_steps(each.id)]
    return steps.Group("Drain", (*idle, *cut))
