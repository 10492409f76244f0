import numpy as np
import pyarrow
import pytest

from slipway.errors import TableError
from slipway.sources.batches import Batches
from slipway.table.identity import row_hashes
from slipway.training.data import sample
from slipway.training.data.sample import draw


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(sample, "WHOLE", 1_000)
    monkeypatch.setattr(sample, "FEWEST", 10)


def rows(numbers, **more) -> pyarrow.Table:
    numbers = list(numbers)
    return pyarrow.table({"id": [f"{number}" for number in numbers], "x": numbers} | more)


def batches(table: pyarrow.Table, size: int = 700) -> Batches:
    return Batches(tuple(table.column_names), table.num_rows, lambda: iter(table.to_batches(size)))


def drawn(table: pyarrow.Table, most: int, key=("id",), size: int = 700) -> pyarrow.Table:
    return draw(batches(table, size), key, most, "t").table


def test_a_small_table_is_taken_as_it_is():
    table = rows(range(1_000))
    assert drawn(table, 5_000).equals(table)


def test_a_table_that_fits_is_taken_whole():
    assert sorted(drawn(rows(range(3_000)), 5_000)["x"].to_pylist()) == list(range(3_000))


def test_of_a_large_table_so_many_rows_are_taken_and_all_are_counted():
    found = draw(batches(rows(range(50_000))), ("id",), 2_000, "t")
    assert found.seen == 50_000 and 1_990 <= found.table.num_rows <= 2_000


def test_the_sample_is_one_of_the_whole_table():
    """Its mean is within four standard errors, and its rows come from everywhere."""
    found = np.array(drawn(rows(range(50_000)), 5_000)["x"].to_pylist())
    assert abs(found.mean() - 25_000) < 4 * 50_000 / np.sqrt(12 * 5_000)
    assert np.histogram(found, 10)[0].min() > 400


def test_neither_the_order_of_rows_nor_that_of_batches_matters():
    table = rows(range(20_000))
    order = np.random.default_rng(0).permutation(20_000)
    assert drawn(table.take(pyarrow.array(order)), 2_000, size=333).equals(drawn(table, 2_000))


def test_a_table_that_grows_keeps_what_still_fits_of_its_earlier_rows():
    before = set(drawn(rows(range(20_000)), 2_000)["x"].to_pylist())
    after = set(drawn(rows(range(30_000)), 2_000)["x"].to_pylist())
    assert {number for number in after if number < 20_000} <= before
    larger = set(drawn(rows(range(20_000)), 3_000)["x"].to_pylist())
    assert before <= larger


def test_the_first_rows_are_a_sample_themselves():
    whole = drawn(rows(range(20_000)), 4_000)["x"].to_pylist()
    half = drawn(rows(range(20_000)), 2_000)["x"].to_pylist()
    assert whole[: len(half)] == half


def test_rows_of_one_id_stay_together():
    table = rows(number // 5 for number in range(20_000))
    found = drawn(table, 2_000)["id"].to_pylist()
    assert {found.count(each) for each in set(found)} == {5}


def test_what_is_alike_in_its_id_comes_in_one_order():
    table = pyarrow.table({"id": [f"{number // 5}" for number in range(9_000)], "x": list(range(9_000))})
    order = np.random.default_rng(0).permutation(9_000)
    assert drawn(table.take(pyarrow.array(order)), 2_000).equals(drawn(table, 2_000))


@pytest.mark.parametrize("size", [900, 9_000])
def test_cells_that_are_one_but_written_otherwise_come_in_one_order(size):
    """A table that is sampled, and a small one whose order is asked for."""
    table = pyarrow.table({"id": [f"{number // 3}" for number in range(size)], "x": ["1", "1.0", "01"] * (size // 3)})
    order = pyarrow.array(np.random.default_rng(0).permutation(size))
    one, other = (draw(batches(each), ("id",), 20_000, "t", ordered=("id", "x")).table for each in (table, table.take(order)))
    assert one.equals(other) and not one.equals(table)


def test_columns_of_changing_type_are_hashed_alike():
    """A field of MongoDB that is whole numbers first, then fractions, then missing."""
    numbers = [float(number) for number in range(3_000)]
    typed = pyarrow.table({"a": pyarrow.array(numbers)})
    parts = [
        pyarrow.record_batch({"a": pyarrow.array(range(1_500), pyarrow.int64())}),
        pyarrow.record_batch({"a": pyarrow.array(numbers[1_500:])}),
    ]
    mixed = draw(Batches(("a",), None, lambda: iter(parts)), ("a",), 500, "t").table
    assert mixed["a"].to_pylist() == drawn(typed, 500, ("a",))["a"].to_pylist()


def test_memory_stays_bounded_however_many_rows_there_are():
    """The source makes its batches one by one, and the sample holds on to few of them."""
    kept = sample.Reservoir(2_000, ("id",))
    before = pyarrow.total_allocated_bytes()
    for start in range(0, 300_000, 10_000):
        kept.offer(rows(range(start, start + 10_000)).to_batches()[0])
        assert pyarrow.total_allocated_bytes() - before < 1 << 20
    assert kept.rows(("id", "x"), "t").num_rows <= 2_000


def test_rows_that_are_nearly_all_alike_cannot_be_sampled():
    table = pyarrow.table({"id": ["same"] * 5_000})
    with pytest.raises(TableError, match="as most rows are alike in id.*Name in id"):
        drawn(table, 2_000)


def test_progress_is_told():
    told = []
    draw(batches(rows(range(2_000))), ("id",), 5_000, "t", lambda done, total: told.append((done, total)))
    assert told[-1] == (2_000, 2_000) and len(told) == 3


def test_a_table_without_rows_is_an_error():
    with pytest.raises(TableError, match="t: has columns but no rows"):
        drawn(rows([]), 100)


class Elsewhere:
    """A table that chooses rows itself, in an order of its own, and counts those that it sends."""

    def __init__(self, table: pyarrow.Table) -> None:
        self.table = table.take(pyarrow.array(np.random.default_rng(1).permutation(len(table))))
        self.total = len(table)
        self.asked, self.sent = 0, 0

    def below(self, key, limit):
        self.asked += 1
        for batch in self.table.to_batches(500):
            chosen = batch.filter(pyarrow.array([int(each) < limit for each in row_hashes(batch, key)]))
            self.sent += len(chosen)
            yield chosen

    def drawn(self, most: int, key=("id",)) -> sample.Sample:
        return draw(Batches(tuple(self.table.column_names), None, pytest.fail, preselect=self), key, most, "t")


def test_a_sample_drawn_elsewhere_is_the_one_drawn_here():
    table = rows(range(20_000))
    there = Elsewhere(table)
    found = there.drawn(2_000)
    assert found.table.equals(drawn(table, 2_000)) and found.seen == 20_000
    assert there.asked == 1 and there.sent < 2_500


def test_more_are_asked_for_where_few_ids_are_below_the_limit():
    table = rows([number // 2_000 for number in range(20_000)])
    there = Elsewhere(table)
    assert there.drawn(5_000).table.equals(drawn(table, 5_000)) and there.asked > 1


def test_a_small_table_elsewhere_is_taken_whole_in_the_order_of_its_hashes():
    table = rows(range(900))
    there = Elsewhere(table)
    found = there.drawn(5_000).table
    assert sorted(found["x"].to_pylist()) == list(range(900)) and found.equals(Elsewhere(table).drawn(1_000).table)
    with pytest.raises(TableError, match="t: has columns but no rows"):
        Elsewhere(rows([])).drawn(100)
