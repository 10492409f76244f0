"""What was measured, as the tables of docs/serving-compared.md."""

from collections.abc import Callable, Sequence

from environments import size_of
from loads import LOADS
from models import MODELS
from results import START, Results, Spread
from services import DUTIES, SERVICES, Service

HEADLINE = "keep-alive"
OURS = "slipway"
FIGURES = {
    "p50": ("p50 ms", "{:,.1f}"),
    "p99": ("p99 ms", "{:,.1f}"),
    "cpu": ("server CPU µs", "{:,.0f}"),
    "resident": ("MB", "{:,.0f}"),
}
TITLES = [title for title, _ in FIGURES.values()]
BYSTANDER = {
    "bystander_answered_p99": ("p99 of a bystander's answers, ms", "{:,.0f}"),
    "bystander_refused_p99": ("p99 of a bystander's refusals, ms", "{:,.0f}"),
    "bystander_refused": ("share of a bystander's requests refused with 503", "{:.0%}"),
    "bystander_told_when": ("of these with Retry-After", "{:.0%}"),
    "bystander_unanswered": ("a bystander's requests with any other end", "{:,.0f}"),
    "recovered": ("seconds until nothing was refused any more", "{:.2f}"),
    "p99_after": ("p99 in the first second afterwards, ms", "{:,.1f}"),
}


def printed(results: Results) -> str:
    """All tables in Markdown; what was not measured is left out, what could not be run says why."""
    blocks = [_headline(results, model) for model in MODELS]
    blocks += [_others(results, model) for model in MODELS]
    blocks += [_overload(results), duties()]
    return "\n\n".join(block for block in blocks if block)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _told(spread: Spread | None, form: str) -> str:
    """A median with the least and the most of the turns."""
    if spread is None:
        return "–"
    if spread.turns == 1:
        return form.format(spread.median)
    return f"{form.format(spread.median)} ({form.format(spread.low)}–{form.format(spread.high)})"


def _headline(results: Results, model: str) -> str:
    head = ["service", "answers/s", "Slipway's times", *TITLES, "first answer s", "installed MB"]
    lines = []
    for service in SERVICES.values():
        error = results.failure(model, service.name, HEADLINE)
        if error:
            lines.append([service.title, f"not measured: {error}", *[""] * (len(head) - 2)])
        if not results.spread(model, service.name, HEADLINE, "rate"):
            continue
        show = _shown(results, model, service.name, HEADLINE)
        times = results.ratio(model, HEADLINE, "rate", OURS, service.name) if service.name != OURS else None
        start = results.spread(model, service.name, START, "seconds")
        figures = [show(name, form) for name, (_, form) in FIGURES.items()]
        size = f"{size_of(service.environment):,.0f}"
        lines.append([service.title, show("rate", "{:,.0f}"), _told(times, "{:.1f}"), *figures, _told(start, "{:.1f}"), size])
    return f"### {model}: {LOADS[HEADLINE].title}\n\n{_table(head, lines)}" if lines else ""


def _shown(results: Results, model: str, service: str, load: str) -> Callable[[str, str], str]:
    return lambda figure, form: _told(results.spread(model, service, load, figure), form)


def _others(results: Results, model: str) -> str:
    head = ["load", "service", "asked/s", "answers/s", "rows/s", *TITLES, "refused", "failed"]
    lines = []
    for load in LOADS.values():
        for service in SERVICES.values() if load.name != HEADLINE else ():
            rate = results.spread(model, service.name, load.name, "rate")
            error = results.failure(model, service.name, load.name)
            if error:
                lines.append([load.title, service.title, f"not measured: {error}", *[""] * (len(head) - 3)])
            if rate is None:
                continue
            show = _shown(results, model, service.name, load.name)
            rows = Spread(rate.median * load.rows, rate.low * load.rows, rate.high * load.rows, rate.turns)
            figures = [show(name, form) for name, (_, form) in FIGURES.items()]
            asked = show("asked", "{:,.0f}") if load.share else "–"
            counts = [show("refused", "{:.0%}"), show("failed", "{:,.0f}")]
            lines.append([load.title, service.title, asked, _told(rate, "{:,.0f}"), _told(rows, "{:,.0f}"), *figures, *counts])
    return f"### {model}: other loads\n\n{_table(head, lines)}" if lines else ""


def _overload(results: Results) -> str:
    lines = []
    for model in MODELS:
        for service in SERVICES.values():
            show = _shown(results, model, service.name, "overload")
            if results.spread(model, service.name, "overload", "rate"):
                lines += [[model, service.title, title, show(figure, form)] for figure, (title, form) in BYSTANDER.items()]
    return f"### Overload\n\n{_table(['model', 'service', 'figure', 'found'], lines)}" if lines else ""


def duties() -> str:
    """What each service does beside predicting, and how it is set."""
    head = ["service", *DUTIES, "settings"]
    lines = [[service.title, *map(_mark(service), DUTIES), service.settings] for service in SERVICES.values()]
    meanings = "\n".join(f"- **{name}**: {meaning}." for name, meaning in DUTIES.items())
    return f"### Duties and settings\n\n{_table(head, lines)}\n\n{meanings}"


def _mark(service: Service) -> Callable[[str], str]:
    return lambda duty: "yes" if duty in service.duties else "–"
