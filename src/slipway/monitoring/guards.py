"""When not to learn from new labels but to ask a person: signs of poisoned labels, and of a broken way that they come.

Each guard is a pure function of a few numbers, and says with these numbers what it found, or nothing. Chance plays a part in
each; the tests simulate how small a one.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from slipway.monitoring.arrivals import Arrivals, Told
from slipway.monitoring.bins import Column
from slipway.monitoring.cohorts import Day
from slipway.monitoring.drift import LOOKS
from slipway.monitoring.homogeneity import SMALL, compare
from slipway.report.numbers import number, share
from slipway.table.cell import numbers

CORRECTED, CORRECTIONS = 0.05, 20  # of the labels of a week, and the fewest
MOSTLY, SELDOM = 0.5, 0.25  # a client's share of the newest labelled rows, and before
ROWS = 200  # the fewest that a share is taken of
WEEK = 7  # days
LATER, SECONDS = 3, 86_400  # how many times as late as before, and at least how late
COVERED, UNCOVERED = 0.8, 0.5
BINS = 10  # of numbers


def doubts(of: Arrivals, classes: Sequence[str]) -> tuple[str, ...]:
    """What speaks against learning from the new labels, a sentence each.

    Parameters
    ----------
    of : Arrivals
    classes : sequence of str
        The labels that the model knows; none when it answers numbers.
    """
    found = [
        corrections(of.labels, of.corrected),
        one_client(of.clients_before, of.clients_new),
        *unlike_sources(of.sources, classes),
        delayed(of.matured),
        uncovered(of.matured),
    ]
    return tuple(filter(None, found))


def corrections(labels: int, corrected: int) -> str:
    """Whether more than 5 % of a week's labels, and at least 20, replace a different one."""
    if corrected < CORRECTIONS or corrected <= CORRECTED * labels:
        return ""
    return (
        f"{corrected:,} of the {labels:,} labels of the last 7 days ({share(corrected / labels)}) correct an earlier one: ask "
        "who corrected them, and why, before a model learns from them."
    )


def one_client(before: Mapping[str, int], new: Mapping[str, int]) -> str:
    """Whether more than half of at least 200 labelled rows of the newest days are of a client with less than a quarter before.

    Where only one client was seen before, a second one is no wonder.
    """
    rows, earlier = sum(new.values()), sum(before.values())
    if rows < ROWS or len(before) < 2:
        return ""
    client, most = max(new.items(), key=lambda each: each[1])
    usual = before.get(client, 0) / earlier
    if most <= MOSTLY * rows or usual >= SELDOM:
        return ""
    return (
        f"The client with the API key {client} asked for {most:,} of {rows:,} labelled rows ({share(most / rows)}) of the "
        f"last 7 days that are judged, and for {share(usual)} of the earlier ones: ask whether these rows are real."
    )


def unlike_sources(sources: Mapping[str, Told], classes: Sequence[str]) -> list[str]:
    """Which sources have new labels unlike those of the others, and unlike their own earlier ones if there are enough.

    A source that always differed is no alarm, and neither is a world that changes for all. Unlike is what the scheme of
    `slipway.monitoring.homogeneity` finds: p < 1 / (365 × sources), and an effect of at least 0.2 standard deviations.
    """
    tested = [name for name, told in sources.items() if len(told.new) >= ROWS]
    said = []
    for name in tested:
        told, rest = sources[name], [other for each, other in sources.items() if each != name]
        others = np.concatenate([other.new for other in rest] or [told.new[:0]])
        if len(others) < ROWS:
            others = np.concatenate([others, *(other.before for other in rest)])
        earlier = len(told.before) < ROWS or _differ(told.new, told.before, classes, len(tested))
        if len(others) >= ROWS and earlier and _differ(told.new, others, classes, len(tested)):
            said.append(_unlike(name, told.new, others, classes))
    return said


def delayed(matured: Sequence[Day]) -> str:
    """Whether labels of the last seven matured days took more than a day, and three times as long as those before."""
    late, earlier = ([day.delay for day in days if day.delay is not None] for days in (matured[-WEEK:], matured[:-WEEK]))
    if len(late) < WEEK or len(earlier) < WEEK:
        return ""
    now, usual = float(np.median(late)), float(np.median(earlier))
    if now <= SECONDS or now <= LATER * usual:
        return ""
    return (
        f"Labels of {matured[-WEEK].day} to {matured[-1].day} took {number(now / SECONDS)} days (median), and "
        f"{number(usual / SECONDS)} before: repair what brings them."
    )


def uncovered(matured: Sequence[Day]) -> str:
    """Whether fewer than 50 % of the rows of the last seven matured days have a label, where more than 80 % had one."""
    shares = []
    for days in (matured[-WEEK:], matured[:-WEEK]):
        rows = sum(day.rows for day in days)
        if rows < ROWS:
            return ""
        shares.append(sum(day.labelled for day in days) / rows)
    now, usual = shares
    if now >= UNCOVERED or usual <= COVERED:
        return ""
    return (
        f"{share(now)} of the rows of {matured[-WEEK].day} to {matured[-1].day} have a label, and {share(usual)} before: "
        "repair what brings them."
    )


def _differ(new: np.ndarray, others: np.ndarray, classes: Sequence[str], tests: int) -> bool:
    p, effect = compare(*_counts(new, others, classes))
    return bool(p[0] < 1 / (LOOKS * tests) and effect[0] >= SMALL)


def _counts(new: np.ndarray, others: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, Column]:
    """Labels of a source, and as the reference those of others: by class, or in ten bins of these."""
    if classes:
        counts, usual = (np.array([(labels == each).sum() for each in classes]) for labels in (new, others))
        return counts, Column("label", "label", (), usual, int(usual.sum()), levels=tuple(classes))
    values, reference = _numbers(new), _numbers(others)
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1])) if len(reference) else np.zeros(0)
    counts, usual = (np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1) for each in (values, reference))
    return counts, Column("label", "label", (), usual, int(usual.sum()), edges=tuple(edges))


def _numbers(labels: np.ndarray) -> np.ndarray:
    """What labels say as numbers; those of an earlier model, which had classes, are left out."""
    values = numbers(labels.tolist())
    known: np.ndarray = values[~np.isnan(values)]
    return known


def _unlike(name: str, new: np.ndarray, others: np.ndarray, classes: Sequence[str]) -> str:
    if classes:
        gap = {each: float((new == each).mean() - (others == each).mean()) for each in classes}
        most = max(gap, key=lambda each: abs(gap[each]))
        here, there = (f"{share(float((labels == most).mean()))} {most}" for labels in (new, others))
    else:
        here, there = (f"{number(float(_numbers(labels).mean()))} on average" for labels in (new, others))
    return (
        f"The {len(new):,} new labels of {name} are unlike those of other sources, {here} there and {there} elsewhere: ask "
        "what is different there before a model learns from them."
    )
