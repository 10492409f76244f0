"""report.html: the whole evaluation on one page, by itself or within the frame of the service."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from slipway.model.contents import Estimate, Metrics, Ranked
from slipway.model.evaluation import Distribution, Evaluation, Importance
from slipway.report import numbers, summary
from slipway.report.documents import Documents
from slipway.report.figure import Figure, Table
from slipway.report.figures import (
    described,
    effect_figures,
    importance_figure,
    learning_figure,
    slices_figure,
    target_figure,
    worse_parts,
)
from slipway.report.fit import fit_figures
from slipway.report.frame import framed, templates_of
from slipway.report.meanings import MEANINGS, called
from slipway.report.worries import worries
from slipway.table.faults import visible

MOST_FIELDS = 400  # of the table of fields, so that the page stays small
SPARK = (60, 16)
BASELINE = "baseline"
EARLIER = "Earlier rounds used fewer folds and rows: the means of what left in them cannot be compared with the others."

_templates = templates_of("slipway.report")
_templates.filters |= {
    "brief": numbers.brief,
    "number": numbers.number,
    "percent": numbers.percent,
    "settings": numbers.settings,
    "share": numbers.share,
    "visible": visible,
}


@dataclass(frozen=True)
class Section:
    """A part of the report: figures under a heading, one after another or side by side."""

    id: str
    title: str
    figures: Sequence[Figure]


def standalone(of: Documents) -> bytes:
    """The report as a file of its own: no script, nothing from elsewhere."""
    return framed(f"{visible(of.problem)}: report", body(of))


def body(of: Documents) -> Markup:
    """The content of the page, for a frame."""
    worried = worries(of)
    metric, value, sure = summary.headline(of.metrics)
    return Markup(
        _templates.get_template("report.html").render(
            of=of,
            question=summary.question(of),
            origin=summary.origin(of),
            metric=metric,
            value=value,
            sure=sure,
            answers=summary.answers(of),
            comparison=summary.comparison(of),
            advice=summary.advice(of, len(worried)),
            worries=worried,
            measured=measured(of.metrics),
            sections=sections(of),
            fields=_fields(of),
            best=_board(best_of_each(of.metrics.leaderboard)),
            board=_board(of.metrics.leaderboard) if len(of.metrics.leaderboard) > 1 else None,
            compared=compared(of.metrics.leaderboard),
            remark=remark(of.metrics.leaderboard),
            target=target_of(of),
            decides=called(of.metrics.metric),
        )
    )


def drawn(figures: Sequence[Figure]) -> Markup:
    """Figures as they stand in a page; nothing when there are none."""
    return Markup(_templates.get_template("figures.html").render(figures=figures).strip())


def sections(of: Documents) -> list[Section]:
    """The figures by subject, of what there is."""
    found = of.evaluation
    slices = found.slices if found else None
    every = [
        Section("fit", "How well the answers fit", fit_figures(of)),
        Section(
            "slices",
            "Where it is worse",
            [slices_figure(slices, of.metrics.confidence)] if slices and worse_parts(slices) else [],
        ),
        Section("fields", "What the answer depends on", depends(of)),
        Section("learning", "Would more rows help?", _learning(found) if found else []),
    ]
    return [one for one in every if one.figures]


def depends(of: Documents) -> list[Figure]:
    """The importance of the fields, then the effects of the strongest."""
    found = of.evaluation
    if found is None:  # a bundle of format 1 tells no intervals
        importance = tuple(Importance(name, Estimate(loss, loss, loss)) for name, loss in of.metrics.importance)
    else:
        importance = found.importance
    ranked = (
        [importance_figure(importance, of.metrics.metric, of.metrics.confidence)]
        if any(one.loss.value > 0 for one in importance)
        else []
    )
    return ranked + (effect_figures(found, of.schema, of.model.target) if found else [])


def _learning(found: Evaluation) -> list[Figure]:
    return (
        [learning_figure(found.learning_curve, found.learning, found.metric, found.confidence)] if found.learning_curve else []
    )


def target_of(of: Documents) -> list[Figure]:
    """The distribution of the target."""
    return [target_figure(of.evaluation.target, of.model.target)] if of.evaluation else []


def best_of_each(leaderboard: Sequence[Ranked]) -> list[Ranked]:
    """The first entry of each candidate of a leaderboard, which is sorted."""
    best: dict[str, Ranked] = {}
    for entry in leaderboard:
        best.setdefault(entry.candidate, entry)
    return list(best.values())


def _board(entries: Sequence[Ranked]) -> Table:
    rows = []
    for entry in entries:
        mean, error = numbers.aligned([entry.mean, entry.error])
        rows.append((entry.candidate, mean, error, numbers.settings(entry.settings), entry.reason))
    return Table(("candidate", "mean", "± error", "settings", "not eligible"), tuple(rows), frozenset({1, 2}))


def compared(leaderboard: Sequence[Ranked]) -> str:
    """How much was compared, for a heading."""
    settings = sum(entry.candidate != BASELINE for entry in leaderboard)
    return f"All {numbers.counted(settings, 'setting')}" + (" and the baseline" if settings < len(leaderboard) else "")


def remark(leaderboard: Sequence[Ranked]) -> str:
    """A warning where the leaderboard has means of several rounds: what left early stands below the baseline."""
    names = [entry.candidate for entry in leaderboard]
    return EARLIER if BASELINE in names[:-1] else ""


def measured(metrics: Metrics) -> Table:
    """Every metric, the deciding one first."""
    ordered = sorted(metrics.holdout.metrics.items(), key=lambda pair: pair[0] != metrics.metric)
    rows = []
    for name, one in ordered:
        dummy = metrics.holdout.baseline.get(name)
        value, low, high = numbers.aligned([one.value, one.low, one.high])
        decides = " (decides)" if name == metrics.metric else ""
        told = f"{value} ({low} to {high})", "–" if dummy is None else numbers.number(dummy)
        rows.append((called(name) + decides, *told, MEANINGS.get(name, "")))
    head = ("metric", f"value ({numbers.percent(metrics.confidence)} interval)", "baseline", "meaning")
    return Table(head, tuple(rows), frozenset({1, 2}))


def _fields(of: Documents) -> list[tuple[str, str, str, str, Markup]]:
    """Name, type, missing, values in words and a small histogram of each field."""
    computed = [(one.name, "computed", "", one.expression, Markup("")) for one in of.schema.features]
    if not of.evaluation:
        return computed
    return computed + [
        (
            one.name,
            one.type,
            numbers.share(one.missing) if one.missing else "never",
            described(one, of.schema),
            _spark(one.distribution),
        )
        for one in of.evaluation.fields[:MOST_FIELDS]
    ]


def _spark(found: Distribution) -> Markup:
    """A histogram as small as a word."""
    width, height = SPARK
    top, step = max(found.counts, default=0) or 1, width / max(1, len(found.counts))
    steps = "".join(f"V{height - count / top * height:.1f}h{step:.2f}" for count in found.counts)
    path = '<svg class="spark" viewBox="0 0 {} {}" aria-hidden="true"><path d="M0 {}{}V{}Z"/></svg>'
    return Markup(path).format(width, height, height, Markup(steps), height)
