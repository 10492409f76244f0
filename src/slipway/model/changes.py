"""What changes when one bundle follows another: the metrics, and the answers to the golden rows of the first."""

from typing import Any

from slipway.model.bundle import Bundle
from slipway.model.contents import Answer, golden_of, metrics_of, schema_of
from slipway.model.predictor import Predictor, close, golden_answers
from slipway.table.cell import columns_from_rows

SHOWN = 10


def changes(before: Bundle | None, after: Bundle) -> dict[str, Any]:
    """The changes, for the verdict.

    Returns
    -------
    dict
        ``metric``; ``metrics``: name → [before or None, after], each on its own hold-out; ``golden``: ``rows``, how many of
        them are answered otherwise (``changed``) and the first ten of those (``shown``: row from 1, before, after); None when
        there is no bundle before, or it reads other fields.
    """
    old = metrics_of(before).holdout.metrics if before else {}
    new = metrics_of(after)
    metrics = {name: [old[name].value if name in old else None, one.value] for name, one in new.holdout.metrics.items()}
    return {"metric": new.metric, "metrics": metrics, "golden": _golden(before, after) if before else None}


def _golden(before: Bundle, after: Bundle) -> dict[str, Any] | None:
    golden, predictor = golden_of(before), Predictor(after)
    if _fields(before) != _fields(after):
        return None
    answers = golden_answers(predictor, columns_from_rows(predictor.schema, golden.rows))
    pairs = list(enumerate(zip(golden.predictions, answers), start=1))
    changed = [(row, old["prediction"], new["prediction"]) for row, (old, new) in pairs if not _same(old, new)]
    return {"rows": len(pairs), "changed": len(changed), "shown": [list(each) for each in changed[:SHOWN]]}


def _fields(bundle: Bundle) -> list[tuple[Any, ...]]:
    return [(field.name, field.type) for field in schema_of(bundle)]


def _same(old: Answer, new: Answer) -> bool:
    one, other = _flat(old), _flat(new)
    return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())


def _flat(answer: Answer) -> dict[str, Any]:
    return {"prediction": answer["prediction"], **answer.get("probabilities", {})}


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return bool(close(one, other))
    return one == other


def replayed(bundle: Bundle) -> dict[str, Any] | None:
    """How this checkout's code answers a bundle's own golden rows, in the form of `changes`."""
    return _golden(bundle, bundle)


def as_markdown(found: dict[str, Any] | None) -> list[str]:
    """Lines of a job summary or a pull request: metrics and golden predictions, before and after."""
    if found is None:
        return ["The verdict has no changes, because the champion was set by hand."]
    lines = ["| metric, on held-out rows | before | after |", "|---|---|---|"]
    for name, (before, after) in found["metrics"].items():
        bold = "**" if name == found["metric"] else ""
        lines.append(f"| {bold}{name}{bold} | {'–' if before is None else f'{before:.5g}'} | {after:.5g} |")
    return [*lines, "", *golden_lines(found["golden"])]


def golden_lines(golden: dict[str, Any] | None) -> list[str]:
    """The golden predictions that change."""
    if golden is None:
        return ["Golden predictions: none to compare (the first model, or a model with other fields)."]
    if not golden["changed"]:
        return [f"Golden predictions: all {golden['rows']} unchanged."]
    lines = [f"Golden predictions: {golden['changed']} of {golden['rows']} change.", ""]
    lines += ["| row | before | after |", "|---|---|---|"]
    return lines + [f"| {row} | {_shown(before)} | {_shown(after)} |" for row, before, after in golden["shown"]]


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
