"""What changes when one bundle follows another: data, model, metrics, and the answers to the first one's golden rows."""

from typing import Any

import numpy as np

from slipway.model.bundle import SERVING, Bundle
from slipway.model.contents import Answer, golden_of, metrics_of, model_of, schema_of
from slipway.model.evaluation import evaluation_of
from slipway.model.predictor import Predictor, close, golden_answers
from slipway.table.cell import columns_from_rows

SHOWN = 10
LABELS = 20  # of a target with more, those whose share moves most
SHIFTS = 8  # fields whose importance moves most


def changes(before: Bundle | None, after: Bundle) -> dict[str, Any]:
    """The changes, for the verdict. A pair is [before, after]; before is None where it is unknown.

    Returns
    -------
    dict
        ``metric``; ``metrics``: name → pair, each on its own hold-out, without that before if it has another target or task;
        ``golden``: ``rows``, how many of them are answered otherwise (``changed``) and the first ten of those (``shown``: row
        from 1, before, after, and of labels the probability of each); None when there is no bundle before, or it reads other
        fields; ``data``: pairs of ``rows`` learned from and ``held`` out, of the ``boundary`` in time (text), of the target's
        ``median``, and label → pair of ``shares``; ``model``: pairs of its ``members`` (candidate and settings), ``bytes`` and
        ``threshold``, the fields ``added`` and ``removed``, and field → pair of its share of the ``importance``.
    """
    old = metrics_of(before).holdout.metrics if before and _asked(before) == _asked(after) else {}
    new = metrics_of(after)
    metrics = {name: [old[name].value if name in old else None, one.value] for name, one in new.holdout.metrics.items()}
    golden = _golden(before, after) if before else None
    told = {"metric": new.metric, "metrics": metrics, "golden": golden}
    return told | {"data": _data(before, after), "model": _model(before, after)}


def _asked(bundle: Bundle) -> tuple[str, str]:
    """Target and task: the metrics of others cannot be compared."""
    model = model_of(bundle)
    return model.target, model.task


def _data(before: Bundle | None, after: Bundle) -> dict[str, Any]:
    pairs = _pairs(_learned(before) if before else {}, _learned(after))
    shares = _pairs(_shares(before) if before else {}, _shares(after))
    return pairs | {"shares": _moved_most(shares, LABELS)}


def _learned(bundle: Bundle) -> dict[str, Any]:
    model = model_of(bundle)
    time, boundary = model.split.time, model.split.boundary
    return {
        "rows": model.rows.training,
        "held": model.rows.holdout,
        "boundary": time.show(boundary) if time and boundary is not None else None,
        "median": _median(bundle),
    }


def _median(bundle: Bundle) -> float | None:
    """Of a target that is a number, as if the rows of a bin were spread evenly in it; None of labels, or if unknown."""
    found = evaluation_of(bundle)
    if found is None or found.target.levels or not sum(found.target.counts):
        return None
    counts = np.array(found.target.counts)
    return float(np.interp(counts.sum() / 2, np.concatenate([[0], counts.cumsum()]), found.target.edges))


def _shares(bundle: Bundle) -> dict[str, float]:
    """Of the labels of the target."""
    found = evaluation_of(bundle)
    if found is None or not (rows := sum(found.target.counts)):
        return {}
    return {label: round(count / rows, 6) for label, count in zip(found.target.levels, found.target.counts)}


def _model(before: Bundle | None, after: Bundle) -> dict[str, Any]:
    names, known = schema_of(after).names, schema_of(before).names if before else schema_of(after).names
    pairs = _pairs(_built(before) if before else {}, _built(after))
    shifts = _pairs(metrics_of(before).shares if before else {}, metrics_of(after).shares)
    return pairs | {
        "added": [name for name in names if name not in known],
        "removed": [name for name in known if name not in names],
        "importance": _moved_most(shifts, SHIFTS),
    }


def _built(bundle: Bundle) -> dict[str, Any]:
    model = model_of(bundle)
    return {
        "members": [{"candidate": each.candidate, "settings": each.settings} for each in model.members],
        "bytes": sum(listed["bytes"] for listed in bundle.parts[SERVING].values()),
        "threshold": model.threshold,
    }


def _pairs(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Name → pair, of all names of either."""
    return {name: [before.get(name), after.get(name)] for name in {**after, **before}}


def _moved_most(shares: dict[str, Any], number: int) -> dict[str, Any]:
    """The pairs that differ most, the largest difference first; a share that one side lacks is 0."""
    return dict(sorted(shares.items(), key=lambda each: -abs((each[1][1] or 0) - (each[1][0] or 0)))[:number])


def _golden(before: Bundle, after: Bundle) -> dict[str, Any] | None:
    golden, predictor = golden_of(before), Predictor(after)
    if _fields(before) != _fields(after):
        return None
    answers = golden_answers(predictor, columns_from_rows(predictor.schema, golden.rows))
    pairs = list(enumerate(zip(golden.predictions, answers), start=1))
    changed = [
        [row, old["prediction"], new["prediction"], *_chances(old, new)] for row, (old, new) in pairs if not _same(old, new)
    ]
    return {"rows": len(pairs), "changed": len(changed), "shown": changed[:SHOWN]}


def _chances(*answers: Answer) -> list[float]:
    """The probabilities of the labels that are answered; none of numbers."""
    return [each["probabilities"][str(each["prediction"])] for each in answers if "probabilities" in each]


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
    """How this checkout's code answers a bundle's own golden rows, in the form of ``golden`` of `changes`."""
    return _golden(bundle, bundle)
