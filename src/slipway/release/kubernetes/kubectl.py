"""kubectl in one namespace, and what to do about its errors."""

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError

MANAGER = "slipway-release"  # of the fields that a release sets; apply removes those that it no longer sets
SECONDS = 120
NOISE = re.compile(r"Warning:|[EIW][0-9]{4} ")  # the second is a log of kubectl itself
PREFIX = re.compile(r"^(error: |Error from server( \(\w+\))?: )+", re.MULTILINE)


class Conflict(ReleaseError):
    """Somebody changed an object after it was read."""


UNREACHABLE = "Check the step that logs in at the cluster, and that the cluster can be reached from here"

# The first that is found in the text of an error: its kind, and the cure.
CURES: tuple[tuple[str, type[ReleaseError], str], ...] = (
    ("the object has been modified", Conflict, "Run the job again"),
    (
        "cannot (get|list|create|patch) resource",
        ReleaseError,
        "An administrator of the cluster applies deploy/kubernetes/access.yaml and gives its role to this user",
    ),
    (
        "failed calling webhook",
        ReleaseError,
        "A webhook in the cluster does not answer: look at its pods, then run the job again",
    ),
    ("Unauthorized|You must be logged in|getting credentials", ReleaseError, "Log in at the cluster again"),
    ('namespaces? ".*" not found', ReleaseError, "An administrator of the cluster applies deploy/kubernetes/access.yaml"),
    (
        "no matches for kind|doesn't have a resource type",
        ReleaseError,
        "The cluster lacks a controller that the overlay needs; its page in docs/ names it",
    ),
    (
        r"connection reset|connection lost|leader changed|request timed out|\((Timeout|TooManyRequests|InternalError)\)",
        ReleaseError,
        "Run the job again",
    ),
    (
        "Unable to connect|connection refused|no such host|i/o timeout|deadline exceeded|TLS handshake|ServiceUnavailable|"
        "was refused|current-context|apiserver not ready|EOF",
        ReleaseError,
        UNREACHABLE,
    ),
)


@dataclass(frozen=True)
class Kubectl:
    """Runs ``kubectl``.

    Parameters
    ----------
    namespace : str
        Of all that is asked for.
    """

    namespace: str

    def __call__(self, *arguments: str, content: str = "") -> str:
        """Standard output of ``kubectl ARGUMENTS``; `content` is its standard input.

        Raises
        ------
        Conflict
            If an object is no longer the one that was read.
        ReleaseError
            If kubectl is not there, or fails otherwise.
        """
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        try:
            done = subprocess.run(command, input=content, capture_output=True, text=True, timeout=SECONDS)
        except FileNotFoundError as error:
            raise ReleaseError("kubectl is not installed", "Install version 1.30 or newer") from error
        except subprocess.TimeoutExpired as error:
            raise ReleaseError(f"kubectl {arguments[0]}: no answer within {SECONDS} s", UNREACHABLE) from error
        if done.returncode:
            raise failure(arguments[0], done.stderr)
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What ``kubectl ARGUMENTS --output=json`` prints, parsed; None if it prints nothing."""
        text = self(*arguments, "--output=json")
        return json.loads(text) if text.strip() else None

    def find(self, kind: str, name: str) -> Any:
        """An object, and who manages its fields; None if there is none."""
        return self.json("get", kind, name, "--ignore-not-found", "--show-managed-fields")

    def apply(self, *arguments: str, content: str = "") -> str:
        """Server-side apply: what git says wins over what was changed by hand."""
        options = ("--server-side", "--force-conflicts", f"--field-manager={MANAGER}")
        return self("apply", *options, *arguments, content=content)


def failure(command: str, said: str) -> ReleaseError:
    """The error for what kubectl said on standard error."""
    lines = [line for line in PREFIX.sub("", said).splitlines() if line.strip() and not NOISE.match(line)]
    text = f"kubectl {command}: {' '.join(lines).rstrip('.') or 'failed without a word'}"
    for pattern, kind, cure in CURES:
        if re.search(pattern, said):
            return kind(text, cure)
    return ReleaseError(text)
