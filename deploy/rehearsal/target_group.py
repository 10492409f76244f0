"""The targets of a load balancer: who is healthy, who drains, and who gets the next request.

As an Application Load Balancer has it: a target gets requests after `healthy` checks in a row that were answered with 200,
and none after `unhealthy` checks in a row that were not. A deregistered target drains for `delay` seconds, whether it still
has requests or not, and is unused after that. The nodes of a real one learn of a deregistration within seconds, not at
once: for `lag` seconds the target still gets new requests.

A real one differs in three things. A new target may get requests after its first good check; here it needs all of them. If
no target is healthy, it sends requests to all of them; here they are refused with 503. It has a node in each zone, and each
checks by itself; here is one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Checks:
    """Seconds and counts of a target group."""

    path: str = "/readyz"
    interval: float = 10
    timeout: float = 5
    healthy: int = 2
    unhealthy: int = 2
    delay: float = 30
    lag: float = 1


@dataclass
class Target:
    """A registered address, ``host:port``; `state` has the words of DescribeTargetHealth."""

    address: str
    state: str = "initial"
    outstanding: int = 0
    streak: int = 0
    was_healthy: bool = False
    left: float | None = None


@dataclass
class TargetGroup:
    """All targets that are not unused."""

    checks: Checks
    targets: dict[str, Target] = field(default_factory=dict)

    def register(self, address: str) -> Target:
        """A new target; it has to pass its checks."""
        self.targets[address] = Target(address)
        return self.targets[address]

    def deregister(self, address: str, now: float) -> None:
        """Let a target drain."""
        target = self.targets[address]
        target.was_healthy = target.state == "healthy"
        target.state, target.left = "draining", now

    def checked(self, target: Target, good: bool) -> None:
        """Count the result of a check."""
        if target.state == "draining":
            return
        target.streak = max(1, target.streak + 1) if good else min(-1, target.streak - 1)
        if target.streak >= self.checks.healthy:
            target.state = "healthy"
        elif target.streak <= -self.checks.unhealthy:
            target.state = "unhealthy"

    def choose(self, now: float) -> Target | None:
        """The target with the fewest requests that it has not answered yet."""
        able = [each for each in self.targets.values() if self._gets_requests(each, now)]
        return min(able, key=lambda each: each.outstanding, default=None)

    def _gets_requests(self, target: Target, now: float) -> bool:
        if target.left is None:
            return target.state == "healthy"
        return target.was_healthy and now < target.left + self.checks.lag

    def expire(self, now: float) -> Iterable[Target]:
        """Remove the targets whose delay is over, and tell them."""
        over = [each for each in self.targets.values() if each.left is not None and now >= each.left + self.checks.delay]
        for each in over:
            del self.targets[each.address]
        return over

    def states(self) -> dict[str, str]:
        """State of each target by its address; an unused one is missing."""
        return {each.address: each.state for each in self.targets.values()}
