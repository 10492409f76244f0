"""The champion as the gate meets it: answering the rows that neither it nor the challenger has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd

from slipway.errors import BundleError, SlipwayError, TableError
from slipway.model.bundle import Bundle
from slipway.model.contents import Model, Split, model_of
from slipway.model.division import held_out, undivided
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.cell import Markers, no_markers
from slipway.table.cells import read_columns
from slipway.training.data.split import FEW


class Incomparable(Exception):
    """The champion works, but cannot be measured on these rows; its text says why."""


@dataclass(frozen=True)
class Champion:
    """A champion that loads.

    Parameters
    ----------
    bundle : Bundle
    predictor : Predictor
        What production serves.
    split : Split
        What its twin had held out.
    """

    bundle: Bundle
    predictor: Predictor
    split: Split

    @cached_property
    def twin(self) -> Predictor:
        """What meets a challenger's twin: production's model has learned from the rows held out."""
        try:
            found = self.bundle.twin()
            return self.predictor if found is self.bundle else Predictor(found)
        except BundleError as error:
            raise Incomparable(str(error)) from error

    def unseen(self, frame: pd.DataFrame) -> np.ndarray:
        """Mask of the rows of `frame` that this champion's twin did not learn from."""
        absent = [name for name in self.split.needed if name not in frame.columns]
        if absent:
            raise Incomparable(f"there is no column {absent[0]}, by which the champion divided its rows")
        try:
            return held_out(frame, self.split, self.twin.schema)
        except TableError as error:
            raise Incomparable(f"the champion cannot tell which rows it learned from: {error.cause}") from error

    def scores(
        self,
        frame: pd.DataFrame,
        task: str,
        classes: tuple[str, ...],
        markers: Markers = no_markers,
    ) -> np.ndarray:
        """Its scores for the rows of `frame`, in the order of `classes`; `markers` are texts that mean a missing cell."""
        predictor = self.twin
        if predictor.task != task or not set(predictor.classes) <= set(classes):
            raise Incomparable(f"the champion solves another task ({predictor.task} of {predictor.target})")
        absent = [name for name in predictor.schema.names if name not in frame.columns]
        if absent:
            raise Incomparable(f"the champion needs the column {absent[0]}, which is no longer there")
        try:
            scores = predictor.scores(read_columns(frame, predictor.schema, markers))
        except SlipwayError as error:
            raise Incomparable(f"the champion cannot read the rows: {error.cause}") from error
        return _in_order(scores, predictor.classes, classes)


def _in_order(scores: np.ndarray, own: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
    if own == classes:
        return scores
    if len(classes) == 2:
        return 1 - scores
    ordered = np.zeros((len(scores), len(classes)))
    ordered[:, [classes.index(name) for name in own]] = scores
    return ordered


class Champions:
    """The champions of a store, for one training: each is verified and replayed once, however often it is asked for.

    The pointer is not kept: another may have moved it meanwhile.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._bundle = cache(store.bundle)
        self._champion = cache(self._loaded)

    def load(self, pointer: Pointer) -> Champion:
        """A champion that answers its golden rows; BundleError when it is broken."""
        return self._champion(pointer.digest)

    def bundle(self, pointer: Pointer | None) -> Bundle | None:
        """Its bundle; None when there is no champion, or it is broken."""
        if pointer is None:
            return None
        try:
            self.load(pointer)
            return self._bundle(pointer.digest)
        except BundleError:
            return None

    def model(self, problem: Problem) -> Model | None:
        """What the champion of this problem serves; None when there is none, or it is broken."""
        pointer = self._store.pointer()
        bundle = self.bundle(pointer if pointer and pointer.problem == problem.name else None)
        return model_of(bundle) if bundle else None

    def columns_needed(self) -> set[str]:
        """The columns by which the champion can be compared; none when there is no champion, or it is broken."""
        try:
            pointer = self._store.pointer()
            champion = self.load(pointer) if pointer else None
        except SlipwayError:
            return set()
        return {*champion.predictor.schema.names, *champion.split.needed} if champion else set()

    def data(self) -> set[str]:
        """Fingerprint of the data that the champion learned from, as long as its bundle says it."""
        pointer = self._store.pointer()
        try:
            return {model_of(self._bundle(pointer.digest)).data} if pointer else set()
        except BundleError:
            return set()

    def _loaded(self, digest: str) -> Champion:
        predictor = Predictor(self._bundle(digest))
        predictor.replay()
        return Champion(self._bundle(digest), predictor, predictor.model.split)


def common_rows(champion: Champion, frame: pd.DataFrame) -> np.ndarray:
    """Mask of the rows, all of them held out by the challenger, that the champion has held out too."""
    common = champion.unseen(frame)
    if common.sum() >= FEW:
        return common
    only = f"only {common.sum()} rows were held out by both (fewer than {FEW})"
    if common.all():
        raise Incomparable(f"{only}; add rows, or set holdout.share higher")
    raise Incomparable(f"{only}, as the split changed; name an id, a group or a time column, and it stays")


def require_fair(champion: Split, challenger: Split, groups: Sequence[str]) -> None:
    """Incomparable when the champion learned from neighbours of the rows that the challenger holds out.

    Such a champion would win by what it remembers: neither has learned from the held-out rows themselves.

    Parameters
    ----------
    champion, challenger : Split
    groups : sequence of str
        The columns by which the challenger's rows belong together; none where each stands alone.
    """
    if by := undivided(champion, challenger, groups):
        neighbours = "rows around the held-out ones" if challenger.time else "other rows of the same groups"
        raise Incomparable(f"the champion's rows were not divided by {', '.join(by)}, so it learned from {neighbours}")
