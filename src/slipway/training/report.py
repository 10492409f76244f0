"""report.html: one self-contained page that a person can read without the service."""

from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from slipway.model.contents import Metrics, Model, Ranked
from slipway.table.schema import Field, Schema

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #8884; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
svg { max-width: 100%; height: auto; background: white; border-radius: .5rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$summary</p>
$notes
<h2>On held-out rows</h2>
$metrics
$figure
<h2>What the answer depends on</h2>
<p>How much worse $metric gets when a field is shuffled among held-out rows.</p>
$importance
<h2>What was compared</h2>
<p>$metric by cross-validation on the training rows, with its standard error.</p>
$leaderboard
<h2>The fields</h2>
$fields
</body>
</html>
""")


def report_html(model: Model, schema: Schema, metrics: Metrics, figure: bytes, problem: str) -> bytes:
    """The report of a bundle from its own documents."""
    summary = (
        f"Predicts {model.target} ({model.task}) with a {model.kind} model, learned from "
        f"{model.rows.training:,} rows. {model.rows.holdout:,} of them were held out to measure it."
    )
    drawing = figure.decode()
    return PAGE.substitute(
        title=escape(f"{problem}: report"),
        summary=escape(summary),
        notes="".join(f"<p><strong>Note:</strong> {escape(note)}.</p>" for note in metrics.notes),
        metric=escape(metrics.metric),
        metrics=_metrics(metrics),
        figure=drawing[drawing.index("<svg") :],
        importance=_table(["field", "loss"], metrics.importance[:20]),
        leaderboard=_leaderboard(metrics.leaderboard),
        fields=_fields(schema),
    ).encode()


def _metrics(metrics: Metrics) -> str:
    share = f"{metrics.confidence:.0%} interval"
    rows = [
        [name, one.value, f"{one.low:.4g} to {one.high:.4g}", metrics.holdout.baseline[name]]
        for name, one in metrics.holdout.metrics.items()
    ]
    return _table(["metric", "value", share, "baseline"], rows)


def _leaderboard(entries: Sequence[Ranked]) -> str:
    rows = [
        [
            entry.candidate,
            ", ".join(f"{name} {value}" for name, value in entry.settings.items()),
            entry.mean,
            entry.error,
            entry.reason,
        ]
        for entry in entries
    ]
    return _table(["candidate", "settings", "mean", "± error", "not eligible because"], rows)


def _fields(schema: Schema) -> str:
    rows = [[field.name, field.type, _allowed(field), f"{field.missing:.1%}"] for field in schema]
    rows += [[feature.name, "computed", feature.expression, ""] for feature in schema.features]
    return _table(["field", "type", "levels or range", "missing"], rows)


def _allowed(field: Field) -> str:
    if field.type == "category":
        return ", ".join(field.levels[:12]) + (" …" if len(field.levels) > 12 else "")
    return f"{field.minimum:g} to {field.maximum:g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="number">{value:.4g}</td>'
    return f"<td>{escape(str(value))}</td>"
