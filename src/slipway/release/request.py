"""The request for a release, from standard input: the only input that a box or a deploying job trusts."""

import json
import os
import re
from dataclasses import dataclass

from slipway.errors import ReleaseError

FORMS = {
    "digest": re.compile(r"sha256:[0-9a-f]{64}"),
    "key": re.compile(r"[0-9a-f]{64}"),
    "commit": re.compile(r"[0-9a-f]{40}"),
}
FIELDS = (*FORMS, "run_number")
MOST_BYTES = 4_096
EXPECTED = (
    'Send {"digest": "sha256:…", "key": "<64 hex digits>", "commit": "<40 hex digits>", "run_number": <integer>}, as '
    "main.yaml of this version of Slipway does, or python -m slipway.release deliver --request FILE"
)

# Variables of the service that each release sets itself, on all roads beyond the box.
OURS = ("SLIPWAY_RELEASE", "SLIPWAY_COMMIT", "SLIPWAY_TRUSTED_PROXIES")

# Cures of every road.
EARLIER = (
    "To release an earlier commit, revert to it; on GitHub also: Actions → main → Run workflow, with its commit. "
    "If run numbers started over, e.g. in a re-created repository"
)
PUSHED = "Only the image that was delivered under this key can be released: run the delivery again"


@dataclass(frozen=True)
class Request:
    """A release to make live.

    Parameters
    ----------
    digest : str
        Of the image, with ``sha256:``; the box itself knows the repository.
    key : str
        The release key: the tag under which the registry must list this digest.
    commit : str
        The 40 hexadecimal digits of the requesting commit.
    run_number : int
        Of the workflow run, 1 or more; a lower one than the live release's is refused.
    """

    digest: str
    key: str
    commit: str
    run_number: int


def require_same_digest(found: str | None, repository: str, request: Request) -> None:
    """Only an image that the registry lists under the release key may run; ReleaseError.

    Parameters
    ----------
    found : str or None
        The digest that it lists.
    repository : str
        ``HOST/REPO``.
    request : Request
    """
    if found != request.digest:
        listed = f"the registry lists {found or 'nothing'} under the release key {repository}:{request.key}"
        raise ReleaseError(f"{listed}, not {request.digest}", PUSHED)


def release_text(id: str, run_number: int, commit: str, digest: str) -> str:
    """How a release is called in a sentence."""
    return f"release {id} (run {run_number}, commit {commit[:12]}, {digest[:19]})"


def new_id() -> str:
    """The id of a new release: 12 hexadecimal digits."""
    return os.urandom(6).hex()


def read_request(content: bytes) -> Request:
    """Parse a request; ReleaseError names what is wrong with it."""
    if len(content) > MOST_BYTES:
        raise ReleaseError(f"the request is longer than {MOST_BYTES} bytes", EXPECTED)
    try:
        pairs = json.loads(content, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"the request is not JSON ({error})", EXPECTED) from error
    if not _is_object(pairs) or sorted(name for name, _ in pairs) != sorted(FIELDS):
        raise ReleaseError(f"the request must have exactly the fields {', '.join(FIELDS)}, each once", EXPECTED)
    for name, value in pairs:
        require_form(name, value)
    return Request(**dict(pairs))


def require_form(name: str, value: object) -> None:
    """ReleaseError if a field of a request, or of a record of one, is malformed."""
    if name == "run_number":
        if type(value) is not int or not 1 <= value < 10**12:
            raise ReleaseError("the request's run_number is not an integer of 1 or more", EXPECTED)
    elif not isinstance(value, str) or not FORMS[name].fullmatch(value):
        raise ReleaseError(f"the request's {name} does not match {FORMS[name].pattern}", EXPECTED)


def _is_object(pairs: object) -> bool:
    """Whether JSON's outermost value was an object; a list of pairs keeps duplicate fields."""
    return isinstance(pairs, list) and all(isinstance(pair, tuple) for pair in pairs)
