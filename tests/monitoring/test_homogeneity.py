import os
import subprocess
import sys
from math import asin, comb, sqrt

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from slipway.monitoring.bins import Column
from slipway.monitoring.homogeneity import compare, wobble
from watched import number, shifted


def levels(*counts: int) -> Column:
    return Column("answer/label", "label", (), np.array(counts), sum(counts), levels=tuple(map(str, range(len(counts)))))


def test_a_shape_is_compared_by_the_chi_squared_test_of_homogeneity():
    found = np.array([30, 80, 90])
    p, effect = compare(found, levels(200, 300, 500))
    oracle = chi2_contingency([found, [200, 300, 500]], correction=False)
    assert p[-1] == pytest.approx(oracle.pvalue)
    assert effect[-1] == pytest.approx(sqrt((oracle.statistic - 2) * (1 / 200 + 1 / 1_000)))


@pytest.mark.parametrize(
    "usual, found, piled",
    [
        ((10, 490, 20, 480), (3, 43, 5, 49), [[8, 43, 49], [30, 490, 480]]),  # 1 and 2 of 100 expected: not enough together
        ((30, 480, 30, 460), (3, 48, 3, 46), [[6, 48, 46], [60, 480, 460]]),  # 3 and 3 of 100 expected
        ((50, 450, 500), (9, 41, 50), [[9, 41, 50], [50, 450, 500]]),  # 5 of 100 expected
    ],
)
def test_the_rarest_bins_are_piled_until_each_expects_five_rows(usual, found, piled):
    if piled[1][0] == 30:  # then the next one joins them
        piled = [[found[0] + found[2] + found[3], found[1]], [usual[0] + usual[2] + usual[3], usual[1]]]
    p, _ = compare(np.array(found), levels(*usual))
    assert p[-1] == pytest.approx(chi2_contingency(piled, correction=False).pvalue)


def test_a_small_reference_piles_too():
    p, _ = compare(np.array([300, 300, 400]), levels(4, 6, 10))
    assert p[-1] == pytest.approx(chi2_contingency([[600, 400], [10, 10]], correction=False).pvalue)


@pytest.mark.parametrize("found", [(0, 0, 0), (2, 1, 0)])
def test_too_few_ordinary_values_say_nothing_of_the_shape(found):
    p, effect = compare(np.array(found), levels(200, 300, 500))
    assert (p.tolist(), effect.tolist()) == ([1], [0])


@pytest.mark.parametrize("shift, least, most", [(0.25, 0.235, 0.25), (0.5, 0.47, 0.52)])
def test_the_effect_is_about_the_shift_in_standard_deviations(shift, least, most):
    for rows in (1_000, 100_000):
        _, effect = compare(np.round(rows * shifted(shift)), number())
        assert least < sqrt(effect[-1] ** 2 + 9 * (1 / rows + 1 / 10_000)) < most + 0.05


@pytest.mark.parametrize("rows", [200, 1_000, 10_000])
def test_windows_without_drift_have_uniform_p_and_hardly_an_effect(rows):
    random = np.random.default_rng(rows)
    found = [
        compare(random.multinomial(rows, np.full(10, 0.1), 50), levels(*random.multinomial(5_000, np.full(10, 0.1))))
        for _ in range(100)
    ]
    p, effects = np.stack(found)[..., -1].transpose(1, 0, 2)
    assert [np.mean(p < limit) for limit in (0.5, 0.05)] == pytest.approx([0.5, 0.05], abs=0.05)
    assert np.median(effects) < 0.01 and np.mean(effects < 0.2) > 0.9


def test_a_share_is_compared_exactly():
    found = np.array([0, 15, 0, 0, *np.full(10, 10)])
    p, effect = compare(found, number(rows=500, missing=0.0))
    assert p[1] == pytest.approx(2 * comb(115, 15) / comb(615, 15))
    assert effect[1] == pytest.approx(sqrt((2 * asin(sqrt(15 / 115))) ** 2 - 1 / 115 - 1 / 500))
    assert p[[0, 2, 3]].tolist() == [1, 1, 1] and effect[[0, 2, 3]].tolist() == [0, 0, 0]


def test_fewer_missing_cells_are_a_difference_too():
    p, effect = compare(np.array([0, 0, 0, 0, *np.full(10, 100)]), number(missing=0.2))
    assert p[1] < 1e-50 and effect[1] == pytest.approx(2 * asin(sqrt(0.2)), abs=0.01)


def test_one_value_beyond_the_range_is_no_evidence_however_many_rows_training_had():
    found = np.array([0, 0, 0, 1, *np.full(10, 100)])
    p, effects = compare(found, number(rows=100_000, missing=0.0))
    assert p[3] == 1 and 0 < effects[3] < 0.1


def test_windows_are_compared_at_once_as_one_by_one():
    random = np.random.default_rng(1)
    found = random.multinomial([[50], [300], [4_000]], shifted(0.2), (3, 4))
    p, effect = compare(found, number())
    assert p.shape == effect.shape == (3, 4, 5)
    for place in np.ndindex(3, 4):
        alone = compare(found[place], number())
        assert alone[0].tolist() == p[place].tolist() and alone[1].tolist() == effect[place].tolist()


def days_of(shifts: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    return np.array([random.multinomial(rows, shifted(shift)) for shift in shifts])


@pytest.mark.parametrize("rows", [100, 1_000])
@pytest.mark.parametrize("true", [0.0, 0.1, 0.3])
def test_the_wobble_of_days_is_told_from_their_noise(rows, true):
    random = np.random.default_rng(2)
    squares = [wobble(days_of(random.normal(0, true, 200), rows, random), number())[-1] ** 2 for _ in range(8)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(true, rel=0.15, abs=0.05)


def test_a_lasting_change_is_no_wobble():
    random = np.random.default_rng(3)
    days = days_of(np.repeat([0, 0.5], 14), 1_000, random)
    assert 4 * wobble(days, number())[-1] < 0.35


def test_the_wobble_of_a_share_is_its_own():
    random = np.random.default_rng(4)
    shares = 0.2 + 0.05 * np.tile([-1, 1], 30)
    days = np.array([random.multinomial(2_000, shifted(missing=share)) for share in shares])
    found = wobble(days, number())
    assert found[1] == pytest.approx(sqrt(2) * 0.05 / 0.4, rel=0.1), "deviations of ± 0.05, always the other way next day"
    assert found[-1] < 0.04 and found[[0, 2, 3]].tolist() == [0, 0, 0]


def test_days_without_rows_do_not_disturb_the_wobble():
    days = np.array([np.zeros(14), 1_000 * shifted(), np.zeros(14)])
    assert wobble(days, number()).tolist() == [0, 0, 0, 0, 0]


def test_a_look_loads_what_an_exact_tail_needs_only_for_one():
    """Which is more than half of the time that slipway watch takes to start."""
    told = "import sys, slipway.monitoring.watched; print('scipy.stats' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", told],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        == "False\n"
    )
