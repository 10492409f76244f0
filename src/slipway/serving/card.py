"""Content of the model card beyond the bundle's own documents."""

from collections.abc import Mapping, Sequence

from slipway.model.contents import Estimate
from slipway.serving.form import plain, typical
from slipway.table.dates import show_date
from slipway.table.schema import Field

MOST_LEVELS = 12


def describe(fields: Sequence[Field]) -> list[tuple[Field, str, str]]:
    """Each field with its range or levels and a typical value, in words."""
    return [(field, _allowed(field), typical(field)) for field in fields]


def deciding_first(measured: Mapping[str, Estimate], metric: str) -> list[tuple[str, Estimate]]:
    """Name and value of each metric; the one that the gate decides by is the first."""
    return sorted(measured.items(), key=lambda pair: pair[0] != metric)


def _allowed(field: Field) -> str:
    if field.type == "category":
        more = len(field.levels) - MOST_LEVELS
        return ", ".join(field.levels[:MOST_LEVELS]) + (f" and {more} more" if more > 0 else "")
    if field.minimum is None or field.maximum is None:
        return ""
    show = show_date if field.type == "date" else plain
    return f"{show(field.minimum)} to {show(field.maximum)}"
