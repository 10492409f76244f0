"""Why a hold-out cannot vouch for a model, so that only a person promotes it."""

from collections.abc import Sequence

from slipway.model.bundle import Bundle
from slipway.model.contents import schema_of
from slipway.training.data.dataset import Table
from slipway.training.inspection.leaks import Suspect


def doubts(table: Table, leaks: Sequence[Suspect] = (), champion: Bundle | None = None) -> list[str]:
    """The reasons, none for an ordinary table.

    Parameters
    ----------
    table : Table
    leaks : sequence of Suspect
        Columns that seem to have been written after the target.
    champion : Bundle, optional
        What it learns from, a person has looked at: such columns raise no doubt again.
    """
    copies = table.kin.copies(table.held)
    by_copies = copies.remarks() if table.split.time is None and copies.too_many else []
    known = set(schema_of(champion).names) if champion else set()
    return by_copies + [str(each) for each in leaks if each.exact and not set(each.columns) <= known]
