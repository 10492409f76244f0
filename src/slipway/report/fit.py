"""Figures of how well the answers fit: of numbers, of two classes, of several."""

from slipway.model.evaluation import Evaluation, Intervals, Reliability, Residuals, ThresholdPoint
from slipway.report.axis import Axis, spanning
from slipway.report.documents import Documents
from slipway.report.figure import Confusion, Figure, Table, estimated, numbered
from slipway.report.meanings import called
from slipway.report.numbers import aligned, counted, number, percent, share
from slipway.report.plots import Band, Dots, Layer, Line, Rule, Whiskers, plot

DIAGONAL = Line([(0, 0), (1, 1)], "quiet")
HEATS = 5
NEARLY_ALL = 0.6


def fit_figures(of: Documents) -> list[Figure]:
    """What there is of these; none for a bundle without an evaluation."""
    found, target, positive = of.evaluation, of.model.target, of.positive
    drawn: list[Figure] = []
    if found is None:
        return drawn
    if found.residuals:
        drawn += [_fit(found.residuals, target), _errors(found.residuals, target)]
    if found.intervals:
        drawn.append(_intervals(found.intervals))
    if found.confusion:
        drawn.append(_confusion(found))
    if found.curve and found.threshold is not None:
        chosen = min(found.curve, key=lambda point: abs(point.threshold - (found.threshold or 0.0)))
        drawn += [_thresholds(found, chosen, positive), _roc(found, chosen, positive), _precision(found, chosen, positive)]
    if found.reliability:
        drawn.append(_reliability(found, found.reliability, positive))
    if len(found.classes) > 2:
        drawn.append(_classes(found))
    return drawn


def _fit(residuals: Residuals, target: str) -> Figure:
    points = list(zip(residuals.predicted, residuals.actual))
    x = spanning(f"predicted {target}", list(residuals.predicted))
    y = spanning(f"actual {target}", list(residuals.actual))
    low, high = min(x.low, y.low), max(x.high, y.high)
    ends = Axis(x.title, low, high), Axis(y.title, low, high)
    title = "Actual against predicted"
    says = "Each dot is a held-out row. On the line the answer was right; above it the actual value was higher."
    return Figure(title, says, plot(title, says, *ends, [Line([(low, low), (high, high)], "quiet"), Dots(points)]))


def _errors(residuals: Residuals, target: str) -> Figure:
    bands = [band for band in residuals.bands if band.rows]
    middles = [(band.low + band.high) / 2 for band in bands]
    x = spanning(f"predicted {target}", middles)
    y = spanning("actual − predicted", [end for band in bands for end in (band.q10, band.q90)], zero=True)
    layers: list[Layer] = [
        Band([(middle, band.q10, band.q90) for middle, band in zip(middles, bands)]),
        Line([(middle, band.median) for middle, band in zip(middles, bands)], dots=True),
        Rule(y=0),
    ]
    widest = max(bands, key=lambda band: band.q90 - band.q10)
    low, high, least, most = widest.low, widest.high, widest.q10, widest.q90
    says = (
        f"Eight of ten errors lie in the band. It is widest where the answer is {number(low)} to {number(high)}: "
        f"from {number(least)} to {number(most)}."
    )
    key = (("main", "median"), ("band", f"{percent(0.8)} of the errors"))
    rows = [
        (f"{number(band.low)} to {number(band.high)}", f"{band.rows:,}", *aligned([band.q10, band.median, band.q90]))
        for band in bands
    ]
    table = numbered(("predicted", "rows", "10th percentile", "median", "90th percentile"), rows, 1)
    return Figure("Errors by size of the answer", says, plot("Errors by size of the answer", says, x, y, layers), key, table)


def _intervals(found: Intervals) -> Figure:
    even = all(level.below == level.above for level in found.levels)
    head = ("level", "answer ±", "measured") if even else ("level", "below", "above", "measured")
    rows = []
    for level in found.levels:
        widths = [_range(level.above)] if even else [_range(level.below), _range(level.above)]
        rows.append((percent(level.level), *widths, share(level.coverage.value)))
    says = (
        "How far the actual value lies from an answer, at most, in this share of all cases; it depends on the answer's size. "
        "“Measured” is the share of held-out rows whose interval contained the actual value."
    )
    return Figure("Prediction intervals", says, numbered(head, rows, 1))


def _range(widths: tuple[float, ...]) -> str:
    low, high = number(min(widths)), number(max(widths))
    return low if low == high else f"{low} to {high}"


def _confusion(found: Evaluation) -> Figure:
    labels = tuple(line.label for line in found.classes)
    rows = [max(1, sum(row)) for row in found.confusion]
    heat = tuple(tuple(-(-count * HEATS // total) for count in row) for row, total in zip(found.confusion, rows))
    right = sum(row[at] for at, row in enumerate(found.confusion))
    pairs = [
        (count, labels[actual], labels[answered])
        for actual, row in enumerate(found.confusion)
        for answered, count in enumerate(row)
        if actual != answered
    ]
    says = f"{right:,} of {counted(found.rows, 'held-out row')} got the right label."
    count, actual, answered = max(pairs, key=lambda pair: pair[0])
    if count:
        says += f" The most frequent mistake: {actual} answered as {answered}, in {counted(count, 'row')}."
    return Figure("Right and wrong labels", says, Confusion(labels, found.confusion, heat))


def _thresholds(found: Evaluation, chosen: ThresholdPoint, positive: str) -> Figure:
    """By the share of rows that get the positive answer: probabilities of rare classes would all stand at the left end."""
    points = sorted(found.curve, key=lambda point: _flagged(found, point, positive))
    places, here = [_flagged(found, point, positive) for point in points], _flagged(found, chosen, positive)
    x = Axis(f"rows answered {positive}", 0, 1, "share")
    says = f"From a probability of {share(chosen.threshold)} on the answer is {positive}, for {share(here)} of the rows. "
    costs = [(place, point.cost) for place, point in zip(places, points) if point.cost is not None]
    if costs and chosen.cost is not None:
        title = "What a threshold costs"
        least = number(min(cost for _, cost in costs))
        says += f"That costs {number(chosen.cost)} a row; the best threshold for these rows would have cost {least}."
        layers: list[Layer] = [Line(costs), Rule(x=here), Dots([(here, chosen.cost)], radius=4)]
        y = spanning("cost per row", [cost for _, cost in costs], zero=True)
        return Figure(title, says, plot(title, says, x, y, layers))
    title = "What a threshold means"
    says += (
        f"Of these answers {share(chosen.precision)} are right, and {share(chosen.recall)} of all {positive} rows are found. "
        "This is the default: set costs in slipway.yaml, and training chooses the threshold."
    )
    layers = [
        Line([(place, point.precision) for place, point in zip(places, points)]),
        Line([(place, point.recall) for place, point in zip(places, points)], "other"),
        Rule(x=here),
    ]
    key = (
        ("main", "share of its answers that are right (precision)"),
        ("other", f"share of {positive} rows that it finds (recall)"),
        ("rule", "default threshold"),
    )
    return Figure(title, says, plot(title, says, x, Axis("share", 0, 1, "share"), layers), key)


def _flagged(found: Evaluation, point: ThresholdPoint, positive: str) -> float:
    """The share of rows that get the positive answer."""
    base = _base(found, positive)
    return base * point.recall + (1 - base) * point.false_positive_rate


def _base(found: Evaluation, positive: str) -> float:
    """The share of held-out rows that are positive."""
    rows = sum(line.rows for line in found.classes)
    return next((line.rows / rows for line in found.classes if line.label == positive), 0.0) if rows else 0.0


def _up_to(title: str, values: list[float]) -> Axis:
    """An axis of shares from zero, as long as they need: of a rare class all are small."""
    top = max(values, default=1.0)
    return Axis(title, 0, 1 if top > NEARLY_ALL else 1.1 * top or 1.0, "share")


def _roc(found: Evaluation, chosen: ThresholdPoint, positive: str) -> Figure:
    points = sorted({(point.false_positive_rate, point.recall) for point in found.curve} | {(0.0, 0.0), (1.0, 1.0)})
    says = (
        f"The dot is the threshold in use: {share(chosen.recall)} of the {positive} rows are found, and "
        f"{share(chosen.false_positive_rate)} of the others are taken for {positive}. "
        "The further the line bends away from the diagonal, the better the model ranks."
    )
    here = Dots([(chosen.false_positive_rate, chosen.recall)], radius=4)
    x = Axis(f"others taken for {positive}", 0, 1, "share")
    y = Axis(f"{positive} rows found (recall)", 0, 1, "share")
    return Figure("ROC curve", says, plot("ROC curve", says, x, y, [DIAGONAL, Line(points), here]))


def _precision(found: Evaluation, chosen: ThresholdPoint, positive: str) -> Figure:
    points = sorted({(point.recall, point.precision) for point in found.curve if point.recall > 0})
    base = _base(found, positive)
    says = (
        f"How many of the {positive} answers are right when more of the {positive} rows are to be found. "
        f"Guessing would be right in {share(base)} (dashed)."
    )
    here = Dots([(chosen.recall, chosen.precision)], radius=4)
    x = Axis(f"{positive} rows found (recall)", 0, 1, "share")
    y = _up_to("right answers (precision)", [precision for _, precision in points])
    title = "Precision and recall"
    return Figure(title, says, plot(title, says, x, y, [Rule(y=base), Line(points), here]))


def _reliability(found: Evaluation, reliability: Reliability, positive: str) -> Figure:
    of = f"probability of {positive}" if positive else "probability of the answered label"
    error, chance = (number(round(100 * share, 1)) for share in (reliability.error.value, reliability.chance))
    says = (
        f"On the line, probabilities come true as often as they say. On average they are off by {error} points; "
        f"with this few rows, even perfect probabilities may be off by {chance}."
    )
    if found.recalibration and found.recalibration.method:
        one = found.recalibration
        before, after = aligned([one.before, one.after])
        says += f" They were recalibrated in training: log loss {before} before, {after} after."
    bins = reliability.bins
    layers: list[Layer] = [
        Whiskers([(one.predicted, one.observed.low, one.observed.high) for one in bins]),
        Line([(one.predicted, one.observed.value) for one in bins], dots=True),
    ]
    rows = [
        (
            share(one.predicted),
            share(one.observed.value),
            f"{share(one.observed.low)} to {share(one.observed.high)}",
            f"{one.rows:,}",
        )
        for one in bins
    ]
    table = numbered(("predicted", "came true", "interval", "rows"), rows)
    title = "Do the probabilities come true?"
    x, y = _up_to(of, [one.predicted for one in bins]), _up_to("came true", [one.observed.high for one in bins])
    layers.insert(0, Line([(0, 0), (min(x.high, y.high), min(x.high, y.high))], "quiet"))
    drawing = plot(title, says, x, y, layers)
    key = (("main", "came true"), ("whisker", f"{percent(found.confidence)} interval"), ("quiet", "perfect probabilities"))
    return Figure(title, says, drawing, key, table)


def _classes(found: Evaluation) -> Figure:
    rows = [
        (
            line.label,
            f"{line.rows:,}",
            *(share(one.value) if one else "–" for one in (line.precision, line.recall)),
            estimated(line.f1) if line.f1 else "–",
        )
        for line in found.classes
    ]
    says = "Right: of the answers with this label. Found: of the rows that have it. F1 combines both."
    head = ("label", "rows", "right", "found", called("f1"))
    return Figure("Each label by itself", says, Table(head, tuple(rows), frozenset(range(1, 5))))
