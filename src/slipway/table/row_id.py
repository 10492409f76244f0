"""What names a row: one text for an id, wherever it was read from."""

import re
from typing import Any

from slipway.table.cell import USUAL

WHOLE = re.compile(r"(-?\d+)\.0+")  # an integer in a column that pandas made floating, because a cell was missing
BETWEEN = "\x1f"  # stands between the ids of a row that has several


def id_text(cell: Any) -> str | None:
    """The text of an id: ``17``, ``"17"`` and ``17.0`` are one, ``"017"`` is another; None when it is missing.

    Raises
    ------
    ValueError
        When the cell is a list, an object, bytes or a time of day.
    """
    text = USUAL.text(cell)
    if text is None:
        return None
    whole = WHOLE.fullmatch(text)
    return (whole[1] if whole else text).replace(BETWEEN, "\\x1f")
