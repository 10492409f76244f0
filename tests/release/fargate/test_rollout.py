"""Two releases at once, in every order: the newer one serves, the older one's job fails."""

import pytest

from clouds import ARN, Cloud, answering, fargate, request
from slipway.errors import ReleaseError
from slipway.release.fargate.aws import AwsError
from slipway.release.fargate.ecs import Ecs
from slipway.release.fargate.rollout import Overtaken


@pytest.fixture
def cloud():
    cloud = Cloud()
    with answering(cloud):
        list(fargate(cloud).deploy(request(1)))
        yield cloud


def until_started(cloud: Cloud, asked):
    """A job that waits: its program, stopped right after ECS began."""
    program = fargate(cloud).deploy(asked)
    for line in program:
        if "ECS starts it" in line:
            return program


def ends(program) -> str:
    """How a job goes on."""
    try:
        return list(program)[-1]
    except ReleaseError as error:
        return f"{type(error).__name__}: {error}"


def test_the_newer_begins_while_the_older_waits(cloud):
    older = until_started(cloud, request(5, "a"))
    newer = until_started(cloud, request(6, "b"))
    assert "Overtaken: overtaken by release" in (said := ends(older)) and "(run 6," in said
    assert "is live" in ends(newer) and cloud.serving() == "b"


def test_the_older_begins_while_the_newer_waits(cloud):
    newer = until_started(cloud, request(6, "b"))
    assert "run 5 is older than run 6, which is live or being released" in ends(fargate(cloud).deploy(request(5, "a")))
    assert "is live" in ends(newer) and cloud.serving() == "b"


def test_the_newer_began_while_the_older_was_prepared(cloud):
    started = []
    cloud.before["register-task-definition"] = lambda: started.append(until_started(cloud, request(6, "b")))
    assert "run 5 is older than run 6" in ends(fargate(cloud).deploy(request(5, "a")))
    assert "is live" in ends(*started) and cloud.serving() == "b"


def test_the_older_began_while_the_newer_was_prepared(cloud):
    started = []
    cloud.before["register-task-definition"] = lambda: started.append(until_started(cloud, request(5, "a")))
    assert "changed while this release was prepared. Run the workflow again" in ends(fargate(cloud).deploy(request(6, "b")))
    assert "is live" in ends(*started)


def test_the_older_is_put_over_the_newer_in_the_same_moment_and_gives_way(cloud):
    """Both looked before either of them updated."""
    started = []
    cloud.before["update-service"] = lambda: started.append(until_started(cloud, request(6, "b")))
    assert "Overtaken: overtaken by release" in (said := ends(fargate(cloud).deploy(request(5, "a")))) and "(run 6," in said
    assert "is live" in ends(*started) and cloud.serving() == "b"
    assert cloud.app()["dockerLabels"]["slipway.run"] == "6"


def test_the_newer_is_put_over_the_older_in_the_same_moment(cloud):
    started = []
    cloud.before["update-service"] = lambda: started.append(until_started(cloud, request(5, "a")))
    assert "is live" in ends(fargate(cloud).deploy(request(6, "b")))
    assert "Overtaken: overtaken by release" in (said := ends(*started)) and "(run 6," in said


def test_two_attempts_of_one_run_do_not_fight(cloud):
    started = []
    cloud.before["update-service"] = lambda: started.append(until_started(cloud, request(5, "a")))
    assert "is live" in ends(fargate(cloud).deploy(request(5, "a")))
    assert "Overtaken" in ends(*started)


def test_a_person_who_goes_back_by_hand_is_not_fought(cloud):
    cloud.definitions[f"{ARN}:99"] = cloud.definitions[f"{ARN}:1"]
    waiting = until_started(cloud, request(5, "b"))
    cloud.update(f"{ARN}:99")
    assert ends(waiting) == f"Overtaken: overtaken by {ARN}:99, which no release made. Run the workflow again"
    assert cloud.made("update-service") == 2


def test_an_older_one_that_was_put_over_this_one_is_named(cloud):
    list(fargate(cloud).deploy(request(2, "a")))
    list(fargate(cloud).deploy(request(3, "a")))
    waiting = until_started(cloud, request(5, "b"))
    cloud.update(f"{ARN}:3")
    assert "which is older. Run the workflow again" in ends(waiting)


def test_a_newer_one_may_take_over_while_this_one_goes_back(cloud):
    cloud.crashing = {"b"}
    cloud.before["list-tasks"] = lambda: until_started(cloud, request(6, "c"))
    said = ends(fargate(cloud).deploy(request(5, "b")))
    assert "circuit breaker" in said and "; then overtaken by release" in said and "(run 6," in said
    assert cloud.app()["dockerLabels"]["slipway.run"] == "6"


def test_going_back_skips_a_release_that_was_never_complete(cloud):
    """Run 5 was overtaken by run 6 before it served: what served is run 1."""
    cloud.hanging, cloud.stoppable = {"b", "c"}, False
    until_started(cloud, request(5, "b"))
    assert "(run 1," in ends(fargate(cloud).deploy(request(6, "c"))).rpartition("; ")[2]
    assert cloud.serving() == "a"


def test_an_answer_of_ecs_from_before_the_update_is_no_rollback(cloud, monkeypatch):
    look, old = Ecs.look, Ecs(cloud, "insurance").look()
    monkeypatch.setattr(Ecs, "look", lambda ecs: old if cloud.now() < soon else look(ecs))
    soon = cloud.now() + 15
    assert "is live" in ends(fargate(cloud).deploy(request(2, "b")))


def test_a_call_that_is_throttled_while_it_waits_is_a_warning(cloud):
    def throttle():
        raise AwsError("aws ecs describe-services: ThrottlingException: Rate exceeded", "", passing=True)

    waiting = until_started(cloud, request(2, "b"))
    cloud.before["describe-services"] = throttle
    lines = list(waiting)
    assert lines[0].startswith("warning: aws ecs describe-services: ThrottlingException") and "is live" in lines[-1]


def test_overtaken_is_an_error_of_a_release():
    assert Overtaken.exit_code == ReleaseError.exit_code == 7
