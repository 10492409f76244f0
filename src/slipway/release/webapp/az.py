"""The `az` program: one call, its answer as JSON, its errors with a cure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.release.clock import Clock
from slipway.release.cloud_program import LATER, CallError, CloudProgram

PAUSE = 5.0
PATIENCE = 300  # another operation on the app may take minutes
CALL_SECONDS = 120
MOST_SHOWN = 600

SIGN_IN = (
    "Log in first: in a workflow with azure/login and the variables AZURE_CLIENT_ID, AZURE_TENANT_ID and "
    "AZURE_SUBSCRIPTION_ID, elsewhere with az login"
)
RIGHTS = "Run deploy/webapp/up again, which gives the rights; new ones take some minutes to arrive"
ABSENT = "Check AZURE_RESOURCE_GROUP, AZURE_WEBAPP_NAME and the subscription; deploy/webapp/up makes the app"
CURES = (  # the first pattern that the text contains
    (re.compile(r"az login|AADSTS|InvalidAuthenticationToken|ExpiredAuthenticationToken|No subscription found"), SIGN_IN),
    (re.compile(r"AuthorizationFailed|LinkedAuthorizationFailed|Forbidden|UNAUTHORIZED|[Uu]nauthorized"), RIGHTS),
    (re.compile(r"ResourceGroupNotFound|ResourceNotFound|SubscriptionNotFound|Not ?Found"), ABSENT),
)
CONFLICT = re.compile(r"Conflict|another operation is in progress")
PREPARED = re.compile(r"prepared for swap")
PASSING = re.compile(
    r"TooManyRequests|Too Many Requests|InternalServerError|Internal Server Error|Bad Gateway|Service ?Unavailable"
    r"|Gateway ?Time-?out|[Tt]imed? ?out|Max retries exceeded|Connection (aborted|reset|refused)|RemoteDisconnected"
)


class AzError(CallError):
    """A call of Azure that failed.

    Parameters
    ----------
    conflict : bool
        Whether Azure refused it because it is busy with the app: nothing was begun.
    passing : bool
        Whether the same call may succeed a little later. What it was to change may be done all the same.
    """

    def __init__(self, cause: str, cure: str, conflict: bool = False, passing: bool = False) -> None:
        super().__init__(cause, cure, passing)
        self.conflict = conflict


class Az:
    """Calls Azure: ``az("rest", …)`` returns the answer, an empty one as None."""

    def __call__(self, *arguments: str, seconds: float = CALL_SECONDS) -> Any:
        """Raises AzError if the call fails, or takes too long."""
        named = " ".join(("az", *arguments[: next((i for i, each in enumerate(arguments) if each.startswith("-")), None)]))
        return AZ.json(named, *arguments, "--output", "json", "--only-show-errors", seconds=seconds)


@dataclass(frozen=True)
class PatientAz:
    """As `az`, but a call is made again while Azure is busy.

    Parameters
    ----------
    az : callable
    clock : Clock
    repeats : bool
        Whether a call may be made twice: then also when its end is not known.
    seconds : float
        For one call.
    """

    az: Callable[..., Any]
    clock: Clock
    repeats: bool = True
    seconds: float = CALL_SECONDS

    def __call__(self, *arguments: str) -> Any:
        """Raises AzError if the call still fails after some minutes, or fails for good."""
        deadline = self.clock.now() + PATIENCE
        while True:
            try:
                return self.az(*arguments, seconds=self.seconds)
            except AzError as error:
                again = error.conflict or (self.repeats and error.passing)
                if not again or self.clock.now() > deadline:
                    raise
            self.clock.pause(PAUSE)


def failure(named: str, text: str) -> AzError:
    """The error of a call, from what the program wrote to standard error."""
    shown = " ".join(text.split()).removeprefix("ERROR: ").rstrip(".") or "it failed without a word"
    if len(shown) > MOST_SHOWN:
        shown = f"{shown[:MOST_SHOWN]}…"
    cause = f"{named}: {shown}"
    if PREPARED.search(shown):
        return AzError(cause, "Complete or cancel the swap with preview in the portal: Deployment slots → Swap")
    if CONFLICT.search(shown):
        return AzError(cause, LATER, conflict=True)
    if cure := next((cure for pattern, cure in CURES if pattern.search(shown)), ""):
        return AzError(cause, cure)
    passing = bool(PASSING.search(shown))
    return AzError(cause, LATER if passing else "", passing=passing)


AZ = CloudProgram("az", "See https://aka.ms/azure-cli", AzError, failure)
