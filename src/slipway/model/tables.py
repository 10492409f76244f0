"""Whole tables in memory → the same tables with their answers: pandas frames, Arrow tables, and lists of rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from slipway.errors import TableError
from slipway.model.predictor import Prediction
from slipway.model.predictor import Predictor as ColumnPredictor
from slipway.model.scoring import Answers, added_columns, added_names, reasons_of, score
from slipway.problem import Problem
from slipway.sections import Serving
from slipway.table.dialect import require_unique
from slipway.table.faults import Faults
from slipway.table.rules import Rule, Rules, rules_of
from slipway.table.schema import Columns, fresh_names, require_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

    Table: TypeAlias = pd.DataFrame | pyarrow.Table | list[dict[str, Any]]


class Predictor(ColumnPredictor):
    """Answers rows with what a bundle's model says; see `slipway.load_champion`.

    Parameters
    ----------
    bundle : Bundle
    """

    def predict(self, rows: "Columns | pd.DataFrame") -> Prediction:
        """Answer each row of a pandas frame, or of typed columns.

        Parameters
        ----------
        rows : DataFrame, or mapping of str to ndarray
            Text or typed cells; columns that are no features are ignored. The problem's policies are not applied: a level that
            training never saw, a missing cell or a number far outside the range is answered. `score_batch` applies them.

        Returns
        -------
        Prediction
            ``values``, and ``probabilities`` of shape (rows, classes) or None.

        Raises
        ------
        TableError
            When a column is missing, or a cell is not of its column's type.
        """
        if isinstance(rows, dict):
            return super().predict(rows)
        from slipway.table.cells import read_columns  # pandas takes a while

        names, count = _shape(rows)
        if names:
            require_columns("the table", names, self.schema.names)
        if not count:
            return Prediction([], np.empty((0, len(self.classes))) if self.classes else None)
        return super().predict(read_columns(rows, self.schema))


def score_batch(predictor: ColumnPredictor, table: "Table", problem: Problem | None = None) -> "Table":
    """Answer every row of a table, by the rules of the service and of `slipway predict`.

    Parameters
    ----------
    predictor : Predictor
    table : DataFrame, pyarrow.Table, or list of dict
        Text or typed cells. It needs the columns that the model was trained on; all others are kept.
    problem : Problem, optional
        Whose policies on unseen levels and on ranges hold; by default those of a problem that sets none.

    Returns
    -------
    DataFrame, pyarrow.Table, or list of dict
        The table with the columns ``prediction``, ``probability_LABEL`` for each label, ``warning`` (what is unlike training
        in a row that was answered) and ``reason`` (why a row was not; its prediction is missing). A name that the table has
        already gets an underscore.

    Raises
    ------
    TableError
        When a column is missing, or has a type that is not supported.

    Examples
    --------
    >>> predictor = slipway.load_champion()
    >>> slipway.score_batch(predictor, pandas.read_csv("new-patients.csv"))
    """
    rules = rules_of(predictor.schema, problem) if problem else Rules(predictor.schema, Serving())
    names, count = _shape(table)
    rows = added_columns(answers_to(predictor, table, rules).noted(rules), count)
    added = fresh_names(added_names(predictor, "warning", "reason"), names)
    return _joined(table, {name: [row[place] for row in rows] for place, name in enumerate(added)}, bool(predictor.classes))


def answers_to(predictor: ColumnPredictor, table: "Table", rules: Rules) -> Answers:
    """The answers to the rows of a table by these rules, without warnings; TableError as `score_batch`."""
    names, count = _shape(table)
    if names:  # an empty list of rows names none
        require_columns("the table", names, predictor.schema.names)
    columns, faults = {}, {}
    for rule in rules:
        name = rule.field.name
        columns[name], faults[name] = _read(rule, table, names)
    return score(predictor, columns, reasons_of(faults), count)


def _shape(table: "Table") -> tuple[list[str], int]:
    """The names of the columns, and the number of rows."""
    if isinstance(table, list):
        return list(dict.fromkeys(name for row in table for name in row)), len(table)
    if not _is_arrow(table) and not hasattr(table, "columns"):
        says = f"expected a pandas frame, a pyarrow.Table or a list of dicts, got {type(table).__name__}"
        raise TableError(says, "Of a Series make a frame: series.to_frame().T")
    names = table.column_names if _is_arrow(table) else [str(name) for name in table.columns]
    require_unique(names)
    return names, len(table)


def _read(rule: Rule, table: "Table", names: Sequence[str]) -> tuple[np.ndarray, Faults]:
    name = rule.field.name
    if isinstance(table, list):
        return rule.read([row.get(name) for row in table])
    if _is_arrow(table):
        from slipway.table.arrow_cells import read_column

        return read_column(rule, table.column(name).combine_chunks())
    from slipway.table.cells import read_frame_column

    return read_frame_column(rule, table.iloc[:, names.index(name)])


def _joined(table: "Table", added: dict[str, list[Any]], labelled: bool) -> "Table":
    if isinstance(table, list):
        return [row | dict(zip(added, cells)) for row, cells in zip(table, zip(*added.values()))]
    if _is_arrow(table):
        import pyarrow

        for name, cells in added.items():
            table = table.append_column(name, pyarrow.array(cells, _arrow_type(name, added, labelled)))
        return table
    import pandas as pd

    return table.assign(**{name: pd.Series(cells, index=table.index) for name, cells in added.items()})


def _arrow_type(name: str, added: dict[str, list[Any]], labelled: bool) -> Any:
    """Text for labels, warnings and reasons; numbers for all between."""
    import pyarrow

    names = list(added)
    texts = {*names[-2:], *(names[:1] if labelled else ())}
    return pyarrow.string() if name in texts else pyarrow.float64()


def _is_arrow(table: Any) -> bool:
    return hasattr(table, "column_names")
