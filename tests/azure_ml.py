"""A workspace of Azure ML with one endpoint that answers: what happens to a deployment is decided by its image."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from az_commands import require_known
from slipway.release.clock import Cancelled

KEY = "a-secret-key"


class Workspace:
    """Stands for `az ml`. `crashing`, `wrong` and `deaf` are digits that fill a digest."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.traffic: dict[str, int] = {}
        self.states: dict[str, list[str]] = {}
        self.documents: dict[str, dict] = {}
        self.crashing: set[str] = set()
        self.wrong: set[str] = set()  # another bundle
        self.deaf: set[str] = set()  # answers only where it is asked for by name
        self.refused: list[str] = []  # commands that fail once
        self.refusal = ""  # what who waits for a deployment is told
        self.calls: list[str] = []
        self.asked: list[tuple[str, str]] = []

    def az(self, *words: str):
        """What a call prints, as a document; RuntimeError with what it says."""
        command, given = require_known(words)
        options = {name: " ".join(values) for name, values in given.items()}
        assert options["--resource-group"] == "models" and options["--workspace-name"] == "insurance"
        self.calls.append(command)
        if command in self.refused:
            self.refused.remove(command)
            raise RuntimeError("(Conflict) another operation is under way")
        answer = getattr(self, "_" + command.split(" ", 1)[1].replace(" ", "_").replace("-", "_"))
        return answer(options)

    def _online_endpoint_show(self, options):
        if options["--name"] != "charges":
            raise RuntimeError("(ResourceNotFound) no such endpoint")
        return {"scoring_uri": f"{self.url}/predict", "traffic": dict(self.traffic)}

    def _online_endpoint_get_credentials(self, options):
        return {"primaryKey": KEY, "secondaryKey": "another"}

    def _online_endpoint_update(self, options):
        shares = dict(each.split("=") for each in options["--traffic"].split())
        assert set(shares) <= set(self.states) and sum(map(int, shares.values())) == 100
        self.traffic = {name: int(share) for name, share in shares.items()}

    def _online_deployment_list(self, options):
        found = [{"name": name, "provisioning_state": states[0]} for name, states in self.states.items()]
        for name, states in list(self.states.items()):
            if len(states) > 1:
                states.pop(0)
            if states == ["Gone"]:
                del self.states[name]
        return found

    def _online_deployment_create(self, options):
        document = json.loads(Path(options["--file"]).read_text())
        name = options["--name"]
        assert document["name"] == name and name not in self.states
        self.documents[name] = document
        digit = document["environment"]["image"][-1]
        self.states[name] = ["Creating", "Creating", "Failed" if digit in self.crashing else "Succeeded"]
        self.refusal = "(OutOfQuota) Not enough quota available" if digit in self.crashing else ""

    def _online_deployment_delete(self, options):
        assert not self.traffic.get(options["--name"]), "Azure refuses to delete what has traffic"
        self.states[options["--name"]] = ["Deleting", "Gone"]

    def _online_deployment_get_logs(self, options):
        return "Traceback: no bundle"

    def readyz(self, deployment: str) -> tuple[int, dict]:
        """What the release that a request reaches says of itself."""
        by_traffic = next((name for name, share in self.traffic.items() if share), "")
        document = self.documents.get(deployment or by_traffic)
        if document is None:
            return 404, {}
        digit = document["environment"]["image"][-1]
        if digit in self.deaf and not deployment:
            return 424, {}
        bundle = "f" * 64 if digit in self.wrong else "b" * 64
        return 200, {"status": "ready", "bundle": bundle, "release": document["environment_variables"]["SLIPWAY_RELEASE"]}


class Time:
    """A clock that passes when somebody waits; `ends` is when the job is cancelled."""

    def __init__(self) -> None:
        self.passed, self.ends = 0.0, float("inf")

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        self.passed += seconds
        if self.passed >= self.ends:
            raise Cancelled


@contextmanager
def answering(workspace: Workspace) -> Iterator[None]:
    """The endpoint's address, on a port of its own; only callers with the key are answered."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            deployment = self.headers.get("azureml-model-deployment", "")
            workspace.asked.append((self.path, deployment))
            status, said = workspace.readyz(deployment) if self.path == "/readyz" else (404, {})
            if self.headers["Authorization"] != f"Bearer {KEY}":
                status, said = 401, {}
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        workspace.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
