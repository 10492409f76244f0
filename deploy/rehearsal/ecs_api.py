"""What ECS, Parameter Store and CloudWatch Logs answer, as far as a release asks them: JSON 1.1 over HTTP.

Nobody is denied anything here, nothing is throttled, and no answer is late: a real account may do all three. Definitions are
kept as they come; the command line has checked their form, the real service checks much more (such as the pairs of cpu and
memory, and whether the roles are there).
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rehearsal.ecs import Ecs
from rehearsal.ecs_service import Deployment, counts
from rehearsal.ecs_task import ContainerTask

FORM = "application/x-amz-json-1.1"
EVENTS = 100


class Refused(Exception):
    """An error as AWS answers it: its type and its message."""


def describe_services(ecs: Ecs, asked: dict) -> dict:
    _require_cluster(ecs, asked)
    if asked["services"] != [ecs.stack.name]:
        return {
            "services": [],
            "failures": [{"arn": ecs.arn(f"service/{name}"), "reason": "MISSING"} for name in asked["services"]],
        }
    return {"services": [_service(ecs, "TAGS" in asked.get("include", []))], "failures": []}


def describe_task_definition(ecs: Ecs, asked: dict) -> dict:
    found = ecs.definitions.get(asked["taskDefinition"])
    if found is None:
        raise Refused("ClientException", "Unable to describe task definition.")
    return {"taskDefinition": found}


def register_task_definition(ecs: Ecs, asked: dict) -> dict:
    return {"taskDefinition": ecs.definitions[ecs.register(asked)]}


def update_service(ecs: Ecs, asked: dict) -> dict:
    _require_cluster(ecs, asked)
    if asked["service"] != ecs.stack.name:
        raise Refused("ServiceNotFoundException", "Service not found.")
    revision = asked.get("taskDefinition")
    if revision is not None and revision not in ecs.definitions:
        raise Refused("ClientException", "TaskDefinition not found.")
    ecs.service.update(revision, asked.get("desiredCount"), asked.get("forceNewDeployment", False))
    return {"service": _service(ecs, tags=False)}


def list_tasks(ecs: Ecs, asked: dict) -> dict:
    _require_cluster(ecs, asked)
    ended = asked.get("desiredStatus", "RUNNING") == "STOPPED"
    found = ecs.service.stopped if ended else [task for task in ecs.service.tasks if task.status in ("PENDING", "RUNNING")]
    return {"taskArns": [_task_arn(ecs, task) for task in found]}


def describe_tasks(ecs: Ecs, asked: dict) -> dict:
    known = {_task_arn(ecs, task): task for task in (*ecs.service.tasks, *ecs.service.stopped)}
    return {"tasks": [_task(ecs, known[arn]) for arn in asked["tasks"] if arn in known], "failures": []}


def stop_task(ecs: Ecs, asked: dict) -> dict:
    task = next(each for each in ecs.service.tasks if asked["task"] in (each.id, _task_arn(ecs, each)))
    task.stop(asked.get("reason", "Task stopped by user"))
    return {"task": _task(ecs, task)}


def list_service_deployments(ecs: Ecs, asked: dict) -> dict:
    primary = ecs.service.primary
    wanted = asked.get("status", ["IN_PROGRESS"])
    going = [primary] if primary.state == "IN_PROGRESS" and "IN_PROGRESS" in wanted else []
    return {
        "serviceDeployments": [{"serviceDeploymentArn": _deployment_arn(ecs, each), "status": "IN_PROGRESS"} for each in going]
    }


def stop_service_deployment(ecs: Ecs, asked: dict) -> dict:
    primary = ecs.service.primary
    if asked["serviceDeploymentArn"] != _deployment_arn(ecs, primary) or primary.state != "IN_PROGRESS":
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    ecs.service.roll_back(primary)
    return {"serviceDeploymentArn": asked["serviceDeploymentArn"]}


def describe_parameters(ecs: Ecs, asked: dict) -> dict:
    [path] = [value for each in asked["ParameterFilters"] if each["Key"] == "Path" for value in each["Values"]]
    found = {name: version for name, (_, version) in ecs.parameters.items() if name.rpartition("/")[0] == path.rstrip("/")}
    return {"Parameters": [{"Name": name, "Version": version} for name, version in found.items()]}


def get_log_events(ecs: Ecs, asked: dict) -> dict:
    """Of a container that has ended; the stream's name ends in /CONTAINER/TASK."""
    _, container, id = asked["logStreamName"].rsplit("/", 2)
    task = next((each for each in ecs.service.stopped if each.id == id), None)
    if task is None:
        raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
    return {"events": [{"message": line} for line in task.logs.get(container, [])[-asked.get("limit", 10_000) :]]}


ECS, SSM, LOGS = "AmazonEC2ContainerServiceV20141113", "AmazonSSM", "Logs_20140328"
CALLS: dict[str, Callable[[Ecs, dict], dict]] = {
    f"{ECS}.DescribeServices": describe_services,
    f"{ECS}.DescribeTaskDefinition": describe_task_definition,
    f"{ECS}.RegisterTaskDefinition": register_task_definition,
    f"{ECS}.UpdateService": update_service,
    f"{ECS}.ListTasks": list_tasks,
    f"{ECS}.DescribeTasks": describe_tasks,
    f"{ECS}.StopTask": stop_task,
    f"{ECS}.ListServiceDeployments": list_service_deployments,
    f"{ECS}.StopServiceDeployment": stop_service_deployment,
    f"{SSM}.DescribeParameters": describe_parameters,
    f"{LOGS}.GetLogEvents": get_log_events,
}


def _require_cluster(ecs: Ecs, asked: dict) -> None:
    if asked.get("cluster") != ecs.stack.name:
        raise Refused("ClusterNotFoundException", "Cluster not found.")


def _service(ecs: Ecs, tags: bool) -> dict:
    service = ecs.service
    running, pending = counts(service.tasks)
    shown = {
        "serviceArn": ecs.arn(f"service/{ecs.stack.name}/{ecs.stack.name}"),
        "serviceName": ecs.stack.name,
        "status": "ACTIVE",
        "desiredCount": service.desired,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": service.revision,
        "deployments": [_deployment(ecs, each) for each in service.deployments],
        "events": [
            {"id": f"{at:.6f}", "createdAt": at, "message": f"(service {ecs.stack.name}) {text}"}
            for at, text in service.events[:EVENTS]
        ],
    }
    return shown | ({"tags": [{"key": name, "value": value} for name, value in ecs.tags.items()]} if tags else {})


def _deployment(ecs: Ecs, deployment: Deployment) -> dict:
    running, pending = counts([task for task in ecs.service.tasks if task.deployment == deployment.id])
    is_primary = deployment is ecs.service.primary
    return {
        "id": deployment.id,
        "status": "PRIMARY" if is_primary else "ACTIVE",
        "taskDefinition": deployment.revision,
        "desiredCount": ecs.service.desired if is_primary else 0,
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": deployment.failed,
        "rolloutState": deployment.state,
        "rolloutStateReason": deployment.reason or f"ECS deployment {deployment.id} {deployment.state.lower()}.",
        "createdAt": deployment.created,
        "updatedAt": deployment.updated,
    }


def _task(ecs: Ecs, task: ContainerTask) -> dict:
    containers = []
    for each in task.definition["containerDefinitions"]:
        code = task.exit_code(each["name"])
        health = {"healthStatus": task.container_health(each["name"])}
        containers.append({"name": each["name"], **health, **({} if code is None else {"exitCode": code})})
    return {
        "taskArn": _task_arn(ecs, task),
        "taskDefinitionArn": task.definition["taskDefinitionArn"],
        "lastStatus": task.status,
        "healthStatus": task.health,
        "stoppedReason": task.reason,
        "startedBy": task.deployment,
        "containers": containers,
    }


def _task_arn(ecs: Ecs, task: ContainerTask) -> str:
    return ecs.arn(f"task/{ecs.stack.name}/{task.id}")


def _deployment_arn(ecs: Ecs, deployment: Deployment) -> str:
    return ecs.arn(f"service-deployment/{ecs.stack.name}/{ecs.stack.name}/{deployment.id.rpartition('/')[2]}")


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = CALLS.get(self.headers["X-Amz-Target"])
        try:
            if call is None:
                raise Refused("UnknownOperationException", f"{self.headers['X-Amz-Target']} is not known to the rehearsal")
            with self.server.ecs.lock:
                status, answer = 200, call(self.server.ecs, asked)
        except Refused as error:
            kind, message = error.args
            status, answer = 400, {"__type": kind, "message": message}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", FORM)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serve(ecs: Ecs) -> Iterator[str]:
    """Answer for a cluster; the URL for AWS_ENDPOINT_URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.ecs = ecs
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
