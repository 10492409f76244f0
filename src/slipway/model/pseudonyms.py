"""What stands for a private value where it must be recognised but not read: its keyed hash."""

import hmac
from collections.abc import Collection, Mapping
from typing import Any

from slipway.errors import ProblemError
from slipway.sections import Log
from slipway.table.row_id import id_text

KEY = "SLIPWAY_LOG_KEY"
DIGITS = 32
SHORTEST_KEY = 16


class Pseudonyms:
    """The columns of which the log has a hash, HMAC-SHA-256.

    A plain hash of an id can be reversed by hashing all ids; without the key this one cannot.

    Parameters
    ----------
    columns : collection of str
    key : bytes
    """

    def __init__(self, columns: Collection[str], key: bytes) -> None:
        self.columns = frozenset(columns)
        self._key = key

    def of(self, column: str, value: Any) -> Any:
        """What the log has for a value of a column: 32 digits, or the value itself. 17, "17" and 17.0 are one."""
        text = id_text(value) if column in self.columns else None
        if text is None:
            return value
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]


def pseudonyms_of(log: Log, environ: Mapping[str, str]) -> Pseudonyms:
    """Those that slipway.yaml declares.

    Raises
    ------
    ProblemError
        When there are some, and ``SLIPWAY_LOG_KEY`` is absent or shorter than 16 signs.
    """
    key = environ.get(KEY, "")
    if log.hash and len(key) < SHORTEST_KEY:
        cure = "Set it to a secret of at least 16 characters, the same wherever labels are read: openssl rand -hex 32"
        raise ProblemError(f"log.hash needs {KEY}", cure)
    return Pseudonyms(log.hash, key.encode())
