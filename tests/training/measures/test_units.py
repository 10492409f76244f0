import numpy as np
import pytest

from slipway.training.data.dataset import read
from slipway.training.measures.units import DRAWS, Units, single, units_of
from tables import charges, problem


def test_the_rows_of_a_unit_are_drawn_together():
    drawn = np.concatenate(list(Units(np.array([0, 1, 0, 2])).draws(0)))
    assert drawn.shape == (DRAWS, 4) and (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_shuffled_targets_stay_with_those_of_their_unit():
    of = np.array([0, 1, 0, 2, 1, 2, 2])
    y = 10 * of + np.array([0, 0, 1, 0, 1, 1, 2])
    given = Units(of).shuffled(y, np.random.default_rng(1))
    sources = {unit: set(given[of == unit] // 10) for unit in range(3)}
    assert all(len(source) == 1 for source in sources.values()) and len(set.union(*sources.values())) == 3
    assert all(list(given[of == unit] % 10) == sorted(given[of == unit] % 10) for unit in (0, 1))
    assert sorted(single(7).shuffled(y, np.random.default_rng(1))) == sorted(y)


def test_units_of_unequal_size_count_for_fewer():
    assert single(50).effective == 50
    assert Units(np.repeat([0, 1], [99, 1])).effective == pytest.approx(1.02, abs=0.001)


def test_in_time_a_unit_is_a_block_of_consecutive_rows():
    time = np.random.default_rng(0).permutation(200).astype(float)
    units = units_of(np.arange(200), time)
    assert (units.sizes == 20).all() and (np.diff(units.of[np.argsort(time)]) >= 0).all()
    assert len(units_of(np.arange(200), np.repeat([1.0, 2.0, 3.0, 4.0], 50)).sizes) == 4, "a moment is not parted"
    assert len(units_of(np.arange(200) % 6, time).sizes) == 6, "fewer groups than blocks"


@pytest.mark.parametrize(("named", "together"), [({"group": "who"}, True), ({"id": "who"}, True), ({"drop": ["who"]}, False)])
def test_rows_of_a_group_or_an_id_are_a_unit(tmp_path, named, together):
    frame = charges(400).assign(who=[f"w{row // 8}" for row in range(400)])
    table = read(problem(tmp_path, frame, "charges", **named))
    units = table.units(table.held)
    assert (len(units.sizes) == table.held.sum() / 8) == together and len(units.of) == table.held.sum()
