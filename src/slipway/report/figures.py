"""Figures of what the answers depend on, where they are worse, and of the data."""

from slipway.model.evaluation import Distribution, Effect, Evaluation, FieldProfile, Importance, LearningPoint, Slice, Slices
from slipway.report.axis import Axis, Kind, spanning
from slipway.report.bars import Bars, Measure, bars_of
from slipway.report.figure import Figure, estimated, numbered
from slipway.report.meanings import GREATER, called, opening
from slipway.report.numbers import aligned, counted, number, percent, share
from slipway.report.plots import Band, Columns, Layer, Line, Whiskers, plot
from slipway.table.dates import show_date
from slipway.table.schema import Schema

MOST_FIELDS = 20
MOST_SLICES = 10
FEWEST_EFFECTS = 2
MOST_LEVELS = 12
KINDS: dict[str, Kind] = {"integer": "whole", "date": "date"}


def importance_figure(importance: tuple[Importance, ...], metric: str, confidence: float) -> Figure:
    """The fields that matter most, with the interval of each."""
    useful = [one for one in importance if one.loss.value > 0][:MOST_FIELDS]
    measures = [
        Measure(one.field, "", amount, one.loss.value, one.loss.low, one.loss.high, one.loss.low > 0)
        for one, amount in zip(useful, aligned([one.loss.value for one in useful]))
    ]
    says = f"How much worse {called(metric)} gets when the values of one field are shuffled among the held-out rows."
    silent = len(importance) - sum(one.loss.low > 0 for one in importance)
    if silent:
        has = "has" if silent == 1 else "have"
        says += f" Of {counted(len(importance), 'field')}, {silent} {has} no measurable influence (grey or hidden)."
    key = _interval(confidence) if any(one.low < one.high for one in measures) else ()
    return Figure("Which fields matter most", says, bars_of(("field", "loss"), measures), key)


def _interval(confidence: float, whose: str = "") -> tuple[tuple[str, str], ...]:
    return (("interval", f"{percent(confidence)} interval{whose}"),)


def effect_figures(found: Evaluation, schema: Schema, target: str) -> list[Figure]:
    """How the answer moves with each of the strongest fields; those without a measurable influence say nothing."""
    needed = {one.field for one in found.importance if one.loss.low > 0}
    effects = [
        one for place, one in enumerate(found.effects) if one.points and (place < FEWEST_EFFECTS or one.field in needed)
    ]
    return [_effect(one, schema, f"probability of {one.of}" if one.of else target) for one in effects]


def _effect(effect: Effect, schema: Schema, answer: str) -> Figure:
    kind: Kind = "share" if effect.of else "number"
    show = share if effect.of else number
    top = max(effect.points, key=lambda point: point.mean)
    least = min(effect.points, key=lambda point: point.mean)
    type_ = next((field.type for field in schema if field.name == effect.field), "number")
    dated = type_ == "date"
    names = [_value(point.at, dated) for point in (least, top)]
    says = f"Lowest at {names[0]} ({show(least.mean)}), highest at {names[1]} ({show(top.mean)}), all other fields unchanged."
    spread = f"{percent(0.8)} of the rows"
    if isinstance(effect.points[0].at, str):
        measures = [Measure(str(one.at), "", show(one.mean), one.mean, one.low, one.high) for one in effect.points]
        return Figure(effect.field, says, bars_of((effect.field, answer), measures), (("interval", spread),))
    points = [(float(one.at), one.mean, one.low, one.high) for one in effect.points]
    x = spanning(effect.field, [at for at, *_ in points], KINDS.get(type_, "number"))
    y = spanning(answer, [end for _, *ends in points for end in ends], kind)
    key = (("main", "mean of all rows"), ("band", spread))
    layers: list[Layer] = [
        Band([(at, low, high) for at, _, low, high in points]),
        Line([(at, mean) for at, mean, _, _ in points]),
    ]
    return Figure(effect.field, says, plot(f"Effect of {effect.field}", says, x, y, layers), key)


def _value(at: float | str, dated: bool) -> str:
    return at if isinstance(at, str) else show_date(round(at)) if dated else number(at)


def worse_parts(slices: Slices) -> list[Slice]:
    """The parts on which the metric is worse than on all rows, the worst first."""
    sign = 1 if slices.metric in GREATER else -1
    return [one for one in slices.worst if sign * (one.estimate.value - slices.whole) < 0]


def slices_figure(slices: Slices, confidence: float) -> Figure:
    """The worst parts of the rows."""
    worse = worse_parts(slices)
    worst = worse[:MOST_SLICES]
    amounts = aligned([one.estimate.value for one in worst])
    measures = [_slice(one, amount) for one, amount in zip(worst, amounts)]
    apart = sum(one.apart for one in worse)
    whole = number(slices.whole)
    says = f"{opening(slices.metric)} on parts of the held-out rows, the worst first. All rows have {whole} (the line). "
    if apart:
        says += f"{apart} of {slices.examined:,} parts {'is' if apart == 1 else 'are'} worse by more than chance (in colour)."
    else:
        says += f"None of {slices.examined:,} parts is worse by more than chance."
    bars = bars_of(("part", called(slices.metric)), measures, slices.whole)
    return Figure("Where it is worse", says, bars, _interval(confidence, ", for all parts at once"))


def _slice(of: Slice, amount: str) -> Measure:
    one = of.estimate
    return Measure(f"{of.field}: {of.part}", counted(of.rows, "row"), amount, one.value, one.low, one.high, of.apart)


def learning_figure(points: tuple[LearningPoint, ...], sentence: str, metric: str, confidence: float) -> Figure:
    """What more rows brought."""
    x = spanning("rows learned from", [float(one.rows) for one in points], zero=True)
    y = spanning(called(metric), [end for one in points for end in (one.estimate.low, one.estimate.high)])
    layers: list[Layer] = [
        Whiskers([(one.rows, one.estimate.low, one.estimate.high) for one in points]),
        Line([(one.rows, one.estimate.value) for one in points], dots=True),
    ]
    table = numbered(("rows", called(metric)), [(f"{one.rows:,}", estimated(one.estimate)) for one in points])
    title = "Would more rows help?"
    key = (("whisker", f"{percent(confidence)} interval"),)
    return Figure(title, sentence, plot(title, sentence, x, y, layers), key, table)


def target_figure(target: Distribution, name: str) -> Figure:
    """How the target is distributed."""
    rows = sum(target.counts) + target.other
    if target.levels:
        top = max(range(len(target.counts)), key=target.counts.__getitem__)
        says = f"{counted(rows, 'row')}; {share(target.counts[top] / max(1, rows))} are {target.levels[top]}."
        return Figure(name, says, _levels(target, name))
    says = f"{counted(rows, 'row')}, {_span(target)}."
    x, y = Axis(name, target.low, target.high), spanning("rows", list(map(float, target.counts)), zero=True)
    return Figure(name, says, plot(f"Distribution of {name}", says, x, y, [Columns(target.edges, target.counts)]))


def _span(found: Distribution) -> str:
    """From the least to the greatest, and what the chart makes of outliers."""
    if found.least is None or found.most is None:
        return f"from {number(found.low)} to {number(found.high)}"
    says = f"from {number(found.least)} to {number(found.most)}"
    if found.low <= found.least and found.most <= found.high:
        return says
    return f"{says}. The first and the last column also count what lies beyond {number(found.low)} and {number(found.high)}"


def _levels(found: Distribution, name: str) -> Bars:
    rows = max(1, sum(found.counts) + found.other)
    measures = [
        Measure(level, share(count / rows), f"{count:,}", count, count, count)
        for level, count in list(zip(found.levels, found.counts))[:MOST_LEVELS]
    ]
    rest = rows - sum(int(one.value) for one in measures)
    if rest:
        measures.append(Measure("all others", share(rest / rows), f"{rest:,}", rest, rest, rest, False))
    return bars_of((name, "rows"), measures)


def described(field: FieldProfile, schema: Schema) -> str:
    """What a field holds, in words."""
    found = field.distribution
    if found.levels:
        more = found.distinct - len(found.levels[:MOST_LEVELS])
        return ", ".join(found.levels[:MOST_LEVELS]) + (f" and {more:,} more" if more > 0 else "")
    ends = next(((one.minimum, one.maximum) for one in schema if one.name == field.name), (None, None))
    low, high = (found.low if ends[0] is None else ends[0]), (found.high if ends[1] is None else ends[1])
    if field.type == "date":
        return f"{show_date(round(low))} to {show_date(round(high))}"
    return f"{number(low)} to {number(high)}"
