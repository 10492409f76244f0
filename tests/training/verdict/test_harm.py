"""Harm on a part of the rows: how often an equal challenger is refused, and a worse one."""

from dataclasses import replace

import numpy as np
import pytest

from slipway.model.metrics import Scored
from slipway.model.row_losses import losses_of
from slipway.training.measures.units import Units, single
from slipway.training.verdict.harm import Part, harms, told, untested

ROWS = 3_000
LEVELS = (3, 5, 8, 14)  # of each field: 30 in all


def part(name: str, new: np.ndarray, old: np.ndarray, units: Units | None = None) -> Part:
    """A part where the errors of both models are these."""
    zeros = np.zeros(len(new))
    return Part(name, Scored(zeros, new), Scored(zeros, old), units or single(len(new)))


def take(whole: Part, name: str, rows: np.ndarray) -> Part:
    return Part(name, whole.challenger.take(rows), whole.champion.take(rows), single(int(rows.sum())))


def levels(random: np.random.Generator) -> list[np.ndarray]:
    fields = [random.integers(0, number, ROWS) for number in LEVELS]
    return [codes == code for codes in fields for code in range(codes.max() + 1)]


def close(random: np.random.Generator, rows: int) -> Part:
    """Two models that share most of their errors."""
    shared = random.standard_t(3, rows)
    return part("", shared + 0.5 * random.normal(size=rows), shared + 0.5 * random.normal(size=rows))


def unlike(random: np.random.Generator, rows: int) -> Part:
    """Errors of the same mean, of which the champion has few and large ones."""
    return part("", np.exp(1.125) * random.uniform(0.5, 1.5, rows), np.exp(1.5 * random.normal(size=rows)))


def unsure(random: np.random.Generator, rows: int) -> Part:
    """Probabilities that are off by as much, each model by itself."""
    truth = 2 * random.normal(size=rows)
    y = (random.random(rows) < 1 / (1 + np.exp(-truth))).astype(int)
    both = [Scored(y, 1 / (1 + np.exp(-truth - random.normal(size=rows))), 0.5) for _ in range(2)]
    return Part("", *both, single(rows))


def rare(random: np.random.Generator, rows: int) -> Part:
    """Costs of the same mean: the champion misses few positives at 500 each, the challenger gives many false alarms at 10."""
    kind = random.random(rows)
    y, costs = (kind < 0.01).astype(int), (10.0, 500.0)
    alarms = (kind < 0.01) | (random.random(rows) < 0.505)
    return Part("", Scored(y, alarms.astype(float), 0.5, costs), Scored(y, np.zeros(rows), 0.5, costs), single(rows))


@pytest.mark.parametrize(("made", "metric"), [(close, "rmse"), (unlike, "rmse"), (unsure, "roc_auc"), (rare, "cost")])
def test_an_equal_challenger_is_seldom_refused(made, metric):
    """In at most 5 % of 400 runs and 2 standard errors, with a cohort, an anchor set and 28 levels."""
    refused = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        whole = made(random, ROWS)
        parts = [take(whole, f"level {place}", rows) for place, rows in enumerate(levels(random)) if rows.sum() >= 200]
        found = harms([*parts, made(random, 200), made(random, 100)], whole, metric, 0.9)
        refused += any(harm.refused for harm in found)
    assert len(found) > 24
    assert refused <= 20 + 2 * np.sqrt(19), refused


def grouped(random: np.random.Generator, groups: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors that the rows of a group share, another one for each model."""
    of = np.repeat(np.arange(groups), size)
    new, old = (random.normal(size=groups)[of] + 0.5 * random.normal(size=groups * size) for _ in range(2))
    return new, old, of


def test_rows_that_belong_together_are_no_proof_one_by_one():
    """Twelve levels of twenty groups of ten rows: as rows, they refuse an equal challenger in most of 400 runs."""
    together, alone = 0, 0
    for seed in range(400):
        new, old, of = grouped(np.random.default_rng(seed), 240, 10)
        found = []
        for units in (Units, lambda of: single(len(of))):
            inside = [of % 12 == level for level in range(12)]
            parts = [part("", new[rows], old[rows], units(of[rows] // 12)) for rows in inside]
            found.append(any(harm.refused for harm in harms(parts, part("", new, old, units(of)), "rmse", 0.9)))
        together, alone = together + found[0], alone + found[1]
    assert together <= 20 + 2 * np.sqrt(19) and alone > 100, (together, alone)


def test_a_challenger_that_is_30_percent_worse_in_one_level_of_400_rows_is_refused_in_most_runs():
    """Both with the same noise in the target, of which each model explains another part."""
    refused = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        shared, worse = random.normal(size=ROWS), np.arange(ROWS) < 400
        old = shared + 0.5 * random.normal(size=ROWS)
        whole = part("", (shared + 0.5 * random.normal(size=ROWS)) * np.where(worse, 1.3, 1.0), old)
        parts = [take(whole, f"level {place}", rows) for place, rows in enumerate(levels(random)) if rows.sum() >= 200]
        found = harms([*parts, take(whole, "worse", worse)], whole, "rmse", 0.9)
        refused += found[0].refused and found[0].name == "worse"
    assert refused >= 75, refused


def noise(rows: int, size: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, rows)


WHOLE = part("", noise(1_000, 1, 0), noise(1_000, 1, 1))


def test_each_part_is_told_with_both_losses_the_rows_and_an_interval():
    worse, same = (
        part("smoker = yes", noise(400, 2, 2), noise(400, 1, 3)),
        part("smoker = no", noise(400, 1, 4), noise(400, 1, 5)),
    )
    found = harms([same, worse], WHOLE, "rmse", 0.9)
    assert [(harm.name, harm.rows, harm.refused) for harm in found] == [
        ("smoker = yes", 400, True),
        ("smoker = no", 400, False),
    ]
    harm = found[0]
    assert harm.challenger == pytest.approx(np.abs(noise(400, 2, 2)).mean())
    assert harm.champion == pytest.approx(np.abs(noise(400, 1, 3)).mean())
    assert 0 < harm.low < harm.challenger - harm.champion < harm.high and harm.chance < 1e-6
    (says,) = told(found, "absolute_error")
    assert says.startswith(
        f"harm on smoker = yes: absolute error {harm.challenger:.4g} against the champion's {harm.champion:.4g}"
    )
    assert f"{harm.challenger - harm.champion:.4f} more ({harm.low:.4f} to {harm.high:.4f})" in says
    assert says.endswith("beyond the tolerance of 5%, and not by chance")


def test_no_harm_is_no_proof_that_there_is_none():
    (says,) = told(harms([WHOLE, WHOLE], WHOLE, "rmse", 0.9), "absolute_error")
    assert says == "no harm was shown on 2 parts of the rows, which does not prove that there is none"


def test_many_harms_are_not_all_told():
    found = harms([part(f"level {each}", noise(400, 2, each), noise(400, 1, 100)) for each in range(8)], WHOLE, "rmse", 0.9)
    says = told(found, "absolute_error")
    assert len(says) == 6 and says[-1] == "harm on 3 more parts"


def test_more_parts_ask_for_more():
    """Holm: the smallest of m chances times m, the next one times m - 1, and none below the one before."""
    one = part("one", noise(400, 1.2, 6), noise(400, 1, 7))
    (alone,), found = harms([one], WHOLE, "rmse", 0.9), harms([one, one, WHOLE], WHOLE, "rmse", 0.9)
    assert 0 < alone.chance < 0.3
    assert [harm.chance for harm in found[:2]] == [pytest.approx(3 * alone.chance)] * 2
    assert alone.challenger == found[0].challenger


def test_within_the_tolerance_is_no_harm():
    """4 % more in each row is beyond any doubt, and allowed; 6 % more is not."""
    old = 5 + noise(1_000, 1, 8)
    refused = [harms([part("one", more * old, old)], WHOLE, "rmse", 0.9)[0].refused for more in (1.04, 1.06)]
    assert refused == [False, True]


def test_the_errors_of_a_level_of_small_numbers_are_measured_by_its_own():
    """Where one row of the others may cost more than the whole level."""
    old = np.concatenate([noise(2_600, 100, 9), noise(400, 1, 10)])
    new = np.concatenate([noise(2_600, 100, 11), noise(400, 1.5, 12)])
    found = harms([part("small", new[2_600:], old[2_600:])], part("", new, old), "rmse", 0.9)
    assert found[0].refused


@pytest.mark.parametrize(("new", "old", "refused"), [(1.0, 0.0, True), (0.0, 0.0, False), (0.0, 1.0, False)])
def test_losses_that_do_not_vary(new, old, refused):
    same = part("one", np.full(100, new), np.full(100, old))
    assert harms([same], same, "rmse", 0.9)[0].refused == refused


def test_groups_of_unequal_size_that_say_the_same_leave_no_doubt():
    units = Units(np.repeat(np.arange(5), [10, 20, 30, 40, 100]))
    (harm,) = harms([part("one", np.full(200, 3.0), np.full(200, 1.0), units)], WHOLE, "rmse", 0.9)
    assert (harm.low, harm.high) == (pytest.approx(2), pytest.approx(2)) and harm.refused


def test_a_part_of_too_few_groups_is_not_tested():
    few = part("few", noise(400, 2, 2), noise(400, 1, 3), Units(np.arange(400) // 200))
    assert harms([few], WHOLE, "rmse", 0.9) == ()


def test_the_loss_is_that_of_the_metric():
    y, scores = np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9])
    scored = Scored(y, scores, 0.3, (1.0, 5.0))
    assert losses_of(scored, labels=True)["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.9]))
    assert losses_of(replace(scored, threshold=0.5), labels=True)["error"].tolist() == [0, 1, 0]
    assert losses_of(replace(scored, threshold=0.5), labels=True)["cost"].tolist() == [0, 5, 0]
    several = Scored(np.array([2.0]), np.array([[0.2, 0.3, 0.5]]))
    assert losses_of(several, labels=True)["log_loss"] == pytest.approx([-np.log(0.5)])


def test_parts_of_too_few_units_are_not_tested_and_told():
    new, old = noise(400, 2, 2), noise(400, 1, 3)
    few = [part(f"branch = {place}", new, old, Units(np.arange(400) % 2)) for place in range(7)]
    enough = part("smoker = yes", new, old, Units(np.arange(400) % 4))
    assert [harm.name for harm in harms([*few, enough], WHOLE, "rmse", 0.9)] == ["smoker = yes"]
    (sentence,) = untested([*few, enough])
    assert sentence.startswith("not tested, because their rows are of too few groups or moments: branch = 0 (400 rows), ")
    assert sentence.endswith("branch = 4 (400 rows), 2 more")
    assert untested([enough]) == []
