import numpy as np

from bundles import ROWS, SCHEMA, block_of
from slipway.sections import Serving
from slipway.table.cell import columns_from_rows
from slipway.table.rules import Rules
from slipway.table.unlike import Unlike

COLUMNS = columns_from_rows(SCHEMA, ROWS)


def test_columns_are_cut_out_as_they_were():
    block = block_of(SCHEMA, COLUMNS)
    assert list(block) == list(SCHEMA.names) and len(block) == len(SCHEMA.names)
    for name, column in block.items():
        assert column.dtype == COLUMNS[name].dtype
        np.testing.assert_array_equal(column, COLUMNS[name])


def test_what_is_unlike_training_is_found_in_a_block_too():
    rules = Rules(SCHEMA, Serving(unknown_levels="warn", out_of_range="warn"))
    rows = [
        *ROWS,
        ROWS[0] | {"age": 99},
        ROWS[0] | {"bmi": 1},
        ROWS[0] | {"smoker": "new"},
        ROWS[0] | {"joined": "2099-01-01"},
    ]
    for place in range(len(rows)):
        columns = columns_from_rows(SCHEMA, rows[place : place + 1])
        assert said(rules.unlike(block_of(SCHEMA, columns))) == said(rules.unlike(columns))
    assert len(rules.unlike(block_of(SCHEMA, columns_from_rows(SCHEMA, rows)))) == 4


def said(unlike: list[Unlike]) -> list[tuple]:
    return [(each.field, each.reason, each.detail, each.rows.tolist()) for each in unlike]
