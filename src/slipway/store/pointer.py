"""The pointer: which bundle a commit serves, and why. It is the one file of the store that is committed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.errors import StoreError
from slipway.model.bundle import DIGEST
from slipway.model.document import parse

FILE = "champion.json"
FORMAT = 1
KEYS = {"format", "problem", "digest", "verdict"}


@dataclass(frozen=True)
class Pointer:
    """The champion.

    Parameters
    ----------
    digest : str
        Of the bundle.
    problem : str
    verdict : mapping
        ``outcome``, ``reasons`` and, from a training, ``changes`` (`slipway.model.changes`); no time and no host, so that
        the same decision gives the same file.
    """

    digest: str
    problem: str
    verdict: Mapping[str, Any] = field(hash=False)

    def to_bytes(self) -> bytes:
        document = {
            "format": FORMAT,
            "problem": self.problem,
            "digest": self.digest,
            "verdict": dict(self.verdict),
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> "Pointer":
        """Read a pointer; StoreError naming `where` and what is wrong."""
        restore = "Restore it from git, or run slipway train"
        try:
            document = parse(content)
        except ValueError as error:
            raise StoreError(f"{where}: not JSON ({error})", restore) from error
        if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:  # its keys may be others
            raise StoreError(f"{where}: unknown format {document['format']!r}", "Upgrade Slipway")
        if not isinstance(document, dict) or set(document) != KEYS:
            raise StoreError(f"{where}: expected the keys {', '.join(sorted(KEYS))}", restore)
        if not isinstance(document["digest"], str) or not DIGEST.fullmatch(document["digest"]):
            raise StoreError(f"{where}: digest: expected 64 hexadecimal digits", restore)
        if not isinstance(document["problem"], str) or not isinstance(document["verdict"], dict):
            raise StoreError(f"{where}: problem: expected a string, verdict: a mapping", restore)
        return cls(document["digest"], document["problem"], document["verdict"])
