"""The `gcloud` program: one call, its answer as JSON, its errors with a cure."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.release.cloud_program import LATER, CallError, CloudProgram

SECONDS = 900  # a call that waits for a revision takes as long as its startup probe may
INSTALL = "See https://cloud.google.com/sdk/docs/install"
UP = "Run deploy/cloudrun/up, which makes the service"
RIGHTS = "The release's service account lacks a role that deploy/cloudrun/up gives it: run up again as an administrator"
SIGN_IN = "Log in first: in a workflow with google-github-actions/auth, on your machine with gcloud auth login"
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


class GcloudError(CallError):
    """A call of Google Cloud that failed."""


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
        return GCLOUD.json(
            _named(arguments), *arguments, "--format=json", *self._usual(), seconds=SECONDS, environ=self._own()
        )

    def text(self, *arguments: str) -> str:
        """What the program prints, such as a token."""
        return GCLOUD.text(_named(arguments), *arguments, *self._usual(), seconds=SECONDS, environ=self._own())

    def _usual(self) -> tuple[str, str]:
        return f"--project={self.project}", "--quiet"

    def _own(self) -> dict[str, str]:
        """The environment without that of our Python: the program has one of its own."""
        return {name: value for name, value in self.environ.items() if name != "PYTHONPATH"}


def failure(named: str, text: str) -> GcloudError:
    """The error of a call, from what the program wrote to standard error: its last message, without the progress before it."""
    said = " ".join(NOISE.sub("", text[text.rfind("ERROR:") :] if "ERROR:" in text else text).split()).rstrip(".")
    cure = next((cure for pattern, cure in CURES if re.search(pattern, said)), "")
    passing = not cure and bool(PASSING.search(said))
    return GcloudError(f"{named}: {said or 'it failed without a word'}", LATER if passing else cure, passing)


def _named(arguments: tuple[str, ...]) -> str:
    words = [each for each in arguments if not each.startswith("-")]
    return " ".join(("gcloud", *words[:3]))


GCLOUD = CloudProgram("gcloud", INSTALL, GcloudError, failure)
