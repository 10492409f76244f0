"""The pointer: which bundle a commit serves, and nothing else: who serves the same bundle is the same release."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.errors import StoreError
from slipway.model.bundle import DIGEST
from slipway.model.document import parse

FILE = "champion.json"
FORMAT = 2
KEYS = {"format", "problem", "digest"}
FIRST = KEYS | {"verdict"}  # format 1 had the verdict in it, which verdict.json has now


@dataclass(frozen=True)
class Pointer:
    """The champion.

    Parameters
    ----------
    digest : str
        Of the bundle.
    problem : str
    verdict : mapping
        Of a pointer of format 1: ``outcome``, ``reasons`` and, from a training, ``changes``.
    """

    digest: str
    problem: str
    verdict: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_bytes(self) -> bytes:
        document = {"format": FORMAT, "problem": self.problem, "digest": self.digest}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> "Pointer":
        """Read a pointer; StoreError naming `where` and what is wrong."""
        restore = "Restore it from git, or run slipway train"
        try:
            document = parse(content)
        except ValueError as error:
            raise StoreError(f"{where}: not JSON ({error})", restore) from error
        if isinstance(document, dict) and document.get("format", FORMAT) not in (1, FORMAT):  # its keys may be others
            raise StoreError(f"{where}: unknown format {document['format']!r}", "Upgrade Slipway")
        keys = FIRST if isinstance(document, dict) and document.get("format") == 1 else KEYS
        if not isinstance(document, dict) or set(document) != keys:
            raise StoreError(f"{where}: expected the keys {', '.join(sorted(keys))}", restore)
        if not isinstance(document["digest"], str) or not DIGEST.fullmatch(document["digest"]):
            raise StoreError(f"{where}: digest: expected 64 hexadecimal digits", restore)
        verdict = document.get("verdict", {})
        if not isinstance(document["problem"], str) or not isinstance(verdict, dict):
            raise StoreError(f"{where}: problem: expected a string, verdict: a mapping", restore)
        return cls(document["digest"], document["problem"], verdict)
