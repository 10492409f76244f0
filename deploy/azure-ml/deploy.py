"""Makes the request on standard input live on a managed online endpoint of Azure ML; Slipway's docs/azure-ml.md.

    python deploy/azure-ml/deploy.py ENDPOINT --group GROUP --workspace WORKSPACE --repository HOST/REPO < request.json

Each release is a deployment of its own, called after run and key: it gets the traffic once /readyz names it.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.clock import Clock, interruptible
from slipway.release.request import EARLIER, MOST_BYTES, Request, read_request
from slipway.store.local import open_store

TEMPLATE = Path(__file__).with_name("deployment.yml")
NAME = re.compile(r"r(?P<run>[0-9]+)-[0-9a-f]{8}")
CREATE_SECONDS = 1800  # Microsoft says 8 to 14 minutes; with all that follows it must fit into the 60 of a job
READY_SECONDS = 300
IN_A_ROW = 5
WHY_SECONDS = 60  # until az, too, sees what the list says
DRAIN_SECONDS = 60  # answers that the earlier deployment has begun; request_timeout_ms of deployment.yml
PAUSE = 15.0
ENDED = ("Succeeded", "Failed", "Canceled")
RIGHTS = "Check the login, the names and the role AzureML Data Scientist"
HAND = "Look at it in Azure Machine Learning studio under Endpoints"


class AzError(ReleaseError):
    """`az` refused; its message is what Azure said."""


class Endpoint:
    """An endpoint as `az ml` sees it. The folder is its own, for files."""

    def __init__(self, name: str, group: str, workspace: str, folder: Path) -> None:
        self.name, self._file, self._said = name, folder / "deployment.yml", folder / "said"
        self._place = ("--resource-group", group, "--workspace-name", workspace, "--output", "json", "--only-show-errors")
        self._begun: subprocess.Popen | None = None

    def look(self) -> tuple[str, dict[str, int]]:
        """Address that answers, and deployment → percentage of the traffic."""
        found = self._ask("online-endpoint", "show", "--name", self.name)
        return found["scoring_uri"], {name: share for name, share in (found.get("traffic") or {}).items() if share}

    def states(self) -> dict[str, str]:
        """Deployment → its state."""
        found = self._ask("online-deployment", "list", "--endpoint-name", self.name)
        return {each["name"]: each["provisioning_state"] for each in found}

    def key(self) -> str:
        """What the endpoint asks of its callers; never printed."""
        found = self._ask("online-endpoint", "get-credentials", "--name", self.name)
        return found.get("primaryKey") or found["accessToken"]

    def create(self, document: dict) -> None:
        """Begin to create a deployment."""
        self._file.write_text(json.dumps(document), encoding="utf-8")
        self._begin(*self._on("create", document["name"]), "--file", str(self._file))

    def refusal(self, seconds: float = 0) -> str:
        """What Azure said against the deployment that was begun; empty if it said nothing within these seconds."""
        if self._begun is None:
            return ""
        with suppress(subprocess.TimeoutExpired):
            self._begun.wait(seconds)
        if not self._begun.returncode:
            return ""
        return " ".join(self._said.read_text(encoding="utf-8", errors="replace").split())[-1500:] or "az does not say why"

    def delete(self, deployment: str) -> None:
        """Begin to delete a deployment."""
        if self._begun:
            self._begun.terminate()
        self._run(*self._on("delete", deployment), "--yes", "--no-wait")

    def send_traffic(self, deployment: str, *others: str) -> None:
        """All of it to one deployment, and none to the others."""
        shares = " ".join([f"{deployment}=100", *(f"{other}=0" for other in others)])
        self._run("online-endpoint", "update", "--name", self.name, "--traffic", shares)

    def last_words(self, deployment: str) -> str:
        """The end of a deployment's log; empty if there is none."""
        with suppress(AzError):
            return str(self._ask(*self._on("get-logs", deployment), "--lines", "50") or "")
        return ""

    def _on(self, verb: str, deployment: str) -> tuple[str, ...]:
        return ("online-deployment", verb, "--name", deployment, "--endpoint-name", self.name)

    def _begin(self, *words: str) -> None:
        """Without --no-wait: only who waits is told why Azure gave up."""
        with self._said.open("w") as said:
            self._begun = subprocess.Popen(["az", "ml", *words, *self._place], stdout=subprocess.DEVNULL, stderr=said)

    def _ask(self, *words: str):
        try:
            return json.loads(self._run(*words))
        except ValueError as error:  # what it printed may hold a key
            raise AzError(f"az ml {words[0]} {words[1]} printed no JSON", HAND) from error

    def _run(self, *words: str) -> str:
        """What `az` prints; after a change, dots before the JSON, which nobody reads. No signal to the job ends a call."""
        try:
            done = subprocess.run(["az", "ml", *words, *self._place], capture_output=True, text=True, start_new_session=True)
        except FileNotFoundError as error:
            raise AzError("the program az is not installed", "See https://aka.ms/azure-cli") from error
        if done.returncode:
            said = " ".join(done.stderr.split())[-1500:] or f"exit code {done.returncode}"
            raise AzError(f"az ml {words[0]} {words[1]}: {said}", RIGHTS)
        return done.stdout


def ask(url: str, key: str, deployment: str = "") -> tuple[int, dict, str]:
    """Status of /readyz through the endpoint, its document, and the beginning of its text; OSError if nothing answers."""
    place = urlsplit(url)
    connection = (HTTPSConnection if place.scheme == "https" else HTTPConnection)(place.netloc, timeout=30)
    headers = {"Authorization": f"Bearer {key}"} | ({"azureml-model-deployment": deployment} if deployment else {})
    try:
        connection.request("GET", "/readyz", headers=headers)
        answer = connection.getresponse()
        body = answer.read(1 << 16).decode(errors="replace")
        said = json.loads(body)
        return answer.status, said if isinstance(said, dict) else {}, body[:200]
    except ValueError:
        return answer.status, {}, body[:200]
    except HTTPException as error:
        raise OSError(f"the answer is not HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


def run_of(deployment: str) -> int:
    """Run number in the name of a release; 0 for a deployment that is none."""
    return int(found["run"]) if (found := NAME.fullmatch(deployment)) else 0


class Rollout:
    """One release on its way to the endpoint."""

    def __init__(self, endpoint: Endpoint, clock: Clock, image: str, request: Request, bundle: str) -> None:
        self.endpoint, self.clock, self.image, self.request, self.bundle = endpoint, clock, image, request, bundle
        self.name = f"r{request.run_number}-{request.key[:8]}"

    def steps(self) -> Iterator[str]:
        """What happens; the last line begins with ``Result: ``. ReleaseError leaves what served before."""
        url, live = self._look()
        yield f"live: {', '.join(live) or 'nothing yet'}"
        if live != {self.name: 100}:
            try:
                yield from self._prepare(url)
                _, live = self._look()
                yield from self._switch(url, [name for name in live if name != self.name])
            except ReleaseError as error:
                yield from self._undo(error)
                raise
            verb = "is live"
        else:
            self._wait_until_ready(url)
            verb = "is already live"
        yield from self._clean()
        yield f"Result: {self.name} ({self.image}) {verb}"

    def _look(self) -> tuple[str, dict[str, int]]:
        url, live = self.endpoint.look()
        if (newest := max(map(run_of, live), default=0)) > self.request.run_number:
            says = f"run {self.request.run_number} is older than run {newest}, which is live"
            raise ReleaseError(says, f"{EARLIER}, delete the endpoint and create it anew")
        return url, live

    def _prepare(self, url: str) -> Iterator[str]:
        state = self.endpoint.states().get(self.name, "")
        if state in ("Failed", "Canceled", "Deleting"):  # of an earlier attempt
            if state != "Deleting":
                self.endpoint.delete(self.name)
            state = self._follow(gone=True)
        if not state:
            yield f"{self.name}: Azure starts it from {self.image}"
            self.endpoint.create(self._document())
        state = self._follow()
        if state != "Succeeded":
            why = self.endpoint.refusal(WHY_SECONDS)  # before it is deleted
            yield self.endpoint.last_words(self.name)
            raise ReleaseError(f"{self.name} ended as {state}: {why or 'nobody says why'}", "Mend it, and run this again")
        self._wait_until_ready(url, self.name)
        yield f"{self.name}: /readyz names it and its bundle; no traffic yet"

    def _document(self) -> dict:
        document = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
        document |= {"name": self.name, "endpoint_name": self.endpoint.name}
        document["environment"]["image"] = self.image
        document.setdefault("environment_variables", {}).update(SLIPWAY_RELEASE=self.name, SLIPWAY_COMMIT=self.request.commit)
        return document

    def _follow(self, gone: bool = False) -> str:
        """State in which a deployment ends; or until it is gone."""
        until, seen = self.clock.now() + CREATE_SECONDS, ""
        while self.clock.now() < until:
            try:
                seen = state = self.endpoint.states().get(self.name, "")
                if (not state) if gone else (state in ENDED):
                    return state
                if not gone and not state and self.endpoint.refusal():
                    return "Failed"  # before Azure kept anything of it
            except AzError as error:  # one call of many that fails ends no release
                seen = error.cause
            self.clock.pause(PAUSE)
        raise ReleaseError(f"the deployment {self.name} did not end in {CREATE_SECONDS} s: {seen or 'it is not there'}", HAND)

    def _wait_until_ready(self, url: str, deployment: str = "") -> None:
        """Several answers in a row must name this release and the bundle of the commit."""
        key = self.endpoint.key()
        until, in_a_row, seen = self.clock.now() + READY_SECONDS, 0, "no answer"
        while self.clock.now() < until:
            try:
                status, said, text = ask(url, key, deployment)
                if said.get("release") == self.name and said.get("bundle") not in (None, self.bundle):
                    raise ReleaseError(f"{self.name} serves the bundle {said['bundle'][:12]}, not {self.bundle[:12]}", HAND)
                good = status == 200 and said.get("release") == self.name and said.get("bundle") == self.bundle
                seen, in_a_row = f"{status} {text}", in_a_row + 1 if good else 0
            except OSError as error:
                seen, in_a_row = str(error), 0
            if in_a_row == IN_A_ROW:
                return
            self.clock.pause(1.0)
        raise ReleaseError(f"/readyz does not name {self.name} with its bundle after {READY_SECONDS} s: {seen}", HAND)

    def _switch(self, url: str, before: list[str]) -> Iterator[str]:
        self.endpoint.send_traffic(self.name, *before)
        try:
            self._wait_until_ready(url)
        except ReleaseError:
            if before:
                yield f"{self.name} failed with traffic: it goes back to {before[0]}"
                self.endpoint.send_traffic(before[0], *before[1:], self.name)
            raise
        yield f"{self.name}: has all traffic"

    def _undo(self, error: SlipwayError) -> Iterator[str]:
        """Delete what did not go live, unless it has traffic: then Azure says so, and a person decides."""
        yield f"{self.name} failed: {error.cause}"
        try:
            _, live = self.endpoint.look()
            if self.name not in live and self.name in self.endpoint.states():
                self.endpoint.delete(self.name)
                yield f"{self.name}: Azure deletes it"
            yield f"live: {', '.join(live) or 'nothing'}"
        except AzError as again:
            yield f"{self.name} may be left over, and is paid for: {again}"

    def _clean(self) -> Iterator[str]:
        """Delete earlier releases; a deployment that somebody made by hand stays. What cannot be deleted fails no release."""
        others: list[str] = []
        try:
            found = set(self.endpoint.states()) - {self.name}
            others = sorted(each for each in found if 0 < run_of(each) <= self.request.run_number)
            if others:
                self.clock.pause(DRAIN_SECONDS)
            for other in others:
                self.endpoint.delete(other)
                yield f"{other}: Azure deletes it"
        except ReleaseError as error:
            yield f"{', '.join(others)} may be left over until the next release, and is paid for: {error.cause}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("endpoint")
    parser.add_argument("--group", required=True, help="resource group of the workspace")
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--repository", required=True, help="of the image: HOST/REPO")
    asked = parser.parse_args()
    try:
        request = read_request(sys.stdin.buffer.read(MOST_BYTES + 1))
        bundle = open_store(Path()).require_pointer().digest
        with interruptible() as clock, tempfile.TemporaryDirectory() as folder:
            endpoint = Endpoint(asked.endpoint, asked.group, asked.workspace, Path(folder))
            for line in Rollout(endpoint, clock, f"{asked.repository}@{request.digest}", request, bundle).steps():
                print(line, flush=True)
    except SlipwayError as error:
        print(f"Result: FAILED: {' '.join(str(error).split())}", flush=True)
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
