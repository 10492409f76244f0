"""Rows of a batch → answers, by the rules and in the words of the service."""

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from slipway.batch.rows import Rows, column
from slipway.model.evaluation import Intervals
from slipway.model.intervals import ENDS
from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers, added_names, reasons_of, score
from slipway.table.arrow_cells import read_column
from slipway.table.faults import Faults
from slipway.table.rules import Rules
from slipway.table.schema import Columns


class Scorer:
    """Answers rows of one schema; several threads may use it.

    Parameters
    ----------
    predictor : Predictor
    rules : Rules
    intervals : Intervals, optional
    level : float, optional
        One of theirs; then each prediction gets the ends of its interval.
    """

    def __init__(
        self, predictor: Predictor, rules: Rules, intervals: Intervals | None = None, level: float | None = None
    ) -> None:
        self.predictor = predictor
        self.rules = rules
        self.intervals = intervals
        self.level = level

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.predictor.schema.names

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that an answer adds, as far as the table has none of these names."""
        return added_names(self.predictor, *(() if self.level is None else ENDS), "warning")

    def answer(self, rows: Rows) -> Answers:
        """Answer each row, or say why not; reasons are by row of the part, malformed rows counted."""
        columns, faults = self.read(rows)
        answers = score(self.predictor, columns, reasons_of(faults), rows.well_formed)
        answers = answers.between(self.intervals, self.level).noted(self.rules)
        return replace(answers, reasons=_numbered(rows, answers.reasons))

    def read(self, rows: Rows) -> tuple[Columns, dict[str, Faults]]:
        """The typed columns of the well-formed rows, and per field what is wrong with its cells by row, from 0."""
        columns, faults = {}, {}
        for rule in self.rules:
            name = rule.field.name
            cells = column(rows.cells, name)
            columns[name], faults[name] = rule.read(cells) if isinstance(cells, list) else read_column(rule, cells)
        return columns, faults


def _numbered(rows: Rows, reasons: Mapping[int, str]) -> dict[int, str]:
    """Reasons by row of the part, in order; those of malformed rows among them."""
    if not rows.malformed:
        return dict(reasons)
    places = np.delete(np.arange(rows.count), list(rows.malformed)).tolist()
    return dict(sorted({**rows.malformed, **{places[place]: reason for place, reason in reasons.items()}}.items()))
