"""What the pods of a release say when it does not get ready."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.kubernetes.kubectl import Kubectl
from slipway.release.kubernetes.workload import CONTAINER, NAME
from slipway.release.public_log import may_show_logs

MOST = 2  # pods that are shown: the others say the same
LINES = 10


def pod_report(kubectl: Kubectl, release: str) -> Iterator[str]:
    """Lines about the pods of a release that are not ready: their state, and the end of their log."""
    try:
        found = kubectl.json("get", "pods", f"--selector=app.kubernetes.io/name={NAME}") or {"items": []}
    except ReleaseError as error:
        yield f"  the pods cannot be listed: {error.cause}"
        return
    own = [pod for pod in found["items"] if (pod["metadata"].get("annotations") or {}).get("slipway/release") == release]
    waiting = [pod for pod in own if _condition(pod, "Ready").get("status") != "True"]
    if not own:
        yield "  there is no pod of it"
    for pod in waiting[:MOST]:
        name = pod["metadata"]["name"]
        yield f"  {name}: {'; '.join(_states(pod)) or pod['status'].get('phase', 'unknown')}"
        yield from (f"  {name}: | {line}" for line in _log(kubectl, pod))


def _states(pod: Mapping[str, Any]) -> Iterator[str]:
    """Why a pod is not ready, in Kubernetes' words."""
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"not scheduled ({scheduled.get('message', '')})"
    for container in pod["status"].get("containerStatuses", []):
        if waits := container.get("state", {}).get("waiting"):
            yield " ".join(filter(None, (waits.get("reason", "waiting"), waits.get("message", ""))))
        for key in ("state", "lastState"):
            if ended := container.get(key, {}).get("terminated"):
                yield f"ended with exit code {ended.get('exitCode')} ({ended.get('reason', '')})"
        if container.get("state", {}).get("running") and not container.get("ready"):
            yield f"runs, but /readyz does not answer with 200 ({container.get('restartCount', 0)} restarts)"
    for gate in pod["spec"].get("readinessGates", []):
        if _condition(pod, gate["conditionType"]).get("status") != "True":
            yield f"the load balancer has not confirmed it ({gate['conditionType']})"


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = [each for each in pod["status"].get("conditions", []) if each["type"] == kind]
    return found[0] if found else {}


def _log(kubectl: Kubectl, pod: Mapping[str, Any]) -> list[str]:
    """The end of its log; that of the container before, if the next one waits for its turn."""
    status: Mapping[str, Any] = next(
        (each for each in pod["status"].get("containerStatuses", []) if each["name"] == CONTAINER), {}
    )
    waits = "waiting" in status.get("state", {})
    if not status or waits and not status.get("restartCount"):
        return []  # it never ran
    if not may_show_logs():
        return [f"its log: kubectl --namespace {kubectl.namespace} logs {pod['metadata']['name']}"]
    arguments = ("logs", pod["metadata"]["name"], f"--container={CONTAINER}", f"--tail={LINES}")
    with suppress(ReleaseError):
        return kubectl(*arguments, *(("--previous",) if waits else ())).splitlines()
    return []
