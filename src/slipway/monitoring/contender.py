"""A bundle as it answers the rows of the log: by the rules of the service, as if they were asked again."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow

from slipway.model.bundle import Bundle
from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers, reasons_of, score
from slipway.monitoring.logged_rows import LoggedRows
from slipway.problem import Problem
from slipway.table.arrow_cells import read_column
from slipway.table.rules import Rules


@dataclass(frozen=True)
class Contender:
    """A bundle that can answer.

    Parameters
    ----------
    bundle : Bundle
    predictor : Predictor
        What it serves.
    rules : Rules
        Of what it answers, and what it refuses.
    """

    bundle: Bundle
    predictor: Predictor
    rules: Rules

    @property
    def name(self) -> str:
        return self.bundle.digest[:12]

    @property
    def needed(self) -> Sequence[str]:
        """The columns that it reads."""
        return self.predictor.schema.names

    def answers(self, rows: LoggedRows) -> Answers:
        """What it says to each row, or why it refuses it; a column that the rows lack is missing in all of them."""
        columns, faults = {}, {}
        for rule in self.rules:
            name = rule.field.name
            there = name in rows.cells.column_names
            cells = rows.cells.column(name).combine_chunks() if there else pyarrow.nulls(len(rows), pyarrow.string())
            columns[name], faults[name] = read_column(rule, cells)
        return score(self.predictor, columns, reasons_of(faults), len(rows))


def contender_of(bundle: Bundle, problem: Problem) -> Contender:
    """A bundle under the policies of a problem; BundleError when it does not load."""
    predictor = Predictor(bundle)
    numbers = {field.name for field in predictor.schema if field.is_number}
    limits = {name: limit for name, limit in problem.limits.items() if name in numbers}  # an earlier one may lack a field
    return Contender(bundle, predictor, Rules(predictor.schema, problem.serving, limits, problem.markers))
