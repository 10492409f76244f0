"""What speaks against learning from new labels: each guard fires on what it is for, and hardly ever by chance."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from slipway.monitoring.arrivals import Arrivals, Told
from slipway.monitoring.cohorts import Day
from slipway.monitoring.guards import corrections, delayed, doubts, one_client, uncovered, unlike_sources

CLASSES = ("N", "Y")
SEEDS = 400


def readable(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("labels, corrected, fires", [(300, 20, True), (300, 19, False), (400, 20, False), (19, 19, False)])
def test_many_corrections(labels, corrected, fires):
    said = corrections(labels, corrected)
    assert bool(said) is fires
    if fires:
        assert readable(said).startswith("20 of the 300 labels of the last 7 days (6.7 %) correct an earlier one")


@pytest.mark.parametrize(
    "before, new, fires",
    [
        ({"a": 700, "b": 300}, {"b": 80, "c": 140}, True),
        ({"a": 800, "b": 200}, {"a": 90, "b": 110}, True),
        ({"a": 700, "b": 300}, {"a": 80, "b": 140}, False),  # it had more than a quarter before
        ({"a": 1_000}, {"c": 300}, False),  # a second client
        ({"a": 800, "b": 200}, {"a": 80, "b": 119}, False),  # fewer than 200
        ({"a": 800, "b": 200}, {"a": 110, "b": 110}, False),
        ({}, {}, False),
    ],
)
def test_one_client_with_most_of_the_new_rows(before, new, fires):
    said = one_client(before, new)
    assert bool(said) is fires
    if "c" in new and fires:
        assert "The client with the API key c asked for 140 of 220 labelled rows (63.6 %) of the last 7 days" in readable(said)
        assert "and for 0.0 % of the earlier ones" in readable(said)


def drawn(random, share: float, rows: int = 300) -> np.ndarray:
    return np.where(random.random(rows) < share, "Y", "N").astype(object)


def told(random, new: float, before: float) -> Told:
    """The labels of a source, with these shares of Y."""
    return Told(drawn(random, new), drawn(random, before, 600))


def test_a_source_unlike_the_others():
    random = np.random.default_rng(0)
    sources = {"clinic_a.csv": told(random, 0.2, 0.2), "clinic_b.csv": told(random, 0.6, 0.2)}
    [said] = [each for each in unlike_sources(sources, CLASSES) if "clinic_b" in each]
    assert "of clinic_b.csv are unlike those of other sources" in said and said.count("\N{NO-BREAK SPACE}%") == 2


@pytest.mark.parametrize(
    "sources",
    [
        {"a": (0.2, 0.2), "b": (0.6, 0.6)},  # it always differed
        {"a": (0.6, 0.2), "b": (0.6, 0.2)},  # the world changed for both
        {"a": (0.6, 0.2)},  # nothing to compare with
    ],
)
def test_sources_that_are_no_alarm(sources):
    random = np.random.default_rng(1)
    assert unlike_sources({name: told(random, *shares) for name, shares in sources.items()}, CLASSES) == []


def test_others_that_are_silent_this_week_are_compared_by_their_earlier_labels():
    random = np.random.default_rng(3)
    sources = {
        "a": Told(drawn(random, 0.2, 10), drawn(random, 0.2, 600)),
        "b": Told(drawn(random, 0.6), drawn(random, 0.2, 0)),
    }
    assert len(unlike_sources(sources, CLASSES)) == 1
    assert unlike_sources({**sources, "a": Told(drawn(random, 0.2, 10), drawn(random, 0.2, 180))}, CLASSES) == []


def test_a_new_source_and_numbers_are_compared_too():
    random = np.random.default_rng(2)
    usual, other = (np.array(list(map(repr, random.normal(mean, 3, 900).tolist())), dtype=object) for mean in (10, 14))
    old, none = Told(usual[:300], usual[300:]), usual[:0]
    [said] = [each for each in unlike_sources({"a": old, "b": Told(other[:300], none)}, ()) if "of b" in each]
    assert "on average there" in said
    assert unlike_sources({"a": old, "b": Told(usual[300:600], none)}, ()) == []


def days(*spans: tuple[int, float, float]) -> list[Day]:
    """Matured days, of each span so many: the share of 100 rows that have a label, and how many hours labels take."""
    each = [span for span in spans for _ in range(span[0])]
    start = date(2026, 11, 1)
    return [
        Day(start + timedelta(place), 100, round(100 * share), True, 3_600 * hours if share else None)
        for place, (_, share, hours) in enumerate(each)
    ]


@pytest.mark.parametrize(
    "spans, fires",
    [
        ([(14, 0.9, 12), (7, 0.9, 48)], True),
        ([(14, 0.9, 12), (7, 0.9, 35)], False),  # less than three times as long
        ([(14, 0.9, 2), (7, 0.9, 20)], False),  # less than a day
        ([(6, 0.9, 12), (7, 0.9, 48)], False),  # too few days before
        ([(14, 0.9, 12), (4, 0.9, 12), (3, 0.9, 90)], False),  # not for most of the week
    ],
)
def test_labels_that_come_late(spans, fires):
    said = delayed(days(*spans))
    assert bool(said) is fires
    if fires:
        assert said == "Labels of 2026-11-15 to 2026-11-21 took 2 days (median), and 0.5 before: repair what brings them."


@pytest.mark.parametrize(
    "spans, fires",
    [
        ([(14, 0.9, 12), (7, 0.4, 12)], True),
        ([(14, 0.9, 12), (7, 0.5, 12)], False),
        ([(14, 0.8, 12), (7, 0.4, 12)], False),  # it was no more than 80 %
        ([(1, 0.9, 12), (7, 0.4, 12)], False),  # too few rows before
    ],
)
def test_labels_that_stay_away(spans, fires):
    said = uncovered(days(*spans))
    assert bool(said) is fires
    if fires:
        assert (
            readable(said)
            == "40.0 % of the rows of 2026-11-15 to 2026-11-21 have a label, and 90.0 % before: repair what brings them."
        )


def test_all_doubts_are_told():
    of = Arrivals(300, 30, {"a": 900, "b": 100}, {"b": 300}, {}, days((14, 0.9, 12), (7, 0.4, 48)))
    assert [readable(said).split()[0] for said in doubts(of, CLASSES)] == ["30", "The", "Labels", "40.0"]
    assert doubts(Arrivals(0, 0, {}, {}, {}, []), CLASSES) == ()


def test_false_alarms_of_sources():
    """Three sources that are alike, of which each brings 300 labels a week: by design at most one alarm in a year of looks."""
    alarms = 0
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        share = random.uniform(0.02, 0.5)
        alarms += bool(unlike_sources({name: told(random, share, share) for name in "abc"}, CLASSES))
    assert alarms <= 3  # 400 / 365, and two standard errors


def test_false_alarms_of_clients():
    """Rows come in batches of ten of one client, of which the largest asks for just below a quarter."""
    alarms = 0
    for seed in range(SEEDS):
        batches = np.random.default_rng(seed).choice(5, size=200, p=[0.24, *[0.19] * 4])
        before, new = (10 * np.bincount(each, minlength=5) for each in (batches[:180], batches[180:]))
        alarms += bool(one_client(dict(zip("abcde", before.tolist())), dict(zip("abcde", new.tolist()))))
    assert alarms <= 0.01 * SEEDS


def test_false_alarms_of_delay_and_coverage():
    """Labels take half a day to a day, wobbling by half from day to day; nine of ten rows have one, wobbling by a tenth."""
    late = missing = 0
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        delays = random.uniform(43_200, 86_400) * random.lognormal(0, 0.5, 28)
        labelled = random.binomial(100, random.normal(0.9, 0.1, 28).clip(0, 1))
        made = [
            replace(day, labelled=int(count), delay=float(delay))
            for day, count, delay in zip(days((28, 0.9, 12)), labelled, delays)
        ]
        late, missing = late + bool(delayed(made)), missing + bool(uncovered(made))
    assert late <= 0.01 * SEEDS and missing == 0
