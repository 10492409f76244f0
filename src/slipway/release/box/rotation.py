"""API keys that change without a release: a file that the program writes and every release reads."""

import os
from pathlib import Path

from slipway.api_keys import FILE, MOST_BYTES, VARIABLE, listed_keys, parse_keys
from slipway.errors import ReleaseError
from slipway.release.box.plan import KEYS_INSIDE
from slipway.release.box.state import USER, Box
from slipway.store.atomic import put, write_synced

INSIDE = f"{KEYS_INSIDE}/api-keys"


def rotate(box: Box, content: bytes) -> str:
    """Replace the keys; returns a sentence on the result.

    Parameters
    ----------
    content : bytes
        One key per line.

    Raises
    ------
    ReleaseError
        If the content is not a valid file of keys; the earlier keys stay.
    """
    try:
        count = len(parse_keys(content[: MOST_BYTES + 1]))
    except ValueError as error:
        raise ReleaseError(f"keys on standard input: {error}", "Write one key per line") from None
    folder = box.share_keys()
    draft = folder / ".api-keys.unfinished"
    draft.unlink(missing_ok=True)
    write_synced(draft, content)
    os.chown(draft, 0, USER)
    os.chmod(draft, 0o640)  # before the rename: a release reads the file once, when it appears
    put(draft, folder / "api-keys")
    valid = f"{count} API keys are valid" if count > 1 else "1 API key is valid"
    if variables(box.environment).get(FILE) == INSIDE:
        return f"{valid} from the next request on"
    return f"{valid} from the next release on, if {box.environment} has the line {FILE}={INSIDE}"


def api_key(box: Box) -> str:
    """The first of the service's API keys, for this program's own requests; empty if the service requires none."""
    told = variables(box.environment)
    fixed = listed_keys(told.get(VARIABLE, ""))
    if fixed or told.get(FILE) != INSIDE:
        return next(iter(fixed), "")
    try:
        return parse_keys((box.keys / "api-keys").read_bytes())[0]
    except (OSError, ValueError):  # the service keeps its earlier keys, or does not start and tells why
        return ""


def variables(path: Path) -> dict[str, str]:
    """The environment of a service, as Docker reads it: of two lines with one name, the last.

    Docker refuses bytes that are not UTF-8; a rollback starts nothing, and needs no key.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except FileNotFoundError as error:
        raise ReleaseError(f"{path}: file not found", f"touch {path}; chmod 600 {path}") from error
    return {name: value for name, _, value in (line.lstrip().partition("=") for line in lines)}
