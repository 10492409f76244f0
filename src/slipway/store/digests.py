"""Bundles and kept tables by the first digits of their names, as people type them."""

from collections.abc import Callable, Sequence

from slipway.errors import StoreError

FEWEST = 6
LISTED = 10


def find(digits: str, there: Callable[[], Sequence[str]], what: str, where: object, none: str) -> str:
    """The one name that starts with `digits`.

    Parameters
    ----------
    digits : str
    there : callable
        () → the names to choose from, at least those that start with `digits`.
    what, where
        What they name and where it is, for messages.
    none : str
        What to do if there are no names.

    Raises
    ------
    StoreError
        If there is none, or several.
    """
    if len(digits) < FEWEST:
        raise StoreError(f"{digits!r}: give at least {FEWEST} digits")
    names = there()
    found = [name for name in names if name.startswith(digits)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreError(f"{digits}: matches several in {where} ({_shown(found)})", "Give more digits")
    raise StoreError(f"{digits}: no such {what} in {where}", f"Choose one of: {_shown(names)}" if names else none)


def _shown(names: Sequence[str]) -> str:
    """The first names, shortened as far as they stay distinct."""
    length = 12
    while len({name[:length] for name in names}) < len(names):
        length += 1
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(name[:length] for name in names[:LISTED]) + more
