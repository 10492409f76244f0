"""What the box is asked to run: read from standard input, and nothing else is believed."""

import json
import re
from dataclasses import dataclass

from slipway.errors import ReleaseError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")
KEYS = ("digest", "commit", "run_number")
MOST_BYTES = 4_096
EXPECTED = 'Send {"digest": "sha256:…", "commit": "<40 hex digits>", "run_number": <whole number>}'


@dataclass(frozen=True)
class Request:
    """A release to make live.

    Parameters
    ----------
    digest : str
        Of the image, with ``sha256:``; its repository is the box's own business.
    commit : str
        The 40 hexadecimal digits of the commit that asked for it.
    run_number : int
        Of the workflow run, 1 or more; a lower one than the live release's is refused.
    """

    digest: str
    commit: str
    run_number: int


def read_request(content: bytes) -> Request:
    """The request in `content`; ReleaseError naming what is wrong with it."""
    if len(content) > MOST_BYTES:
        raise ReleaseError(f"the request is longer than {MOST_BYTES} bytes", EXPECTED)
    try:
        pairs = json.loads(content, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"the request is not JSON ({error})", EXPECTED) from error
    if not _is_object(pairs) or sorted(name for name, _ in pairs) != sorted(KEYS):
        raise ReleaseError(f"the request must have just the keys {', '.join(KEYS)}, each once", EXPECTED)
    request = dict(pairs)
    for name, form in (("digest", DIGEST), ("commit", COMMIT)):
        if not isinstance(request[name], str) or not form.fullmatch(request[name]):
            raise ReleaseError(f"the request's {name} is not of the form {form.pattern}", EXPECTED)
    number = request["run_number"]
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number < 10 ** 12:
        raise ReleaseError("the request's run_number is not a whole number of 1 or more", EXPECTED)
    return Request(request["digest"], request["commit"], number)


def _is_object(pairs: object) -> bool:
    """Whether JSON's outermost value was an object; as a list of pairs it keeps keys that were given twice."""
    return isinstance(pairs, list) and all(isinstance(pair, tuple) for pair in pairs)
