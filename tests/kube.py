"""Kubernetes without a cluster: overlays as kubectl renders them, and a cluster that keeps what is applied."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from slipway.release.clock import Cancelled, Clock

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = "b" * 64
MANIFESTS = ROOT / "deploy" / "kubernetes"
KUBECTL = Path(sys.executable).with_name("kubectl")
run = subprocess.run  # the real one, whatever a test puts in its place


def render(folder: Path) -> list[dict]:
    """The documents that ``kubectl kustomize`` makes of a folder."""
    text = run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=True, timeout=60).stdout
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@cache
def overlay(name: str) -> list[dict]:
    """The documents of an overlay of deploy/kubernetes; nobody changes them."""
    return render(MANIFESTS / name)


def only(documents: list[dict], kind: str) -> dict:
    """The one document of a kind."""
    (found,) = [each for each in documents if each["kind"] == kind]
    return found


@dataclass
class Cluster:
    """What ``kubectl`` answers in the place of a cluster: it keeps objects, and rolls a Deployment out look by look.

    A real one is stricter: it checks schemas, rights and admission. Here apply removes what the last one set and this one does
    not, and leaves what others set; an apply with another resource version than the last is refused.

    Parameters
    ----------
    broken : set of str
        Digests of images that never get ready.
    on_call : callable
        Called with the arguments of each call, before it is answered; may return the text of an error.
    """

    broken: set[str] = field(default_factory=set)
    on_call: Callable[[list[str]], str | None] = lambda arguments: None
    replicas: int = 2
    objects: dict[tuple[str, str], dict] = field(default_factory=dict)
    templates: list[dict] = field(default_factory=list)  # of all ReplicaSets
    calls: list[list[str]] = field(default_factory=list)
    count: int = 0
    last: tuple[str, list[dict]] = ("", [])
    applied: dict[tuple[str, str], dict] = field(default_factory=dict)
    serving: dict = field(default_factory=dict)  # the Deployment whose pods answer

    def __call__(self, command: list[str], input: str = "", **options: Any) -> subprocess.CompletedProcess:
        """In the place of subprocess.run."""
        program, _, self.namespace, *arguments = command
        assert program == "kubectl" and options["timeout"]
        self.calls.append(arguments)
        if error := self.on_call(arguments):
            return subprocess.CompletedProcess(command, 1, "", error)
        code, out, err = getattr(self, arguments[0])(arguments[1:], input)
        return subprocess.CompletedProcess(command, code, out, err)

    def get(self, arguments: list[str], content: str) -> tuple[int, str, str]:
        if arguments[0] == "pods":
            return 0, json.dumps({"items": self.pods()}), ""
        if arguments[0] == "replicasets":
            return 0, json.dumps({"items": self.replica_sets()}), ""
        found = self.find(arguments[0].partition("s.")[0], arguments[1])
        if found is None:
            return 0, "", ""
        return 0, found["metadata"]["resourceVersion"] if "jsonpath" in arguments[-1] else json.dumps(found), ""

    def find(self, kind: str, name: str) -> dict | None:
        """An object; a Deployment moves on before somebody looks at it."""
        found = self.objects.get((kind, name))
        if found and kind == "deployment":
            self.advance(found)
        return found

    def logs(self, arguments: list[str], content: str) -> tuple[int, str, str]:
        return 0, "slipway: no champion\nRun slipway train\n", ""

    def apply(self, arguments: list[str], content: str) -> tuple[int, str, str]:
        assert {"--server-side", "--force-conflicts", "--field-manager=slipway-release"} <= set(arguments)
        if "--kustomize" in arguments:
            documents = self._rendered(Path(arguments[arguments.index("--kustomize") + 1]))
        else:
            documents = [json.loads(content)]
        chosen = [each.partition("=")[2] for each in arguments if each.startswith("--selector=")]
        documents = [each for each in documents if all(selected(each, selector) for selector in chosen)]
        said = ""
        for each in documents:
            if error := self.conflict(each):
                said += f"error: Apply failed: {error}; please apply your changes to the latest version\n"
            elif "--dry-run=server" not in arguments:
                self.put(each)  # as kubectl does, which goes on after an error
        return bool(said), "" if said else json.dumps({"kind": "List", "items": documents}), said

    def annotate(self, arguments: list[str], content: str) -> tuple[int, str, str]:
        name, _, value = arguments[2].partition("=")
        self.note(arguments[0], name, value)
        return 0, "", ""

    def note(self, kind: str, name: str, value: str) -> dict:
        """Set an annotation of an object; another version of it, but no other generation."""
        self.count += 1
        metadata = self.objects[(kind, "slipway")]["metadata"]
        metadata["annotations"] = metadata.get("annotations", {}) | {name: value}
        metadata["resourceVersion"] = str(self.count)
        return self.objects[(kind, "slipway")]

    def conflict(self, document: dict) -> str:
        """Why a document does not apply to what is there now."""
        live, known = self.objects.get(place(document)), document["metadata"].get("resourceVersion")
        if not known or (live and live["metadata"]["resourceVersion"] == known):
            return ""
        return f'Operation cannot be fulfilled on {document["kind"]} "slipway": the object has been modified'

    def _rendered(self, folder: Path) -> list[dict]:
        text = (folder / "kustomization.yaml").read_text()
        if text != self.last[0]:
            self.last = text, render(folder)
        return self.last[1]

    def put(self, document: dict) -> dict:
        """Keep an object, as apply does."""
        live = self.objects.get(place(document), {"metadata": {"generation": 0}, "status": {}})
        new = copy.deepcopy(document) | {"status": live["status"]}
        last, self.applied[place(document)] = self.applied.get(place(document), {}), copy.deepcopy(document)
        if "spec" in new:
            new["spec"] = merged(live.get("spec"), last.get("spec"), new["spec"])
        changed = live.get("spec") is None or new.get("spec") != live["spec"]
        self.count += changed
        for name in ("annotations", "managedFields"):  # of other managers
            if kept := live["metadata"].get(name):
                new["metadata"][name] = kept | new["metadata"].get(name, {}) if name == "annotations" else kept
        new["metadata"]["generation"] = live["metadata"]["generation"] + changed
        new["metadata"]["resourceVersion"] = str(self.count) if changed else live["metadata"]["resourceVersion"]
        if new["kind"] == "Deployment":
            new["spec"]["replicas"] = self.replicas
            if new["spec"]["template"] not in self.templates:
                self.templates.append(new["spec"]["template"])
            if changed:
                old = live["status"].get("replicas", 0)
                new["status"] = {"observedGeneration": 0, "replicas": old, "availableReplicas": old, "updatedReplicas": 0}
                self.serving = self.serving or new
        self.objects[place(new)] = new
        return new

    def advance(self, deployment: dict) -> None:
        """One step of a rollout: a new pod gets ready and an old one leaves, or none does and time passes."""
        status, wanted = deployment["status"], deployment["spec"]["replicas"]
        if status["observedGeneration"] != deployment["metadata"]["generation"]:
            status["observedGeneration"] = deployment["metadata"]["generation"]
            return
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        if image.partition("@")[2] in self.broken:
            late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
            since = [each["lastUpdateTime"] for each in status.get("conditions", []) if each["reason"] == late["reason"]]
            late["lastUpdateTime"] = since[0] if since else f"2026-11-22T12:00:{self.count:02}Z"
            status["conditions"] = [late | {"message": 'ReplicaSet "slipway-1" has timed out progressing.'}]
        elif status["updatedReplicas"] < wanted:
            status["updatedReplicas"] += 1
            status["replicas"] = status["availableReplicas"] = wanted
            status.pop("conditions", None)
            self.serving = deployment

    def replica_sets(self) -> list[dict]:
        """One of each template, with the label that only the cluster sets."""
        found = []
        for number, template in enumerate(copy.deepcopy(self.templates), 1):
            template["metadata"]["labels"]["pod-template-hash"] = str(number)
            metadata = {"name": f"slipway-{number}", "annotations": {"deployment.kubernetes.io/revision": str(number)}}
            found.append({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {"template": template}})
        return found

    def pods(self) -> list[dict]:
        template = self.objects[("deployment", "slipway")]["spec"]["template"]
        waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
        ended = {"terminated": {"exitCode": 5, "reason": "Error"}}
        status = {"name": "app", "ready": False, "restartCount": 3, "state": waits, "lastState": ended}
        metadata = {"name": "slipway-1-x", "annotations": template["metadata"]["annotations"]}
        ready = {"type": "Ready", "status": "False"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}
        return [pod | {"status": {"conditions": [ready], "containerStatuses": [status]}}]

    def set_secret(self) -> None:
        """Write the settings, in another version than before."""
        self.count += 1
        metadata = {"name": "slipway-settings", "resourceVersion": f"secret-{self.count}"}
        self.objects[("secret", "slipway-settings")] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}

    def noted(self) -> dict[str, str]:
        """The annotations of the pods that are wanted."""
        return self.objects[("deployment", "slipway")]["spec"]["template"]["metadata"]["annotations"]

    def answers(self) -> str:
        """Id of the release whose pods answer."""
        return self.serving["spec"]["template"]["metadata"]["annotations"]["slipway/release"]


class Time(Clock):
    """Time that passes when somebody waits for it."""

    def __init__(self, on_pause: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.seconds, self.on_pause = 0.0, on_pause

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.001)
        self.on_pause()
        if self._ended.is_set():
            raise Cancelled


def write_overlay_of(folder: Path, url: str, base: str = "base", certmap: str = "own") -> Path:
    """A new overlay with this URL."""
    host = urlsplit(url).hostname
    values = [("Service", "add", "/metadata/annotations", {"slipway/url": url})]
    values += [("Ingress", "replace", "/spec/rules/0/host", host), ("HTTPRoute", "replace", "/spec/hostnames/0", host)]
    values += [("Gateway", "add", "/metadata/annotations/networking.gke.io~1certmap", certmap)]
    patches = [
        {"target": {"kind": kind}, "patch": json.dumps([{"op": step, "path": path, "value": value}])}
        for kind, step, path, value in values
    ]
    kustomization = {"resources": [f"../{base}"], "patches": patches}
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return folder


def merged(live: Any, last: Any, new: Any) -> Any:
    """What server-side apply makes of a value: what `last` set and `new` does not is gone, what others set stays."""
    if isinstance(live, dict) and isinstance(new, dict):
        last = last if isinstance(last, dict) else {}
        kept = {name: value for name, value in live.items() if name not in new and name not in last}
        return {name: merged(live.get(name), last.get(name), value) for name, value in new.items()} | kept
    if (
        isinstance(live, list)
        and isinstance(new, list)
        and all(isinstance(each, dict) and "name" in each for each in live + new)
    ):
        by_name = [{each["name"]: each for each in values or []} for values in (live, last, new)]
        return [*merged(*by_name).values()]
    return new


def selected(document: dict, selector: str) -> bool:
    """Whether an object has a label, or with ``!`` in front, has it not."""
    return (selector.lstrip("!") in document["metadata"].get("labels", {})) != selector.startswith("!")


def place(document: dict) -> tuple[str, str]:
    return document["kind"].lower(), document["metadata"]["name"]
