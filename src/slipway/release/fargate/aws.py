"""The `aws` program: one call, its answer as JSON, its errors with a cure."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.release.clock import Clock
from slipway.release.cloud_program import LATER, CallError, CloudProgram

PAUSE = 5.0
SECONDS = 150  # more than its own retries take
LIMITS = ("--cli-connect-timeout", "10", "--cli-read-timeout", "60")
DEFAULTS = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "4"}
SAID = re.compile(r"An error occurred \((?P<code>[\w.]+)\)[^:]*: (?P<text>.*)", re.DOTALL)

UP = "Run deploy/fargate/up, which makes the service"
RIGHTS = "The deploy role lacks a permission: run deploy/fargate/up again; with CodePipeline, deploy its stack again"
SIGN_IN = "Take a role first: in a workflow with aws-actions/configure-aws-credentials and AWS_DEPLOY_ROLE_ARN"
CURES = (  # the first pattern that the code, or without one the text, contains
    (re.compile(r"AccessDenied|UnauthorizedOperation|NotAuthorized"), RIGHTS),
    (re.compile(r"ExpiredToken|UnrecognizedClient|InvalidClientTokenId|[Uu]nable to locate credentials|SSO"), SIGN_IN),
    (re.compile(r"ClusterNotFound|ServiceNotFound|ServiceNotActive"), UP),
    (re.compile(r"specify a region"), "Set AWS_REGION"),
    (re.compile(r"RepositoryNotFound"), "Check ECR_REPOSITORY_NAME and AWS_ECR_LOGIN_URI"),
)
PASSING = re.compile(
    r"Throttl|RequestLimitExceeded|TooManyRequests|ServerException|ServiceUnavailable|InternalFailure|InternalError"
    r"|[Cc]ould not connect|[Tt]imeout|[Tt]imed out|Connection was closed"
)


class AwsError(CallError):
    """A call of AWS that failed.

    Parameters
    ----------
    code : str
        AWS's name for the error; empty when the call got no answer.
    passing : bool
        Whether the same call may succeed a little later.
    """

    def __init__(self, cause: str, cure: str, code: str = "", passing: bool = False) -> None:
        super().__init__(cause, cure, passing)
        self.code = code


class Aws:
    """Calls AWS: ``aws("ecs", "describe-services", …)`` returns the answer, an empty one as None.

    Parameters
    ----------
    environ : mapping
        With region and credentials, as the program itself reads them.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = {**DEFAULTS, **environ, "AWS_PAGER": ""}
        if region := environ.get("AWS_REGION"):
            self._environ["AWS_DEFAULT_REGION"] = region  # version 1 of the program reads only this

    def __call__(self, *arguments: str) -> Any:
        """Raises AwsError if the call fails, or takes too long."""
        named = " ".join(("aws", *arguments[:2]))
        return AWS.json(named, *arguments, "--output", "json", *LIMITS, seconds=SECONDS, environ=self._environ)


@dataclass(frozen=True)
class Patient:
    """As `aws`, but a call is made again while its error is a passing one: where nothing may be left half-way."""

    aws: Callable[..., Any]
    clock: Clock
    seconds: float

    def __call__(self, *arguments: str) -> Any:
        """Raises AwsError if the call still fails after `seconds`, or fails for good."""
        deadline = self.clock.now() + self.seconds
        while True:
            try:
                return self.aws(*arguments)
            except AwsError as error:
                if not error.passing or self.clock.now() > deadline:
                    raise
            self.clock.pause(PAUSE)


def failure(named: str, text: str) -> AwsError:
    """The error of a call, from what the program wrote to standard error."""
    said = SAID.search(text)
    code = said["code"] if said else ""
    shown = " ".join((said["text"] if said else text).split()).rstrip(".") or "it failed without a word"
    known = code or shown
    passing = bool(PASSING.search(known))
    cure = next((cure for pattern, cure in CURES if pattern.search(known)), LATER if passing else "")
    return AwsError(f"{named}: {f'{code}: ' if code else ''}{shown}", cure, code, passing)


AWS = CloudProgram("aws", "See https://aws.amazon.com/cli", AwsError, failure)
