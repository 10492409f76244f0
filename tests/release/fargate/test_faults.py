"""Answers that are late, calls that fail, and a program that is killed: none of them leaves a release unchecked."""

from copy import deepcopy

import pytest

from clouds import ARN, NAME, Cloud, answering, fargate, request
from slipway.errors import ReleaseError
from slipway.release.fargate.aws import AwsError, failure
from slipway.release.fargate.ecs import Ecs
from slipway.release.fargate.last_words import last_words
from slipway.release.public_address import PublicAddress

THROTTLED = "An error occurred (ThrottlingException) when calling it (reached max retries: 3): Rate exceeded"


@pytest.fixture
def cloud():
    """A service where run 1 is live."""
    cloud = Cloud()
    with answering(cloud):
        list(fargate(cloud).deploy(request(1)))
        yield cloud


def refused(cloud: Cloud, asked) -> str:
    with pytest.raises(ReleaseError) as error:
        list(fargate(cloud).deploy(asked))
    return str(error.value)


def stale(cloud: Cloud, monkeypatch, looks: set[int]) -> None:
    """Some looks after the update, by number, show the service as it was before."""
    before, look, number = deepcopy(cloud.deployments), cloud._describe_services, 0

    def answer(options):
        nonlocal number
        found = look(options)
        if not cloud.deployments[0]["taskDefinition"].endswith(":3"):
            return found
        number += 1
        return {"services": [found["services"][0] | {"deployments": before}]} if number in looks else found

    monkeypatch.setattr(cloud, "_describe_services", answer)


@pytest.mark.parametrize("looks", [{1}, {2}, {2, 3, 4}, {1, 3, 5}])
def test_an_answer_that_is_older_than_the_update_takes_no_healthy_release_back(cloud, monkeypatch, looks):
    stale(cloud, monkeypatch, looks)
    assert "is live" in list(fargate(cloud).deploy(request(2, "b")))[-1]
    assert (cloud.serving(), cloud.made("update-service")) == ("b", 2)


def test_a_deployment_that_was_there_before_may_be_gone_back_to_under_its_own_id(cloud, monkeypatch):
    """The release's own is listed no more: what is seen for half a minute is believed."""
    before = deepcopy(cloud.deployments)
    cloud.crashing = {"b"}
    monkeypatch.setattr(cloud, "_back", lambda: setattr(cloud, "deployments", deepcopy(before)))
    start = cloud.now()
    said = refused(cloud, request(2, "b"))
    assert "ECS works towards the previous revision" in said and "(run 1," in said.rpartition("; ")[2]
    assert cloud.serving() == "a" and cloud.now() - start < 120


@pytest.mark.parametrize("operation", ["update-service", "describe-services"])
def test_a_call_that_fails_while_a_release_is_put_back_is_made_again(cloud, operation):
    cloud.wrong = {"b"}

    def fail():
        raise failure(f"aws {operation}", THROTTLED)

    cloud.before["list-tasks"] = lambda: cloud.before.update({operation: fail})  # it is asked for the last words
    said = refused(cloud, request(2, "b"))
    assert "serves the bundle" in said and "Throttling" not in said and cloud.serving() == "a"


def test_an_update_without_an_answer_may_be_done_and_is_followed(cloud, monkeypatch):
    cloud.wrong = {"b"}
    update = cloud._update_service

    def silent(options):
        update(options)
        monkeypatch.setattr(cloud, "_update_service", update)
        raise AwsError("aws ecs update-service: no answer within 150 s", "", passing=True)

    monkeypatch.setattr(cloud, "_update_service", silent)
    assert "serves the bundle" in refused(cloud, request(2, "b"))
    assert cloud.serving() == "a"


def test_an_update_that_was_not_done_leaves_the_previous_release(cloud):
    def fail():
        raise failure("aws ecs update-service", THROTTLED)

    cloud.before["update-service"] = fail
    said = refused(cloud, request(2, "b"))
    assert "ECS works towards the previous revision, and not towards this one" in said and cloud.serving() == "a"


def test_a_release_that_nobody_checked_is_put_back_by_the_next_attempt(cloud):
    """Its program was killed once ECS was done, and the service lists no other deployment any more."""
    cloud.wrong = {"b"}
    killed = fargate(cloud).deploy(request(2, "b"))
    while "ECS starts it" not in next(killed):
        pass
    for _ in range(10):
        cloud.pause(10)
    assert (cloud.serving(), len(cloud.deployments)) == ("b", 1)
    said = refused(cloud, request(2, "b"))
    assert "serves the bundle" in said and "(run 1," in said.rpartition("; ")[2] and cloud.serving() == "a"


def test_a_release_names_what_it_replaced_and_the_first_one_nothing(cloud):
    assert "slipway.previous" not in cloud.app()["dockerLabels"]
    list(fargate(cloud).deploy(request(2, "b")))
    assert cloud.app()["dockerLabels"]["slipway.previous"] == f"{ARN}:2"
    cloud.desired = 0
    list(fargate(cloud).deploy(request(3, "c")))
    assert "slipway.previous" not in cloud.app()["dockerLabels"], "nothing served"


def test_a_first_release_that_fails_takes_no_newer_one_down(monkeypatch):
    cloud = Cloud()
    with answering(cloud):
        first = fargate(cloud).deploy(request(1, "a"))
        while "of 2 tasks running" not in next(first):
            pass
        cloud.wrong = {"a"}
        newer = []

        def ask(address, seconds=0):
            if not newer and cloud.serving() == "a":
                newer.append(fargate(cloud).deploy(request(2, "b")))
                while "ECS starts it" not in next(newer[0]):
                    pass
            return cloud.readyz()

        with monkeypatch.context() as patch:
            patch.setattr(PublicAddress, "ask", ask)
            with pytest.raises(ReleaseError, match="then overtaken by release"):
                list(first)
        cloud.pause(60)
        assert (cloud.desired, cloud.serving()) == (2, "b")


@pytest.mark.parametrize(
    "environ, shown",
    [
        ({}, True),
        ({"GITHUB_ACTIONS": "true", "PRIVATE_REPOSITORY": "true"}, True),
        ({"GITHUB_ACTIONS": "true", "PRIVATE_REPOSITORY": "false"}, False),
        ({"GITHUB_ACTIONS": "true"}, False),
    ],
)
def test_what_the_app_logs_is_not_for_a_job_that_all_may_read(cloud, environ, shown):
    words = "\n".join(last_words(Ecs(cloud, NAME), f"{ARN}:2", Ecs(cloud, NAME).look(), environ))
    assert ("last line of" in words) == shown and "container app: exit code 6" in words
    assert shown or "group /slipway/insurance, stream app/app/task-of-2" in words
