"""What should worry whoever relies on a model, derived from its figures; each limit is a rule of thumb."""

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.model.evaluation import Evaluation, Slices
from slipway.report.documents import Documents
from slipway.report.figures import worse_parts
from slipway.report.meanings import GREATER, opening
from slipway.report.numbers import counted, number, percent, share
from slipway.report.summary import beats

FEW_ROWS = 200  # held out: a share of 80 % is then known to about ± 5 points with 90 % confidence
WIDE = 0.5  # of the way from the baseline to the model
DOMINATES = 0.8  # of what all fields together would be missed
MISCALIBRATED = 0.03
UNFOUND = 0.3  # recall
RARE = 0.05
MISSING = 0.3
NOTABLE = 0.1  # of the metric of all rows, or of what it lacks to 1: how much worse some rows are
SUSPICIOUS = {"r2": 0.99, "roc_auc": 0.995, "accuracy": 0.995}
NAMED = 3
FEW = 0.04  # of the rows; of normal errors they make up a quarter of the squares, of double exponential ones three eighths
DECISIVE = 0.5  # of the squared errors
SQUARED = ("rmse", "r2")


@dataclass(frozen=True)
class Worry:
    """A heading, and what it means."""

    title: str
    text: str


def worries(of: Documents) -> list[Worry]:
    """The worries, the gravest first."""
    found = [*_doubts(of), *_too_good(of)]
    if of.evaluation:
        found += [
            *_fields(of, of.evaluation),
            *_tail(of.evaluation),
            *_parts(of.evaluation),
            *_labels(of, of.evaluation),
            *_honesty(of.evaluation),
        ]
    found += [
        *_size(of),
        *(Worry("Note from training", _sentence(note, of)) for note in of.metrics.notes),
    ]
    return found


def _sentence(note: str, of: Documents) -> str:
    """A note with a capital, unless it begins with the name of a column."""
    named = note.startswith(tuple(f"{name} " for name in (*of.schema.names, *of.schema.unlearned)))
    return f"{note if named else note[:1].upper() + note[1:]}".rstrip(".") + "."


def _doubts(of: Documents) -> Iterator[Worry]:
    metrics = of.metrics
    one, dummy = metrics.holdout.metrics[metrics.metric], metrics.holdout.baseline.get(metrics.metric)
    if dummy is None:
        return
    worst = one.low if metrics.greater_is_better else one.high
    if not beats(metrics, worst, dummy):
        name = opening(metrics.metric)
        text = f"{name} may be as bad as {number(worst)}; a baseline that ignores all fields has {number(dummy)}."
        yield Worry("It may be no better than guessing", text)
    elif one.high - one.low > WIDE * abs(dummy - one.value):
        ends = f"{number(one.low)} to {number(one.high)}"
        text = f"{opening(metrics.metric)} lies somewhere from {ends}. More held-out rows narrow this."
        yield Worry("How good it is remains uncertain", text)


def _too_good(of: Documents) -> Iterator[Worry]:
    for name, limit in SUSPICIOUS.items():
        one = of.metrics.holdout.metrics.get(name)
        dummy = of.metrics.holdout.baseline.get(name, 0.0)
        if one and one.value >= limit > dummy:
            check = "Check that no field is written after the fact, and that no row occurs twice under another id."
            text = f"{opening(name)} is {number(one.value)}. {check}"
            yield Worry("It is suspiciously good", text)
            return


def _fields(of: Documents, found: Evaluation) -> Iterator[Worry]:
    losses = [max(0.0, one.loss.value) for one in found.importance]
    needed = {one.field for one in found.importance if one.loss.low > 0}
    top = found.importance[0].field if found.importance else ""
    if len(losses) > 1 and top in needed and max(losses) / sum(losses) >= DOMINATES:
        text = (
            f"Check where {top} comes from: if it is wrong, missing or known only afterwards, the answers are of little use."
        )
        yield Worry(f"One field, {top}, decides nearly everything", text)
    gaps = [f"{one.name} ({share(one.missing)})" for one in found.fields if one.name in needed and one.missing >= MISSING]
    if gaps:
        others = " and others" if len(gaps) > NAMED else ""
        text = f"Rows get poorer answers without {', '.join(gaps[:NAMED])}{others}, which so many rows lack."
        yield Worry("Fields it needs are often missing", text)


def _tail(found: Evaluation) -> Iterator[Worry]:
    """Where squares count, a few rows with large errors may decide the metric; of many rows, a sample tells."""
    if found.residuals is None or found.metric not in SQUARED:
        return
    pairs = zip(found.residuals.actual, found.residuals.predicted)
    squares = sorted(((actual - predicted) ** 2 for actual, predicted in pairs), reverse=True)
    few, all_of_them = max(1, round(FEW * len(squares))), sum(squares)
    if len(squares) < 1 / FEW or sum(squares[:few]) <= DECISIVE * all_of_them:
        return
    sampled = " in a sample" if len(squares) < found.rows else ""
    part = f"{100 * sum(squares[:few]) / all_of_them:.0f}\N{NO-BREAK SPACE}%"
    text = f"{few:,} of {counted(len(squares), 'row')}{sampled} make up {part} of the squared error. Look at these rows first."
    yield Worry("A few rows decide the metric", text)


def _parts(found: Evaluation) -> Iterator[Worry]:
    if not found.slices:
        return
    apart = [one for one in worse_parts(found.slices) if one.apart and _notably(found.slices, one.estimate.value)]
    if not apart:
        return
    named = [f"{one.field}: {one.part} ({number(one.estimate.value)}, {counted(one.rows, 'row')})" for one in apart[:NAMED]]
    more = f", and {len(apart) - NAMED} more" if len(apart) > NAMED else ""
    whole = f"{opening(found.slices.metric)} is {number(found.slices.whole)} over all rows"
    text = f"{whole}, but worse for {'; '.join(named)}{more}."
    yield Worry("It is clearly worse for some rows", text)


def _notably(slices: Slices, value: float) -> bool:
    """Whether a part's value is worse by more than what nobody would notice."""
    difference = abs(value - slices.whole)
    room = 1 - slices.whole if slices.metric in GREATER else slices.whole
    return difference >= NOTABLE * room > 0


def _labels(of: Documents, found: Evaluation) -> Iterator[Worry]:
    unfound = [(line.label, line.recall.value) for line in found.classes if line.recall and line.recall.value < UNFOUND]
    if unfound:
        named = ", ".join(f"{label} ({share(recall)})" for label, recall in unfound[:NAMED])
        yield Worry("Some labels are rarely found", f"Of the rows that have them, it finds few: {named}.")
    rows = sum(line.rows for line in found.classes)
    rare = next((line.rows for line in found.classes if line.label == of.positive), rows)
    if rows and rare / rows < RARE:
        text = (
            f"Only {share(rare / rows)} of the held-out rows are {of.positive}: look at precision and recall, not at accuracy."
        )
        yield Worry(f"{of.positive} is rare", text)


def _honesty(found: Evaluation) -> Iterator[Worry]:
    if found.reliability and found.reliability.error.value > max(MISCALIBRATED, found.reliability.chance):
        points = number(round(100 * found.reliability.error.value, 1))
        yield Worry(
            "Probabilities are poorly calibrated",
            f"They are off by {points} points on average. Use them to rank, not to count.",
        )
    for level in found.intervals.levels if found.intervals else ():
        if level.coverage.high < level.level:
            held = share(level.coverage.value)
            text = f"Intervals of {percent(level.level)} contain the actual value in only {held} of the held-out rows."
            yield Worry("Prediction intervals are too narrow", text)


def _size(of: Documents) -> Iterator[Worry]:
    rows = of.metrics.holdout.rows
    if rows < FEW_ROWS:
        yield Worry(
            "Few rows were held out",
            f"All figures rest on {counted(rows, 'row')}: differences of a few per cent may be chance.",
        )
