"""Whether probabilities come true on the held-out rows."""

import numpy as np

from slipway.model.evaluation import Reliability, ReliabilityBin
from slipway.model.metrics import Scored
from slipway.training.measures.resampling import DRAWS, draws, estimate, share

BINS = 10
BIN_ROWS = 20


def reliability(scored: Scored, confidence: float, seed: int) -> Reliability:
    """Predicted against observed by bins of about equally many rows.

    Of two classes it is the probability of the positive one, of more that of the answered one.

    Source of the error: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015.
    """
    if scored.scores.ndim == 2:
        predicted, true = scored.scores.max(axis=1), scored.chosen() == scored.y
    else:
        predicted, true = scored.scores, scored.y == 1
    bins = _bins(predicted)
    weights = draws(len(predicted), seed)
    plain = np.ones((1, len(predicted)))
    perfect = np.random.default_rng(seed).random((DRAWS, len(predicted))) < predicted
    return Reliability(
        bins=tuple(
            ReliabilityBin(
                predicted=float(predicted[bins == each].mean()),
                observed=share(int(true[bins == each].sum()), int((bins == each).sum()), confidence),
                rows=int((bins == each).sum()),
            )
            for each in np.unique(bins)
        ),
        error=estimate(
            float(_error(predicted, plain, true * plain, bins)[0]),
            _error(predicted, weights, true * weights, bins),
            confidence,
        ),
        chance=float(np.quantile(_error(predicted, plain, perfect, bins), confidence)),
    )


def _bins(predicted: np.ndarray) -> np.ndarray:
    """The bin of each row; equal probabilities share one."""
    number = int(np.clip(len(predicted) // BIN_ROWS, 1, BINS))
    edges = np.unique(np.quantile(predicted, np.arange(1, number) / number))
    return np.searchsorted(edges, predicted, side="right")


def _error(predicted: np.ndarray, weights: np.ndarray, hits: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """The error of each draw: `weights` and `hits`, of shape (draws, n), count the rows and those that came true."""
    members = (bins[:, None] == np.unique(bins)).astype(np.float64)
    apart = np.abs(hits @ members - (weights * predicted) @ members).sum(axis=1)
    return np.asarray(apart / weights.sum(axis=1))
