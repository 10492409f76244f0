"""The first screen in words: the question, the answer, how it compares, and what to do."""

from slipway.model.contents import IMPORTED, Estimate, Metrics
from slipway.report.documents import Documents, Verdict
from slipway.report.meanings import MEANINGS, called, opening
from slipway.report.numbers import aligned, counted, number, percent, share


def question(of: Documents) -> str:
    """What the model is for; in the words of slipway.yaml, if it has some."""
    if of.purpose:
        return of.purpose
    return f"Predicting {of.model.target} from {counted(len(of.schema.names), 'field')}"


def origin(of: Documents) -> str:
    """Which rows the model was fitted to, and which model the figures come from."""
    rows = of.model.rows
    if of.model.kind == IMPORTED:
        return f"It was fitted elsewhere. The figures come from {counted(rows.holdout, 'row')} that were held out here."
    fitted, held = f"Fitted to {counted(rows.training, 'row')}", f"{rows.holdout:,}"
    if not rows.twin:
        return f"{fitted}. The figures come from {counted(rows.holdout, 'row')} that were held out."
    if rows.twin == rows.training:
        return f"{fitted} and tested on the other {held}."
    return (
        f"{fitted}. The figures come from a second model with the same settings, fitted to {counted(rows.twin, 'row')} and "
        f"tested on the other {held}."
    )


def headline(metrics: Metrics) -> tuple[str, str, str]:
    """The deciding metric: its name, its value, and how sure that is."""
    name, one = metrics.metric, metrics.holdout.metrics[metrics.metric]
    value, low, high = aligned([one.value, one.low, one.high])
    return (
        called(name),
        value,
        f"{percent(metrics.confidence)} interval {low} to {high}; {MEANINGS.get(name, '')}".rstrip("; "),
    )


def answers(of: Documents) -> list[str]:
    """How good, how sure, in sentences."""
    told = {"regression": _numbers, "binary": _two, "multiclass": _several}[of.model.task](of)
    return [*told, against_baseline(of.metrics)]


def _numbers(of: Documents) -> list[str]:
    found, rows = of.metrics.holdout.metrics, counted(of.metrics.holdout.rows, "row")
    told = []
    if "mae" in found:
        one, dummy = found["mae"], of.metrics.holdout.baseline.get("mae")
        value, low, high = aligned([one.value, one.low, one.high])
        told.append(f"On {rows} that were held out, its answers were off by {value} on average ({low} to {high}).")
        if dummy is not None:
            told.append(f"A constant answer would be off by {number(dummy)} on average.")
    if of.evaluation and of.evaluation.intervals:
        level = min(of.evaluation.intervals.levels, key=lambda each: abs(each.level - 0.9))
        below, above = sorted(level.below), sorted(level.above)
        middle = len(below) // 2
        under, over = number(below[middle]), number(above[middle])
        within = f"within ±{over}" if under == over else f"between {under} below and {over} above"
        told.append(f"For a medium-sized answer, the actual value is {within} in {percent(level.level)} of cases.")
    return told


def _right(of: Documents) -> list[str]:
    found, rows = of.metrics.holdout.metrics, counted(of.metrics.holdout.rows, "row")
    if "accuracy" not in found:
        return []
    one = found["accuracy"]
    told = f"Of {rows} that were held out, it labelled {share(one.value)} correctly ({share(one.low)} to {share(one.high)})"
    classes = of.evaluation.classes if of.evaluation else ()
    if not classes:
        return [f"{told}."]
    commonest = max(classes, key=lambda line: line.rows)
    always = share(commonest.rows / sum(line.rows for line in classes))
    return [f"{told}; always answering {commonest.label} would be right for {always}."]


def _two(of: Documents) -> list[str]:
    told = _right(of)
    found = of.metrics.holdout.metrics
    if "roc_auc" in found:
        pairs = share(found["roc_auc"].value)
        told.append(
            f"Given one {of.positive} row and one other row, it ranks the {of.positive} one higher {pairs} of the time; "
            f"chance is {percent(0.5)}."
        )
    line = next((each for each in of.evaluation.classes if each.label == of.positive), None) if of.evaluation else None
    if line and line.recall:
        told.append(f"It finds {share(line.recall.value)} of the {of.positive} rows." + _when(line.precision, of.positive))
    return told


def _when(precision: Estimate | None, positive: str) -> str:
    return f" When it answers {positive}, it is right in {share(precision.value)}." if precision else ""


def _several(of: Documents) -> list[str]:
    told = _right(of)
    found = of.metrics.holdout.metrics
    if "balanced_accuracy" in found:
        told.append(f"With every label counted alike, {share(found['balanced_accuracy'].value)} are right.")
    return told


def against_baseline(metrics: Metrics) -> str:
    """How sure it is that the model is better than one that ignores all fields."""
    name, one = metrics.metric, metrics.holdout.metrics[metrics.metric]
    dummy = metrics.holdout.baseline.get(name)
    if dummy is None:
        return "It was not compared with a baseline."
    reached = f"a baseline that ignores all fields, {number(dummy)}"
    worst, best = (one.low, one.high) if metrics.greater_is_better else (one.high, one.low)
    if beats(metrics, worst, dummy):
        return f"Even the worse end of its interval ({number(worst)}) beats {reached}."
    if beats(metrics, one.value, dummy):
        return f"It beats {reached}, but not beyond doubt: the worse end of its interval is {number(worst)}."
    return f"It does not beat {reached}."


def beats(metrics: Metrics, value: float, other: float) -> bool:
    """Whether one value of the deciding metric is better than another."""
    return value > other if metrics.greater_is_better else value < other


def comparison(of: Documents) -> str:
    """Better than what ran before, by how much, and how sure? Empty when nothing was measured."""
    met = of.verdict.figures
    if met is None:
        return ""
    new, old = number(met.challenger), number(met.against)
    gain, low, high = aligned([met.gain, met.low, met.high])
    rival = "the champion" if met.rival == "champion" else "a baseline that ignores all fields"
    reached = f"{opening(met.metric)} {new} on {counted(met.rows, 'row')}, {rival} {old} on the same"
    return f"{reached}: a gain of {gain} ({percent(met.confidence)} interval {low} to {high}). {_sure(of.verdict)}"


def _sure(verdict: Verdict) -> str:
    """Whether the gain is real; asked as the gate asked."""
    met = verdict.figures
    if met is None or met.gain <= 0:
        return "It is not better."
    if met.chance > met.allowed:
        return "It may be chance."
    if any(harm.refused for harm in met.harms):
        return "But it does harm on a part of the rows: see the reasons."
    return (
        "But these figures cannot be trusted: see the first reason."
        if verdict.doubted
        else "The gain is statistically significant."
    )


def _instead(verdict: Verdict) -> str:
    """What to do with a model that was kept from production."""
    if verdict.doubted:
        return "Do what the first reason says, in slipway.yaml, and train again"
    if verdict.figures is None and not verdict.against:
        return "Add rows, and train again"
    if verdict.figures and verdict.figures.rival == "baseline":
        return "Improve it: add rows or fields, and train again"
    return "Keep what runs now"


def advice(of: Documents, worries: int) -> str:
    """What to do."""
    points = "point" if worries == 1 else f"{worries} points"
    first = f"Read the {points} under “What should worry you” first. " if worries else ""
    outcome = of.verdict.outcome
    if of.served or of.digest and of.digest == of.verdict.against:
        return f"This model runs now. {first}When the data changes, train again: the gate keeps the better model."
    alone = of.verdict.figures and of.verdict.figures.rival == "baseline"
    if outcome == "promoted":
        then, goes = "Then commit" if first else "Commit", "goes to production" if alone else "replaces what runs now"
        return f"{first}{then} artifacts/ and push: this model {goes}."
    if outcome == "kept":
        return f"{_instead(of.verdict)}. To serve this model all the same: slipway promote {of.digest[:12]}."
    one, dummy = of.metrics.holdout.metrics[of.metrics.metric], of.metrics.holdout.baseline.get(of.metrics.metric)
    worst = one.low if of.metrics.greater_is_better else one.high
    if dummy is not None and not beats(of.metrics, worst, dummy):
        return (
            "Do not rely on it: it may be no better than a model that ignores all fields. Add rows or fields, and train again."
        )
    return f"{first}{'Then decide' if first else 'Decide'} whether answers this good serve the purpose; they do beat guessing."
