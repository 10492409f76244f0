"""Who gets requests: the rules of an Application Load Balancer, without a socket."""

from rehearsal.target_group import Checks, TargetGroup

CHECKS = Checks(healthy=2, unhealthy=2, delay=30, lag=1)


def group(*addresses: str, healthy: bool = True) -> TargetGroup:
    made = TargetGroup(CHECKS)
    for address in addresses:
        target = made.register(address)
        for _ in range(CHECKS.healthy if healthy else 0):
            made.checked(target, True)
    return made


def test_a_new_target_gets_requests_after_two_good_checks_in_a_row():
    made = group("a:1", healthy=False)
    target = made.targets["a:1"]
    for good in (True, False, True):
        made.checked(target, good)
        assert made.choose(0) is None
        assert target.state == "initial"
    made.checked(target, True)
    assert made.choose(0) is target


def test_a_target_gets_none_after_two_bad_checks_in_a_row_until_two_good_ones():
    made = group("a:1")
    target = made.targets["a:1"]
    seen = []
    for good in (False, True, False, False, True, True):
        made.checked(target, good)
        seen.append(target.state)
    assert seen == ["healthy", "healthy", "healthy", "unhealthy", "unhealthy", "healthy"]


def test_the_fewest_outstanding_requests_win():
    made = group("a:1", "b:1")
    made.targets["a:1"].outstanding = 2
    assert made.choose(0).address == "b:1"
    made.targets["b:1"].outstanding = 3
    assert made.choose(0).address == "a:1"


def test_a_deregistered_target_gets_requests_for_the_lag_and_is_there_for_the_delay():
    made = group("a:1")
    made.deregister("a:1", now=100)
    assert made.choose(100.9).address == "a:1"
    assert made.choose(101) is None
    assert made.expire(129.9) == []
    assert made.states() == {"a:1": "draining"}
    assert [each.address for each in made.expire(130)] == ["a:1"]
    assert made.states() == {}


def test_a_target_that_was_never_healthy_gets_nothing_while_it_drains_and_checks_do_not_bring_it_back():
    made = group("a:1", healthy=False)
    target = made.targets["a:1"]
    made.deregister("a:1", now=0)
    for _ in range(3):
        made.checked(target, True)
    assert made.choose(0.5) is None
    assert target.state == "draining"
