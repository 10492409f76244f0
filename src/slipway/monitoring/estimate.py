"""What the loss would be if nothing but the rows had changed: an estimate from answers alone.

It comes from the hold-out: how often answers with such a score came true there (CBPE, after isotonic regression), or how
large the error was of answers such as these. It is blind to a world in which the same rows have other outcomes. So it
informs until labels arrive, and never decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slipway.model.contents import Model
from slipway.model.reference import Reference
from slipway.model.row_losses import losses_of_labels
from slipway.monitoring.bins import of_answers

SURE = 1.96  # standard errors: 95 %


@dataclass(frozen=True)
class Expected:
    """An estimate of the mean of one loss.

    Parameters
    ----------
    value, margin : float
        It is `value` ± `margin` in 95 % of cases, if only the rows have changed.
    rows : int
    outside : float
        Share of the answers beyond the hold-out's, of which it knows nothing.
    """

    value: float
    margin: float
    rows: int
    outside: float


def expected(reference: Reference, model: Model, answers: np.ndarray) -> dict[str, Expected]:
    """The losses of live.json that can be estimated of these answers, by name; none without answers.

    Parameters
    ----------
    reference : Reference
    model : Model
        Whose answers they are.
    answers : ndarray of shape (n,) or (n, classes)
        Predicted numbers, P(positive), or the probability of each label. Of several labels only ``error`` can be estimated.
    """
    if not len(answers):
        return {}
    scores, chosen = of_answers(answers, model.threshold)
    if model.task == "regression":
        found = _of_numbers(reference, scores)
    elif model.task == "binary":
        found = _of_two(reference, model, scores, chosen)
    else:
        found = _of_several(reference, scores)
    outside = float(((scores < reference.edges[0]) | (scores > reference.edges[-1])).mean())
    doubt = _unlike(reference, scores) / reference.rows
    return {
        name: Expected(float(mean), _margin(variance / len(scores) + usual.deviation**2 * doubt), len(scores), outside)
        for name, (mean, variance) in found.items()
        if (usual := reference.losses.get(name))
    }


def _margin(variance: float) -> float:
    return SURE * float(np.sqrt(variance))


def _places(reference: Reference, scores: np.ndarray) -> np.ndarray:
    """The hold-out's bin of each score, or the next one."""
    places: np.ndarray = np.searchsorted(reference.edges, scores, side="right") - 1
    return places.clip(0, len(reference.counts) - 1)


def _unlike(reference: Reference, scores: np.ndarray) -> float:
    """By how much the hold-out's variance grows when its bins get the shares q of these answers for its own r: Σ q²/r.

    Source: the effective size of a weighted sample (Kong, Technical Report 348, University of Chicago, 1992).
    """
    shares = np.bincount(_places(reference, scores), minlength=len(reference.counts)) / len(scores)
    usual = np.maximum(reference.counts, 1) / sum(reference.counts)
    return float((shares**2 / usual).sum())


def _of_numbers(reference: Reference, answers: np.ndarray) -> Mapping[str, tuple[float, float]]:
    """Mean and variance of the error: that of each bin of the answer, and as widely spread as on the hold-out."""
    errors = np.array(reference.errors)[_places(reference, answers)]
    return {"absolute_error": (errors.mean(), reference.losses["absolute_error"].deviation ** 2)}


def _of_two(reference: Reference, model: Model, scores: np.ndarray, chosen: np.ndarray) -> Mapping[str, tuple[float, float]]:
    """Mean and variance of each loss: a row has one loss if it is positive, and another one if it is not."""
    share = np.interp(scores, reference.scores, reference.shares)
    if_not, if_so = (losses_of_labels(np.full(len(scores), truth), scores, chosen, model.costs) for truth in (0, 1))
    return {
        name: (
            (share * if_so[name] + (1 - share) * if_not[name]).mean(),
            (share * (1 - share) * (if_so[name] - if_not[name]) ** 2).mean(),
        )
        for name in if_so
    }


def _of_several(reference: Reference, scores: np.ndarray) -> Mapping[str, tuple[float, float]]:
    right = np.interp(scores, reference.scores, reference.shares)
    return {"error": ((1 - right).mean(), (right * (1 - right)).mean())}
