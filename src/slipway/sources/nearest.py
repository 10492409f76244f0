"""The cure where a server has no table, collection, field or column of a name."""

from collections.abc import Sequence
from difflib import get_close_matches


def nearest(name: str, known: Sequence[str]) -> str:
    """The question whether the nearest of the known names was meant; else the first of them."""
    close = get_close_matches(name, known, 1, 0.6)
    return f"Did you mean {close[0]}?" if close else f"It has {', '.join(sorted(known)[:10]) or 'none'}"
