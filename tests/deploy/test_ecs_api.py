"""What the ECS stand-in answers, asked by the libraries of AWS; its containers and its load balancer are of paper."""

import json
import subprocess
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from rehearsal.ecs import Ecs, Stack
from rehearsal.ecs_api import serve
from rehearsal.target_group import Checks

NAME = "insurance"
STREAM = "task/app/"


class Paper:
    """Docker and a load balancer: every container runs and is healthy until it is stopped, but those of a broken image."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.ports = iter(range(1, 100))
        self.targets: dict[str, str] = {}

    def __call__(self, command: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        name = next((each for each in arguments if str(each).startswith("slipway-rehearsal-")), "")
        if command == "run":
            self.running[name] = "exited" if "broken" in arguments[-1] else "running"
        elif command == "rm":
            self.running.pop(name, None)
        state = {"Status": self.running.get(name), "ExitCode": 3}
        one = "--format" in arguments
        listed = [{"Name": f"/{each}", "State": {"Status": now, "ExitCode": 3}} for each, now in self.running.items()]
        said = json.dumps(state if one else listed) if command == "inspect" else "the last\nwords\n"
        if command == "port":
            said = f"127.0.0.1:{next(self.ports)}"
        return subprocess.CompletedProcess([], 0, said, "")

    def register(self, address: str) -> None:
        self.targets[address] = "healthy"

    def deregister(self, address: str) -> None:
        self.targets.pop(address)

    def states(self) -> dict[str, str]:
        return dict(self.targets)


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    paper = Paper()
    definition = {"family": NAME, "containerDefinitions": [container("host/images:unreleased")]}
    stack = Stack(NAME, definition, Checks(), grace=0, tasks=2, threshold=3)
    made = Ecs(stack, paper, paper, tags={"slipway:tasks": "2"})
    with serve(made) as made.url:
        yield made


@pytest.fixture
def client(ecs) -> Callable:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    return lambda service: boto3.client(service, endpoint_url=ecs.url, **keys)


def container(image: str) -> dict:
    return {"name": "app", "image": image, "portMappings": [{"containerPort": 8080}], "dockerLabels": {"slipway.run": "1"}}


def play(ecs: Ecs) -> None:
    """Ticks, each when all threads of the tasks have done their part."""
    for _ in range(12):
        ecs.tick()
        for task in (*ecs.service.tasks, *ecs.service.stopped):
            for thread in task.threads:
                thread.join()


def release(client, image: str, **more: int) -> dict:
    made = client("ecs").register_task_definition(family=NAME, containerDefinitions=[container(image)])
    arn = made["taskDefinition"]["taskDefinitionArn"]
    return client("ecs").update_service(cluster=NAME, service=NAME, taskDefinition=arn, **more)["service"]


def look(client) -> dict:
    return client("ecs").describe_services(cluster=NAME, services=[NAME], include=["TAGS"])["services"][0]


def test_an_empty_service_is_as_up_leaves_it(ecs, client):
    play(ecs)
    service = look(client)
    assert (service["status"], service["desiredCount"], service["runningCount"]) == ("ACTIVE", 0, 0)
    assert service["tags"] == [{"key": "slipway:tasks", "value": "2"}]
    assert [(each["status"], each["rolloutState"]) for each in service["deployments"]] == [("PRIMARY", "COMPLETED")]


def test_a_release_is_followed_from_its_deployment_to_its_tasks(ecs, client):
    begun = release(client, "host/images@sha256:1", desiredCount=2)["deployments"][0]
    assert begun["taskDefinition"].endswith(f"task-definition/{NAME}:2")
    assert (begun["status"], begun["rolloutState"], begun["desiredCount"]) == ("PRIMARY", "IN_PROGRESS", 2)
    play(ecs)
    [ended] = look(client)["deployments"]
    assert (ended["id"], ended["rolloutState"], ended["runningCount"]) == (begun["id"], "COMPLETED", 2)
    tasks = client("ecs").list_tasks(cluster=NAME, serviceName=NAME)["taskArns"]
    shown = client("ecs").describe_tasks(cluster=NAME, tasks=tasks)["tasks"]
    assert [each["taskDefinitionArn"] for each in shown] == [begun["taskDefinition"]] * 2
    assert look(client)["events"][0]["message"] == f"(service {NAME}) has reached a steady state."
    assert client("ecs").describe_task_definition(taskDefinition=begun["taskDefinition"])["taskDefinition"]["revision"] == 2
    assert ecs.labels() == {"slipway.run": "1"}


def test_a_crash_loop_is_told_with_exit_codes_and_last_words(ecs, client):
    release(client, "host/images@sha256:1", desiredCount=2)
    play(ecs)
    failed = release(client, "host/broken@sha256:2")["deployments"][0]
    play(ecs)
    [left] = look(client)["deployments"]
    assert left["id"] != failed["id"]
    assert "circuit breaker: rolling back" in left["rolloutStateReason"]
    stopped = client("ecs").list_tasks(cluster=NAME, serviceName=NAME, desiredStatus="STOPPED")["taskArns"]
    task = client("ecs").describe_tasks(cluster=NAME, tasks=stopped)["tasks"][-1]
    assert (task["stoppedReason"], task["containers"][0]["exitCode"]) == ("Essential container in task exited", 3)
    stream = STREAM + task["taskArn"].rpartition("/")[2]
    events = client("logs").get_log_events(logGroupName="g", logStreamName=stream, limit=1)["events"]
    assert [each["message"] for each in events] == ["words"]


def test_a_deployment_is_stopped_by_its_arn_while_it_goes_on(ecs, client):
    release(client, "host/images@sha256:1", desiredCount=2)
    play(ecs)
    release(client, "host/images@sha256:2")
    [found] = client("ecs").list_service_deployments(cluster=NAME, service=NAME, status=["IN_PROGRESS"])["serviceDeployments"]
    arn = {"serviceDeploymentArn": found["serviceDeploymentArn"]}
    client("ecs").stop_service_deployment(**arn, stopType="ROLLBACK")
    play(ecs)
    assert look(client)["taskDefinition"].endswith(":2")
    assert client("ecs").list_service_deployments(cluster=NAME, service=NAME)["serviceDeployments"] == []
    with pytest.raises(ClientError, match="ServiceDeploymentNotFoundException"):
        client("ecs").stop_service_deployment(**arn)


def test_parameters_are_told_by_name_and_version_and_their_values_reach_tasks_alone(ecs, client):
    filters = [{"Key": "Path", "Option": "OneLevel", "Values": [f"/slipway/{NAME}"]}]
    for value in ("one", "two"):
        ecs.put_parameter("KEY", value)
    [found] = client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"]
    assert (found["Name"], found["Version"], "Value" in found) == (f"/slipway/{NAME}/KEY", 2, False)
    filters[0]["Values"] = ["/slipway/other"]
    assert client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"] == []


@pytest.mark.parametrize(
    ("call", "asked", "error"),
    [
        ("describe_services", {"cluster": "other", "services": [NAME]}, "ClusterNotFoundException"),
        ("update_service", {"cluster": NAME, "service": "other"}, "ServiceNotFoundException"),
        ("update_service", {"cluster": NAME, "service": NAME, "taskDefinition": "x:9"}, "ClientException"),
        ("describe_task_definition", {"taskDefinition": "x:9"}, "ClientException"),
        ("list_clusters", {}, "UnknownOperationException"),
    ],
)
def test_what_is_not_there_is_an_error_of_aws(client, call, asked, error):
    with pytest.raises(ClientError, match=error):
        getattr(client("ecs"), call)(**asked)


def test_a_service_that_is_not_there_is_missing(client):
    answer = client("ecs").describe_services(cluster=NAME, services=["other"])
    assert (answer["services"], answer["failures"][0]["reason"]) == ([], "MISSING")
