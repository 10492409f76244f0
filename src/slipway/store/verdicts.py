"""verdict.json: why each champion became one. It is committed beside the pointer, and changes only with it.

So a revert of a commit meets in this file what it meets in the pointer; a refusal is in the journal alone. Verdicts have a
time and depend on the champion, so no bundle holds them, and no release key covers this file: the same bundle is the same
release, whatever was said of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.errors import StoreError
from slipway.model.document import parse

FILE = "verdict.json"
FORMAT = 1
MOST = 20  # promotions; the journal has them all
PRIVATE = {"who", "problem", "inputs", "look"}  # of a journal's entry; the commit says who
Verdict = Mapping[str, Any]


def with_verdict(verdicts: Sequence[Verdict], entry: Mapping[str, Any]) -> list[Verdict]:
    """The last promotions and that of a journal's entry; a refusal that an earlier version wrote is left out."""
    promotions = [each for each in verdicts if each["outcome"] == "promoted"]
    return [*promotions[-MOST:], {key: value for key, value in entry.items() if key not in PRIVATE}]


def verdict_on(verdicts: Sequence[Verdict], digest: str) -> Verdict:
    """What was said of a bundle last; what made it the champion comes first. Empty when nothing was."""
    found = [each for each in verdicts if each["digest"] == digest]
    found.sort(key=lambda each: bool(each["outcome"] == "promoted"))
    return found[-1] if found else {}


def to_bytes(problem: str, verdicts: Sequence[Verdict]) -> bytes:
    """verdict.json."""
    document = {"format": FORMAT, "problem": problem, "verdicts": verdicts}
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def from_bytes(content: bytes, where: str) -> list[Verdict]:
    """Read verdict.json, the oldest verdict first; StoreError naming `where` and what is wrong."""
    restore = "Restore it from git, or delete it: only pages and pull requests show it"
    try:
        document = parse(content)
        if isinstance(document["format"], int) and document["format"] > FORMAT:
            raise StoreError(f"{where}: unknown format {document['format']}", "Upgrade Slipway")
        verdicts: list[Verdict] = document["verdicts"]
        sound = all(isinstance(each[key], str) for each in verdicts for key in ("digest", "outcome"))
        sound = sound and all(isinstance(each["reasons"], list) for each in verdicts)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{where}: not a file of verdicts", restore) from error
    if not sound:
        raise StoreError(f"{where}: not a file of verdicts", restore)
    return verdicts
