"""So much of the Kubernetes API, over HTTP, that the real kubectl can look, apply and be refused; `kube.Cluster` keeps it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from kube import Cluster

KINDS = {
    "v1": ("Service", "ServiceAccount", "Secret", "Pod"),
    "apps/v1": ("Deployment", "ReplicaSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "policy/v1": ("PodDisruptionBudget",),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
}
PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}
NAMES = {PLURALS.get(kind, kind.lower() + "s"): kind for kinds in KINDS.values() for kind in kinds}
OBJECT = re.compile(r"/apis?/.+/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)(/(?P<name>[^/]+))?")


@contextmanager
def serve_api(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that answers for a cluster."""

    class Handler(ApiHandler):
        state = cluster

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield kubeconfig(folder, server.server_address[1])
        server.shutdown()


def kubeconfig(folder: Path, port: int) -> Path:
    """A file that leads kubectl to a port of this machine."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "here", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


class ApiHandler(BaseHTTPRequestHandler):
    """Discovery, one object, a list of pods, and server-side apply."""

    protocol_version = "HTTP/1.1"
    state: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        found = OBJECT.fullmatch(path)
        if found and found["name"]:
            kind = NAMES[found["plural"]].lower()
            self._answer(
                self.state.find(kind, found["name"]) or refusal(404, "NotFound", f'{found["plural"]} "slipway" not found')
            )
        elif found:
            pods = found["plural"] == "pods"
            listed = {"kind": "PodList" if pods else "ReplicaSetList", "apiVersion": "v1" if pods else "apps/v1"}
            items = self.state.pods() if pods else self.state.replica_sets()
            self._answer(listed | {"metadata": {}, "items": items})
        else:
            self._answer(discovery(path))

    def do_PATCH(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        asked = parse_qs(urlsplit(self.path).query)
        if asked["fieldManager"] == ["slipway-confirmed"]:
            ((name, value),) = json.loads(content)["metadata"]["annotations"].items()
            return self._answer(self.state.note("deployment", name, value))
        if self.headers["Content-Type"] != "application/apply-patch+yaml" or asked["fieldManager"] != ["slipway-release"]:
            return self._answer(refusal(415, "UnsupportedMediaType", "this is not what a release does"))
        document = yaml.safe_load(content)
        if error := self.state.on_call(["apply", document["kind"], *asked.get("dryRun", [])]):
            return self._answer(refusal(403, "Forbidden", error))
        if error := self.state.conflict(document):
            return self._answer(refusal(409, "Conflict", error))
        self._answer(document if "dryRun" in asked else self.state.put(document))

    def _answer(self, document: dict) -> None:
        body = json.dumps(document).encode()
        self.send_response(document.get("code", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def refusal(code: int, reason: str, message: str) -> dict:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


def discovery(path: str) -> dict:
    """Which kinds there are, and that the server checks their fields."""
    groups = {("api/v1" if group == "v1" else f"apis/{group}"): group for group in KINDS}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        versions = [{"groupVersion": group, "version": group.partition("/")[2]} for group in KINDS if group != "v1"]
        names = [each["groupVersion"].partition("/")[0] for each in versions]
        listed = [
            {"name": name, "versions": [each], "preferredVersion": each} for name, each in zip(names, versions, strict=True)
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    if path == "/openapi/v3":
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=1"} for place in groups}}
    group = groups.get(path.removeprefix("/openapi/v3/").strip("/"))
    if group is None:
        return refusal(404, "NotFound", "the server could not find the requested resource")
    own = {name: kind for name, kind in NAMES.items() if kind in KINDS[group]}
    if path.startswith("/openapi"):
        return {"openapi": "3.0.0", "info": {}, "paths": {f"/{name}": operation(group, kind) for name, kind in own.items()}}
    verbs = ["get", "list", "create", "patch"]
    resources = [
        {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs} for name, kind in own.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources}


def operation(group: str, kind: str) -> dict:
    known = {"group": group.rpartition("/")[0], "version": group.rpartition("/")[2], "kind": kind}
    parameters = [{"name": name, "in": "query"} for name in ("dryRun", "fieldValidation")]
    return {"patch": {"x-kubernetes-group-version-kind": known, "parameters": parameters, "responses": {}}}
