"""The columns that are watched, as counts: what the bundle's reference has in each bin, and what production has.

Bins depend on the reference alone, so the counts of days add up to those of a window, and rows need not be kept.

Dates are left out: a newer date is no drift. Their age would be the thing to watch, and drift.json has the dates alone.
So are fields of which the reference has no value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from slipway.model.bundle import Bundle
from slipway.model.contents import model_of, schema_of
from slipway.model.reference import Reference, reference_of
from slipway.model.typed_document import Draft, document_of
from slipway.table.schema import MISSING, UNSEEN, Field

Part = Literal["refused", "missing", "below", "above", "unseen", "shape"]
SCORE, LABEL = "answer/score", "answer/label"


class Profile(msgspec.Struct, frozen=True):
    """What a field of drift.json has: shares of all rows, but `counts` are of the rows that have a number."""

    missing: float
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    levels: dict[str, float] = {}


class Profiles(msgspec.Struct, frozen=True):
    """drift.json; `rows` is 0 where format 1 does not say it."""

    fields: dict[str, Profile]
    rows: int = 0


@dataclass(frozen=True)
class Column:
    """A column that is watched.

    Parameters
    ----------
    key : str
        ``field/NAME``, ``answer/score`` or ``answer/label``.
    name : str
        Of the field; of answers ``score`` or ``label``.
    apart : tuple of Part
        Names of the first bins: what is no ordinary value. Each is compared by itself; the bins that follow are the shape.
    counts : ndarray of int64
        The reference: how many rows it has in each bin.
    rows : int
        Of the reference.
    edges : tuple of float
        Of the bins of a number: each begins with its edge, and the last one ends with the last edge.
    levels : tuple of str
        Of a category or a label: a bin each, in the order of their codes.
    """

    key: str
    name: str
    apart: tuple[Part, ...]
    counts: np.ndarray
    rows: int
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()

    @property
    def ordinary(self) -> np.ndarray:
        """The reference in the bins of ordinary values."""
        return self.counts[len(self.apart) :]

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is compared, each by a test of its own."""
        return (*self.apart, "shape")


def columns_of(bundle: Bundle | Draft) -> tuple[Column, ...]:
    """The columns to watch, the answers first; a bundle of format 1 has none for them.

    Raises
    ------
    BundleError
        When a document of the bundle is invalid.
    """
    schema, model = schema_of(bundle), model_of(bundle)
    profiles = document_of(bundle, "drift.json", Profiles)
    rows = profiles.rows or model.rows.training
    answers = _answers(reference_of(bundle), model.classes) if bundle.has("live.json") else iter(())
    found = ((field, profiles.fields[field.name]) for field in schema if field.name in profiles.fields)
    fields = (_field(field, profile, rows) for field, profile in found if field.type != "date")
    return tuple(column for column in (*answers, *fields) if column.ordinary.any())


def _answers(reference: Reference, classes: Sequence[str]) -> Iterator[Column]:
    counts, rows = np.array([0, 0, *reference.counts]), reference.rows
    yield Column(SCORE, "score", ("below", "above"), counts, rows, edges=reference.edges)
    if classes:
        counts = np.array([reference.labels.get(label, 0) for label in classes])
        yield Column(LABEL, "label", (), counts, rows, levels=tuple(classes))


def _field(field: Field, profile: Profile, rows: int) -> Column:
    missing, key = round(profile.missing * rows), f"field/{field.name}"
    if field.is_number:
        counts = np.array([0, missing, 0, 0, *profile.counts])
        return Column(key, field.name, ("refused", "missing", "below", "above"), counts, rows, edges=profile.edges)
    levels = [round(profile.levels.get(level, 0.0) * rows) for level in field.levels]
    # the chance that the next row has a level never seen is the share of the levels seen once (Good, Biometrika 1953)
    counts = np.array([0, missing, levels.count(1), *levels])
    return Column(key, field.name, ("refused", "missing", "unseen"), counts, rows, levels=field.levels)


def count(column: Column, values: np.ndarray, refused: int = 0) -> np.ndarray:
    """How many rows are in each bin of a column: an array like its `counts`.

    Parameters
    ----------
    column : Column
    values : ndarray of shape (n,)
        Typed as in `slipway.table.schema`: numbers, NaN where missing; or codes of levels, MISSING or UNSEEN.
    refused : int
        How many further rows had a cell of this field that was refused.
    """
    found: dict[Part, int] = {"refused": refused}
    if column.edges:  # ten comparisons of all values take a fifth of the time of a search for each value
        at_least = np.array([np.count_nonzero(values >= edge) for edge in column.edges])
        at_end, found["missing"] = int((values == column.edges[-1]).sum()), int(np.isnan(values).sum())
        found |= {"below": len(values) - found["missing"] - int(at_least[0]), "above": int(at_least[-1]) - at_end}
        ordinary = at_least[:-1] - at_least[1:]
        ordinary[-1] += at_end
    else:
        found |= {"missing": int((values == MISSING).sum()), "unseen": int((values == UNSEEN).sum())}
        ordinary = np.bincount(values[values >= 0], minlength=len(column.levels))
    return np.array([*(found[part] for part in column.apart), *ordinary], dtype=np.int64)


def of_answers(answers: np.ndarray, threshold: float | None) -> tuple[np.ndarray, np.ndarray]:
    """What the columns of the answers count: scores, and codes of labels.

    Parameters
    ----------
    answers : ndarray of shape (n,) or (n, classes)
        Predicted numbers, P(positive), or the probability of each label.
    threshold : float or None
        Of two labels.

    Returns
    -------
    scores : ndarray of shape (n,)
        Of several labels the probability of the one that was answered.
    codes : ndarray of shape (n,)
        Without meaning where numbers were predicted: they have no column of labels.
    """
    if answers.ndim == 2:
        return answers.max(axis=1), answers.argmax(axis=1)
    return answers, (answers >= (threshold or 0)).astype(np.int64)
