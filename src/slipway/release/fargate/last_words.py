"""What is known of a failed release: its stopped tasks, the service's events, the last lines of its log."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from slipway.release.fargate.aws import AwsError
from slipway.release.fargate.ecs import Ecs, Service
from slipway.release.fargate.revision import APP
from slipway.release.public_log import may_show_logs

TASKS = 3
EVENTS = 5
LINES = 20


def last_words(ecs: Ecs, revision: str, before: Service, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yields lines for a person; a call that fails costs what it would have told, and nothing else.

    Parameters
    ----------
    ecs : Ecs
    revision : str
        ARN of the release's task definition.
    before : Service
        The service before the release: its events are known.
    environ : mapping
        Of the job.
    """
    try:
        events = [text for id, text in ecs.look().events.items() if id not in before.events]
        yield from (f"  event: {text}" for text in reversed(events[:EVENTS]))
        tasks = [each for each in ecs.tasks("STOPPED") if each["taskDefinitionArn"] == revision]
        for task in tasks[:TASKS]:
            yield from _ends(task)
        if tasks:
            yield from _log(ecs, revision, tasks[0], may_show_logs(environ))
    except AwsError as error:
        yield f"  not known: {error}"


def _ends(task: Mapping[str, Any]) -> Iterator[str]:
    id = task["taskArn"].rpartition("/")[2]
    yield f"  task {id[:12]}: {task.get('stoppedReason') or 'stopped without a reason'}"
    for each in task.get("containers", []):
        code = f"exit code {each['exitCode']}" if "exitCode" in each else "never started"
        yield f"  task {id[:12]}: container {each['name']}: {', '.join(filter(None, (code, each.get('reason'))))}"


def _log(ecs: Ecs, revision: str, task: Mapping[str, Any], shown: bool) -> Iterator[str]:
    containers = ecs.definition(revision)["containerDefinitions"]
    options = next(each for each in containers if each["name"] == APP).get("logConfiguration", {}).get("options", {})
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if not group or not prefix:
        return
    id = task["taskArn"].rpartition("/")[2]
    stream = f"{prefix}/{APP}/{id}"
    if not shown:
        yield f"  {APP}: its log is in CloudWatch, group {group}, stream {stream}"
        return
    place = ("--log-group-name", group, "--log-stream-name", stream)
    answer = ecs.aws("logs", "get-log-events", *place, "--limit", str(LINES), "--no-start-from-head")
    yield from (f"  {APP}: {each['message'].rstrip()}" for each in answer["events"])
