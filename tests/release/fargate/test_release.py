"""The contract of every road (docs/release.md), line by line, for Fargate: in an account without tasks (tests/clouds.py)."""

from dataclasses import replace

import pytest

from clouds import ARN, BUNDLE, NAME, REPOSITORY, URL, Cloud, answering, fargate, request
from registries import serve_registry
from slipway.errors import ReleaseError
from slipway.release.fargate.release import deploy as deploy_to_fargate
from slipway.release.public_address import PublicAddress


@pytest.fixture
def cloud():
    """A service that nothing was released to, at an address that answers."""
    cloud = Cloud()
    with answering(cloud) as asked:
        cloud.asked = asked
        yield cloud


def deploy(cloud: Cloud, asked, **settings) -> str:
    """The result; the lines before it are kept in `cloud.said`."""
    cloud.said = []
    for line in fargate(cloud, **settings).deploy(asked):
        cloud.said.append(line)
    assert [line for line in cloud.said if line.startswith("Result: ")] == cloud.said[-1:]
    return cloud.said[-1]


def refused(cloud: Cloud, asked, **settings) -> str:
    with pytest.raises(ReleaseError) as error:
        deploy(cloud, asked, **settings)
    return str(error.value)


def test_the_first_release_starts_the_tasks_that_the_stack_asks_for(cloud):
    result = deploy(cloud, request(1))
    assert (cloud.desired, cloud.serving()) == (2, "a")
    id = cloud.app()["dockerLabels"]["slipway.release"]
    assert result.startswith(f"Result: release {id} (run 1, commit {'a' * 12}, sha256:{'a' * 12}) is live (")
    assert cloud.said[0] == "live: nothing yet"


def test_a_later_release_leaves_the_number_of_tasks_to_the_autoscaling(cloud):
    deploy(cloud, request(1))
    cloud.desired = 5
    deploy(cloud, request(2, "b"))
    assert (cloud.desired, cloud.serving()) == (5, "b")
    [update] = [each for each in cloud.calls if each[1] == "update-service" and each[-1].endswith(":3")]
    assert "--desired-count" not in update


def test_what_is_deployed_is_the_digest_and_what_it_is_called_changes_with_it(cloud):
    deploy(cloud, request(7, "a", "c"))
    app = cloud.app()
    assert app["image"] == f"{REPOSITORY}@sha256:{'a' * 64}"
    labels = app["dockerLabels"]
    assert (labels["slipway.key"], labels["slipway.commit"], labels["slipway.run"]) == ("a" * 64, "c" * 40, "7")
    assert {"name": "SLIPWAY_RELEASE", "value": labels["slipway.release"]} in app["environment"]


def test_nothing_but_what_the_registry_lists_under_the_key_is_deployed(cloud):
    asked = request(1)
    said = refused(cloud, type(asked)("sha256:" + "f" * 64, asked.key, asked.commit, 1))
    assert f"lists sha256:{'a' * 64} under the release key" in said and cloud.made("register-task-definition") == 0


def test_an_image_that_is_not_in_the_registry_is_not_deployed(cloud):
    cloud.empty = True
    assert "the registry lists nothing under the release key" in refused(cloud, request(1))


def test_a_release_is_live_once_the_others_have_no_tasks_left(cloud):
    deploy(cloud, request(1))
    deploy(cloud, request(2, "b"))
    assert len(cloud.deployments) == 1
    assert "2 of 2 tasks running; 2 of other releases" in cloud.said[-4:]


def test_the_public_address_must_answer_before_anything_changes(cloud, monkeypatch):
    def refuse(address, seconds=0):
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(PublicAddress, "ask", refuse)
    said = refused(cloud, request(1))
    assert f"{URL} does not answer (Connection refused); nothing was changed" in said
    assert cloud.made("register-task-definition") == 0


def test_the_same_again_changes_nothing_but_is_checked(cloud):
    deploy(cloud, request(1))
    revisions, asked = len(cloud.definitions), len(cloud.asked)
    result = deploy(cloud, request(1))
    assert "is already live" in result and len(cloud.definitions) == revisions
    assert len(cloud.asked) == asked + 6


def test_a_live_release_whose_address_answers_otherwise_stays_and_fails_the_job(cloud):
    deploy(cloud, request(1))
    cloud.wrong = {"a"}
    updates = cloud.made("update-service")
    said = refused(cloud, request(1))
    assert "serves the bundle" in said and said.endswith(BUNDLE[:12])
    assert cloud.made("update-service") == updates and cloud.serving() == "a"


def test_the_same_again_is_a_release_if_ecs_gave_it_up(cloud):
    deploy(cloud, request(1))
    cloud.crashing, cloud.breaker, cloud.ended = {"b"}, False, cloud.now() + 23
    refused(cloud, request(2, "b"))
    cloud.crashing, cloud.ended = set(), None
    assert cloud.deployments[0]["rolloutState"] == "FAILED"
    assert "is live" in deploy(cloud, request(2, "b")) and cloud.serving() == "b"


def test_a_newer_run_of_the_same_commit_is_released_so_that_one_between_them_is_refused(cloud):
    deploy(cloud, request(1))
    deploy(cloud, request(3))
    assert "run 2 is older than run 3" in refused(cloud, request(2, "b"))


def test_a_run_with_a_lower_number_is_refused(cloud):
    deploy(cloud, request(2, "b"))
    said = refused(cloud, request(1))
    assert "run 1 is older than run 2" in said and "revert to it" in said
    assert cloud.serving() == "b" and cloud.made("update-service") == 1


def test_any_run_number_is_accepted_after_the_release_that_the_service_s_tag_names(cloud):
    deploy(cloud, request(9, "b"))
    cloud.tags["slipway:restarted"] = cloud.app()["dockerLabels"]["slipway.release"]
    assert "is live" in deploy(cloud, request(1))
    assert "is older" not in deploy(cloud, request(2, "b"))


def test_a_broken_image_is_rolled_back_by_ecs_and_the_job_fails_with_what_the_tasks_said(cloud):
    deploy(cloud, request(1))
    cloud.crashing, cloud.events = {"b"}, [{"id": "1", "message": "of the last release"}]
    said = refused(cloud, request(2, "b"))
    assert "circuit breaker: tasks failed to start" in said and "(run 1," in said.rpartition("; ")[2]
    assert (cloud.serving(), len(cloud.deployments)) == ("a", 1), "it waits until the old release serves alone"
    words = "\n".join(cloud.said)
    assert "Essential container of 3 exited" in words and "container app: exit code 6, Error" in words
    assert "container other: never started" in words and "of 2 exited" not in words
    assert "of the last release" not in words
    assert "last line of app/app/task-of-3" in words
    assert cloud.made("update-service") == 2, "the rollback is ECS's own"


def test_without_the_circuit_breaker_s_rollback_the_program_goes_back_itself(cloud):
    deploy(cloud, request(1))
    cloud.crashing, cloud.breaker = {"b"}, False
    assert "ECS gave up" in refused(cloud, request(2, "b"))
    assert (cloud.serving(), len(cloud.deployments)) == ("a", 1)


@pytest.mark.parametrize("stoppable", [True, False])
def test_an_image_that_never_gets_ready_is_stopped_after_ten_minutes(cloud, stoppable):
    deploy(cloud, request(1))
    cloud.hanging, cloud.stoppable = {"b"}, stoppable
    start = cloud.now()
    said = refused(cloud, request(2, "b"))
    assert "not done within 600 s: 2 of 2 tasks running" in said and 600 < cloud.now() - start < 700
    assert (cloud.serving(), len(cloud.deployments)) == ("a", 1)
    assert any("event: (task x) failed container health checks" in line for line in cloud.said)
    assert cloud.made("update-service") == (2 if stoppable else 3)


def test_a_role_that_may_not_stop_deployments_still_goes_back(cloud):
    deploy(cloud, request(1))
    cloud.hanging, cloud.denied = {"b"}, {"list-service-deployments", "list-tasks"}
    assert "not done within 600 s" in refused(cloud, request(2, "b"))
    assert cloud.serving() == "a" and any("not known: aws list-tasks" in line for line in cloud.said)


def test_a_first_release_that_fails_leaves_nothing_running_as_before(cloud):
    cloud.crashing = {"a"}
    assert refused(cloud, request(1)).endswith("nothing serves, as before")
    assert (cloud.desired, cloud.deployments[0]["taskDefinition"]) == (0, f"{ARN}:1")
    cloud.crashing = set()
    assert "is live" in deploy(cloud, request(1))


def test_a_release_that_serves_another_bundle_than_the_commit_names_is_taken_back(cloud):
    deploy(cloud, request(1))
    cloud.wrong = {"b"}
    said = refused(cloud, request(2, "b"))
    assert f"serves the bundle {'e' * 12}, but the commit names {BUNDLE[:12]}" in said
    assert (cloud.serving(), len(cloud.deployments)) == ("a", 1)


def test_a_revert_is_a_release_of_the_earlier_digest_with_a_higher_number(cloud):
    deploy(cloud, request(1))
    deploy(cloud, request(2, "b"))
    deploy(cloud, request(3, "a", "c"))
    assert cloud.serving() == "a" and cloud.app()["dockerLabels"]["slipway.run"] == "3"


def test_a_setting_that_was_changed_outside_git_is_a_new_revision_of_the_live_release(cloud):
    cloud.parameters = {f"/slipway/{NAME}/SLIPWAY_API_KEYS": 1}
    deploy(cloud, request(1))
    assert cloud.app()["secrets"] == [{"name": "SLIPWAY_API_KEYS", "valueFrom": f"/slipway/{NAME}/SLIPWAY_API_KEYS"}]
    before = cloud.app()["dockerLabels"]
    cloud.parameters = {f"/slipway/{NAME}/SLIPWAY_API_KEYS": 2}
    assert "is live" in deploy(cloud, request(1))
    assert cloud.app()["dockerLabels"]["slipway.settings"] != before["slipway.settings"]
    assert "is already live" in deploy(cloud, request(1))


def test_a_service_that_was_scaled_to_nothing_is_started_by_the_same_release(cloud):
    deploy(cloud, request(1))
    cloud.desired = 0
    deploy(cloud, request(1))
    assert cloud.desired == 2


def test_a_missing_permission_is_named_and_changes_nothing(cloud):
    deploy(cloud, request(1))
    cloud.denied = {"update-service"}
    said = refused(cloud, request(2, "b"))
    assert "User: not update-service. The deploy role lacks a permission" in said and "deploy/fargate/up" in said
    assert cloud.serving() == "a"


def test_a_service_that_is_not_there_is_made_by_up(cloud):
    assert refused(cloud, request(1), name="other") == (
        "there is no service other in the cluster other. Run deploy/fargate/up, which makes the service"
    )


@pytest.mark.parametrize("name", ["", "a/b", "models.insurance", "1st"])
def test_a_name_that_ecs_would_refuse(name):
    with pytest.raises(ReleaseError, match="cannot be the name of a service of ECS"):
        list(deploy_to_fargate(name, REPOSITORY, request(1), BUNDLE))


@pytest.mark.parametrize("repository", ["", "insurance", f"{NAME}/", "/insurance"])
def test_a_repository_without_host_or_name(cloud, repository):
    with pytest.raises(ReleaseError, match="is not HOST/REPO. Set AWS_ECR_LOGIN_URI"):
        list(replace(fargate(cloud), repository=repository).deploy(request(1)))


def test_another_registry_than_ecr_is_asked_as_find_does(cloud, tmp_path, monkeypatch):
    with serve_registry() as registry:
        monkeypatch.setenv("DOCKER_CONFIG", str(registry.login(tmp_path)))
        registry.images["a" * 64] = "sha256:" + "a" * 64
        program = replace(fargate(cloud), repository=f"{registry.host}/insurance")
        assert "is live" in list(program.deploy(request(1)))[-1]
        with pytest.raises(ReleaseError, match="lists nothing under the release key"):
            list(program.deploy(request(2, "b")))
    assert cloud.made("describe-images") == 0


@pytest.fixture
def trial(monkeypatch) -> Cloud:
    """A service whose only task has an address of its own, which this machine cannot reach."""

    def unreachable(address, seconds=0):
        raise AssertionError("the trial lets in one network, which is not this machine's")

    monkeypatch.setattr(PublicAddress, "ask", unreachable)
    return Cloud(url="", tasks=1)


def test_a_task_with_an_address_of_its_own_is_ready_when_its_health_check_is_and_trusts_no_proxy(trial):
    trial.health = ["HEALTHY", "UNKNOWN"]  # of the revision before and of the release, once
    deploy(trial, request(1))
    assert trial.desired == 1 and trial.made("describe-tasks") == 2
    assert "task-of-2 is ready at http://203.0.113.2:8080" in trial.said
    assert {"name": "SLIPWAY_TRUSTED_PROXIES", "value": "0"} in trial.app()["environment"]


def test_a_task_with_an_address_of_its_own_that_is_never_healthy_is_taken_back(trial):
    deploy(trial, request(1))
    trial.health = ["UNHEALTHY"] * 99
    said = refused(trial, request(2, "b"))
    assert "its tasks are not healthy after 60 s: UNHEALTHY; release" in said and trial.serving() == "a"


def test_an_address_that_may_not_be_looked_up_fails_no_release(trial):
    trial.denied = {"describe-network-interfaces"}
    deploy(trial, request(1))
    assert "task-of-2 is ready at an address that is not known" in trial.said


def test_a_cancelled_job_says_what_ecs_goes_on_doing(cloud):
    deploy(cloud, request(1))
    cloud.ended = cloud.now() + 12
    said = refused(cloud, request(2, "b"))
    assert "cancelled while ECS rolls out release" in said and "Run the workflow again to see how it ended" in said
    cloud.ended = None
    result = deploy(cloud, request(2, "b"))
    assert "is already live" in result and cloud.serving() == "b", "the run that is repeated waits for it"


def test_a_job_that_is_cancelled_in_time_changes_nothing(cloud):
    cloud.ended = 0.0
    assert refused(cloud, request(1)) == "cancelled before anything was changed"
    assert cloud.made("update-service") == 0


def test_the_deployment_s_end_is_unknown_if_the_role_expires(cloud):
    cloud.before["update-service"] = lambda: cloud.denied.add("describe-services")
    said = refused(cloud, request(1))
    assert "while ECS rolls out release" in said and "ECS goes on; run the workflow again" in said
