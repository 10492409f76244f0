"""The `gcloud` program: one call, its answer as JSON, its errors with a cure."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.errors import ReleaseError

SECONDS = 900  # a call that waits for a revision takes as long as its startup probe may
INSTALL = "See https://cloud.google.com/sdk/docs/install"
UP = "Run deploy/cloudrun/up, which makes the service"
RIGHTS = "The release's service account lacks a role that deploy/cloudrun/up gives it: run up again as an administrator"
SIGN_IN = "Log in first: in a workflow with google-github-actions/auth, on your machine with gcloud auth login"
LATER = "Run the job again later"
CURES = (  # the first pattern that the text contains
    (
        r"iam\.service[aA]ccounts\.actAs",
        "The release's service account may not use that of the service: run deploy/cloudrun/up again as an administrator",
    ),
    (
        r"has not been used in project|SERVICE_DISABLED|is not enabled|API \[.*\] not enabled",
        "Run deploy/cloudrun/up, which enables it",
    ),
    (
        r"Image '.*' not found|Google Cloud Run Service Agent .* must have permission to read the image",
        "Check that the image is in an Artifact Registry repository of this project",
    ),
    (r"Cannot find service|could not be found|NOT_FOUND", UP),
    (r"PERMISSION_DENIED|does not have permission|Permission '.*' denied|IAM_PERMISSION_DENIED", RIGHTS),
    (
        r"Invalid account [tT]ype for",
        "The service is private: set GCP_SERVICE_ACCOUNT to the release's service account, which this login may act as",
    ),
    (
        r"do not currently have an active account|[Rr]eauthenticat|invalid_grant|credentials|UNAUTHENTICATED|Invalid account",
        SIGN_IN,
    ),
    (
        r"failed to start and listen|startup probe|health check|HealthCheckContainerFailed|is not ready",
        "The log that the message names has the reason",
    ),
)
PASSING = re.compile(
    r"UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|[Cc]onflict for resource|RESOURCE_EXHAUSTED|Quota exceeded|INTERNAL"
    r"|50[0234]\b|429\b|[Tt]imed? ?out|Connection (reset|refused|aborted)|Unable to (connect|find the server)"
)
NOISE = re.compile(r"ERROR: (\([\w.-]+\) )?")


class GcloudError(ReleaseError):
    """A call that failed; `passing` if the same call may succeed a little later."""

    def __init__(self, cause: str, cure: str, passing: bool = False) -> None:
        super().__init__(cause, cure)
        self.passing = passing


@dataclass(frozen=True)
class Gcloud:
    """Runs ``gcloud`` in one project.

    Parameters
    ----------
    project : str
        Id.
    environ : mapping
        With the credentials, as the program itself reads them.
    """

    project: str
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __call__(self, *arguments: str) -> Any:
        """The answer, an empty one as None; GcloudError if the call fails or takes too long."""
        text = self.text(*arguments, "--format=json")
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise GcloudError(f"{_named(arguments)}: the answer is not JSON ({error})", LATER, passing=True) from error

    def text(self, *arguments: str) -> str:
        """What the program prints, such as a token."""
        try:
            done = subprocess.run(
                ("gcloud", *arguments, f"--project={self.project}", "--quiet"),
                env={name: value for name, value in self.environ.items() if name != "PYTHONPATH"},  # it is a Python of its own
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                start_new_session=True,  # a signal to the job must not end a call half-way
            )
        except FileNotFoundError as error:
            raise GcloudError("the program gcloud is not installed", INSTALL) from error
        except subprocess.TimeoutExpired as error:
            raise GcloudError(f"{_named(arguments)}: no answer within {SECONDS} s", LATER, passing=True) from error
        if done.returncode:
            raise failure(_named(arguments), done.stderr.decode(errors="replace"))
        return done.stdout.decode().strip()


def failure(named: str, text: str) -> GcloudError:
    """The error of a call, from what the program wrote to standard error: its last message, without the progress before it."""
    said = " ".join(NOISE.sub("", text[text.rfind("ERROR:") :] if "ERROR:" in text else text).split()).rstrip(".")
    cure = next((cure for pattern, cure in CURES if re.search(pattern, said)), "")
    passing = not cure and bool(PASSING.search(said))
    return GcloudError(f"{named}: {said or 'it failed without a word'}", LATER if passing else cure, passing)


def _named(arguments: tuple[str, ...]) -> str:
    words = [each for each in arguments if not each.startswith("-")]
    return " ".join(("gcloud", *words[:3]))
