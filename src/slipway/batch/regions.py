"""Trees asked once for each region of rows that they cannot tell apart.

A tree compares a number with thresholds and does nothing else with it, so all rows that lie between the same thresholds
in every column get one answer. Where a large table has many rows for each such region, looking their answers up takes a
tenth of the time of walking the trees.
"""

from threading import Lock

import numpy as np

from slipway.batch.ensemble import thresholds_of
from slipway.model.bundle import Bundle
from slipway.model.contents import Member
from slipway.model.runner import Runner
from slipway.model.typed_document import Draft
from slipway.table.schema import Schema

WORTH = 100_000  # rows that are asked before regions are looked for: in a small table few have several rows
MOST = 1 << 22  # answers that are kept, 8 bytes each
LARGEST = 1 << 20  # bytes of a graph that is looked into: to read one of far more regions takes hundreds of MB


class RegionRunner(Runner):
    """A runner that remembers what its trees answered; several threads may use it.

    Parameters
    ----------
    bundle : Bundle or Draft
    schema : Schema
    member : Member
    """

    def __init__(self, bundle: Bundle | Draft, schema: Schema, member: Member) -> None:
        super().__init__(bundle, schema, member)
        graph = bundle.read(member.graph)
        self._graph = graph if len(graph) <= LARGEST else b""
        self._width = len(member.base)
        self._lock = Lock()
        self._asked = 0
        self._regions: Regions | None = None

    @property
    def has_trees(self) -> bool:
        """Whether the order of the rows matters: not to answers that are remembered."""
        return super().has_trees and self._regions is None

    def answers(self, matrix: np.ndarray) -> np.ndarray:
        """Its scores for the n rows of a matrix, of shape (n, scores)."""
        with self._lock:
            before, self._asked = self._asked, self._asked + len(matrix)
            if before < WORTH <= self._asked and super().has_trees:
                self._regions = self._few()
        if self._regions is None:
            return super().answers(matrix)
        matrix = matrix.astype(self._dtype, copy=False)  # the graph compares what it reads
        regions = self._regions.of(matrix)
        found: np.ndarray = self._regions.answers.take(regions, axis=0)
        unknown = np.flatnonzero(np.isnan(found).any(axis=1))  # another thread may be in the middle of an answer
        if len(unknown):
            fresh, first, each = np.unique(regions[unknown], return_index=True, return_inverse=True)
            asked = super().answers(matrix[unknown[first]])
            self._regions.answers[fresh] = asked
            found[unknown] = asked[each]
        return found

    def _few(self) -> "Regions | None":
        """The regions of its trees; None when they are too many to be remembered."""
        thresholds = thresholds_of(self._graph) if self._graph else None
        if thresholds is None or count(thresholds) * self._width > MOST:
            return None
        return Regions(thresholds, self._width)


class Regions:
    """The regions of the rows that an ensemble cannot tell apart, numbered, and its answer to each.

    Parameters
    ----------
    thresholds : list of ndarray
        Of each column of the matrix, sorted; ``x <= threshold`` goes left.
    size : int
        Scores of an answer.
    """

    def __init__(self, thresholds: list[np.ndarray], size: int) -> None:
        self.thresholds = thresholds
        self.answers = np.full((count(thresholds), size), np.nan)  # NaN: not asked yet

    def of(self, matrix: np.ndarray) -> np.ndarray:
        """The region of each row."""
        found = np.zeros(len(matrix), dtype=np.int64)
        for column, thresholds in zip(matrix.T, self.thresholds):
            if len(thresholds):
                place = np.searchsorted(thresholds, column)
                place[np.isnan(column)] = len(thresholds) + 1  # a missing value goes its own way
                found = found * (len(thresholds) + 2) + place
        return found


def count(thresholds: list[np.ndarray]) -> int:
    """How many regions there are: in each column between two thresholds, beside them all, and for a missing value."""
    found = 1
    for each in thresholds:
        found *= len(each) + 2 if len(each) else 1
    return found
