"""What a pull request says of the next model, in Markdown: the verdict, and what changes with it.

It is made of verdict.json alone (`slipway.model.changes`), so a checkout without the bundle says the same. What an earlier
version did not write there is left out. Names from the table are shown as they are, never as Markdown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.report.figure import Table, numbered
from slipway.report.markdown import plain, table
from slipway.report.meanings import called
from slipway.report.numbers import aligned, brief, number, percent, settings, share

NONE = "–"
LOSERS = 20  # levels

Json = Mapping[str, Any]


def sentence(verdict: Json) -> str:
    """The verdict in one sentence."""
    met = verdict.get("figures")
    if not isinstance(met, dict):
        reason = next(iter(verdict.get("reasons", [])), "nobody said why it is the champion")
        return f"{plain(reason[:1].upper() + reason[1:])}."
    new, old = aligned([met["challenger"], met["against"]])
    gain, low, high = aligned([met["gain"], met["low"], met["high"]])
    rival = "the champion" if met["rival"] == "champion" else "a baseline that ignores all features"
    return (
        f"The challenger is better than {rival}: {called(met['metric'])} {new} instead of {old} on the same {met['rows']:,} "
        f"held-out rows, a gain of {gain} ({percent(met['confidence'])} interval {low} to {high})."
    )


def reasons(verdict: Json) -> list[str]:
    """What the gate said, with its numbers."""
    return [f"- {plain(reason)}" for reason in verdict.get("reasons", [])]


def metrics(changes: Json) -> list[str]:
    """The metrics of both, each on its own hold-out."""
    rows = [
        (called(name) + (" (decides)" if name == changes["metric"] else ""), *_pair(pair, "{:.5g}".format))
        for name, pair in changes["metrics"].items()
    ]
    return [table(numbered(("metric, each on its own held-out rows", "before", "after"), rows, 1))]


def data(before: Json, verdict: Json) -> list[str]:
    """What both learned from; `before` is the verdict that made the champion before, if it had one."""
    changes = verdict["changes"]
    found: Json = changes.get("data") or {}
    sources = _recorded(before, verdict, lambda said: (said.get("changes") or {}).get("sources"))
    rows = [
        ("rows learned from", *_pair(found.get("rows"), "{:,}".format)),
        ("rows held out", *_pair(found.get("held"), "{:,}".format)),
        ("held out after", *_pair(found.get("boundary"), str)),
        ("median of the target", *_pair(found.get("median"), number)),
        *((f"share of {brief(label)}", *_pair(pair, share)) for label, pair in (found.get("shares") or {}).items()),
        ("source", *_pair(sources, ", ".join)),
    ]
    return _changed(rows)


def model(before: Json, verdict: Json) -> list[str]:
    """What both are."""
    found: Json = verdict["changes"].get("model") or {}
    microseconds = _recorded(before, verdict, lambda said: said.get("latency_us"))
    rows = [
        ("model", *_pair(found.get("members"), _families)),
        ("settings", *_pair(found.get("members"), _settings)),
        ("threshold", *_pair(found.get("threshold"), number)),
        ("size of what serves, in bytes", *_pair(found.get("bytes"), "{:,}".format)),
        ("one row, in µs, measured by each training", *_pair(microseconds, "{:.0f}".format)),
    ]
    told = _changed(rows)
    for word in ("added", "removed"):
        if names := found.get(word):
            told += ["", f"Fields {word}: {', '.join(plain(brief(name)) for name in names)}."]
    shifts = [(brief(name), *_pair(pair, share)) for name, pair in (found.get("importance") or {}).items()]
    return told + (["", table(numbered(("share of the importance", "before", "after"), shifts, 1))] if shifts else [])


def losers(verdict: Json) -> list[str]:
    """The parts of the rows on which the challenger's loss is higher, as the gate found them; the worst first."""
    figures: Json = verdict.get("figures") or {}
    found = [one for one in figures.get("harms") or [] if one["challenger"] > one["champion"]]
    if not found:
        return []
    rows = [
        (
            brief(one["name"]) + (" (refused)" if one["refused"] else ""),
            f"{one['rows']:,}",
            *aligned([one["champion"], one["challenger"]]),
        )
        for one in found[:LOSERS]
    ]
    loss = str(figures.get("loss") or "loss").replace("_", " ")
    more = ["", f"… and {len(found) - LOSERS:,} more."] if len(found) > LOSERS else []
    return [table(numbered(("part", "rows", f"mean {loss} before", "after"), rows, 1)), *more]


def golden(found: Json | None) -> list[str]:
    """The golden predictions that change."""
    if found is None:
        return ["Golden predictions: none to compare (the first model, or a model with other fields)."]
    if not found["changed"]:
        return [f"Golden predictions: all {found['rows']} unchanged."]
    rows = [(str(row), *_answers(before, after, chances)) for row, before, after, *chances in found["shown"]]
    return [
        f"Golden predictions: {found['changed']} of {found['rows']} change.",
        "",
        table(Table(("row", "before", "after"), tuple(rows))),
    ]


def recorded(found: Json | None) -> list[str]:
    """Whether the code of this checkout answers a bundle's own golden rows as the training recorded them."""
    if found and not found["changed"]:
        return [f"With the code of this checkout, the bundle answers all {found['rows']} of its own golden rows as recorded."]
    return ["With the code of this checkout, the bundle answers its own golden rows differently:", "", *golden(found)]


def _answers(before: object, after: object, chances: Sequence[float]) -> tuple[str, str]:
    """Both sides as texts, labels with their probabilities; verdicts of earlier versions have none."""
    told = [f" ({chance})" for chance in aligned(chances)] or ["", ""]
    return _answer(before) + told[0], _answer(after) + told[1]


def _answer(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _recorded(before: Json, verdict: Json, tell: Any) -> list[Any] | None:
    """What the verdicts of two trainings have; None where that of one lacks it, as after a promotion by hand."""
    pair = [tell(before), tell(verdict)]
    return pair if pair[1] is not None and (pair[0] is not None or not before) else None


def _pair(pair: Sequence[Any] | None, tell: Any) -> tuple[str, str]:
    """Both sides as texts."""
    before, after = pair or (None, None)
    return NONE if before is None else tell(before), NONE if after is None else tell(after)


def _changed(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """A table of the rows that say something; what both sides share is said once."""
    known = [row for row in rows if row[1:] != (NONE, NONE)]
    told = [(name, before, after if after != before else "the same") for name, before, after in known]
    return [table(Table(("", "before", "after"), tuple(told)))] if told else []


def _families(members: Sequence[Json]) -> str:
    return " + ".join(dict.fromkeys(str(each["candidate"]) for each in members))


def _settings(members: Sequence[Json]) -> str:
    return "; ".join(settings(dict(each["settings"])) or "none" for each in members)
