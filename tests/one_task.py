"""A stand-in for Amazon ECS with services of one task, a container of the image that a release names.

As a program it is `aws` for jobs: it answers `aws ecs` and `aws ssm describe-parameters`, and hands every other call to the
next `aws` on PATH. The new task replaces the old one at once: deploy/rehearsal has the stand-in that rolls out under traffic.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

STATE = "one_task.json"
ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/{}:{}"
SECONDS = 60


class Services:
    """What is kept beside the program in `folder`: name of a service → address, revisions, container and its port."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE

    def all(self) -> dict[str, dict]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def keep(self, name: str, service: dict) -> None:
        self.path.write_text(json.dumps(self.all() | {name: service}))

    def app(self, name: str) -> dict:
        """The container `app` of the revision that is live."""
        return app_of(self.all()[name])


def app_of(service: dict) -> dict:
    return service["revisions"][service["live"] - 1]["containerDefinitions"][0]


def install(folder: Path) -> Services:
    """Put the program `aws` into a folder of programs."""
    program = folder / "aws"
    program.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    return Services(folder)


@contextmanager
def make_service(services: Services, name: str) -> Iterator[None]:
    """A service without tasks behind an address; its container is removed at the end."""

    class Balancer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = fetch(services.all()[name].get("port"), self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Balancer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = {"family": name, "containerDefinitions": [{"name": "app", "image": "placeholder", "environment": []}]}
    services.keep(name, {"url": f"http://127.0.0.1:{server.server_port}", "revisions": [base], "live": 1})
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        stop(services.all()[name])


def fetch(port: int | None, path: str) -> tuple[int, bytes]:
    """Status and body of the task's answer; 503 without a task that answers."""
    if port is None:
        return 503, b""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 503, b""


def stop(service: dict) -> None:
    if service.get("container"):
        subprocess.run(["docker", "rm", "--force", "--volumes", service["container"]], capture_output=True, check=True)


def start(service: dict) -> None:
    """Run the container of the live revision, and wait until it is ready."""
    app = app_of(service)
    said = [part for each in app["environment"] for part in ("--env", f"{each['name']}={each['value']}")]
    command = [
        "docker",
        "run",
        "--detach",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--publish",
        "127.0.0.1::8080",
        *said,
        app["image"],
    ]
    service["container"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    listed = subprocess.run(["docker", "port", service["container"], "8080"], capture_output=True, text=True, check=True)
    service["port"] = int(listed.stdout.split()[0].rpartition(":")[2])
    deadline = time.monotonic() + SECONDS
    while fetch(service["port"], "/readyz")[0] != 200:
        if time.monotonic() > deadline:
            raise SystemExit("the task did not become ready")
        time.sleep(0.1)


def described(name: str, service: dict) -> dict:
    count = int("container" in service)
    deployment = {"id": f"ecs-svc/{service['live']}", "status": "PRIMARY", "rolloutState": "COMPLETED"}
    deployment |= {"taskDefinition": ARN.format(name, service["live"]), "desiredCount": count, "runningCount": count}
    tags = [{"key": "slipway:url", "value": service["url"]}, {"key": "slipway:tasks", "value": "1"}]
    return {"status": "ACTIVE", "desiredCount": count, "tags": tags, "deployments": [deployment], "events": []}


def answer(services: Services, operation: str, options: dict[str, str]) -> dict:
    known = services.all()
    if operation == "describe-parameters":
        return {"Parameters": []}
    if operation == "describe-services":
        name = options["--services"]
        found = [described(name, known[name])] if name in known else []
        return {"services": found, "failures": [] if found else [{"reason": "MISSING"}]}
    if operation == "describe-task-definition":
        name, _, number = options["--task-definition"].rpartition("/")[2].partition(":")
        return {"taskDefinition": known[name]["revisions"][int(number) - 1]}
    if operation == "register-task-definition":
        document = json.loads(options["--cli-input-json"])
        name = document["family"]
        known[name]["revisions"].append(document)
        services.keep(name, known[name])
        return {"taskDefinition": {"taskDefinitionArn": ARN.format(name, len(known[name]["revisions"]))}}
    if operation == "update-service":
        name = options["--service"]
        stop(known[name])
        known[name]["live"] = int(options["--task-definition"].rpartition(":")[2])
        start(known[name])
        services.keep(name, known[name])
        return {"service": described(name, known[name])}
    raise SystemExit(f"aws {operation}: not known to this stand-in")


def main(arguments: list[str]) -> None:
    here = Path(__file__).resolve().parent
    if arguments[0] not in ("ecs", "ssm"):
        others = os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if Path(each).resolve() != here)
        program = shutil.which("aws", path=others)
        assert program, "the AWS command line is in requirements-dev.txt"
        os.execv(program, ["aws", *arguments])
    print(json.dumps(answer(Services(here), arguments[1], dict(zip(arguments[2::2], arguments[3::2])))))


if __name__ == "__main__":
    main(sys.argv[1:])
