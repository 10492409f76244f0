"""A bundle that was exported to another tool: what it needs beside the bundle to answer as the service does."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from slipway.errors import TableError
from slipway.model.bundle import read_bundle
from slipway.model.predictor import Predictor
from slipway.model.scoring import added_names, answer_columns
from slipway.model.tables import answers_to
from slipway.sections import Serving
from slipway.table.faults import LISTED
from slipway.table.rules import Limits, Rules

if TYPE_CHECKING:
    import pandas as pd


class Exported(msgspec.Struct, frozen=True):
    """What an exported model says beside its bundle.

    Attributes
    ----------
    digest : str
        Of the bundle.
    serving : Serving
    limits : mapping
        As `Rules` has them, like `serving`.
    missing : mapping of str to tuple of str
        Field → further texts that mean a missing cell in it.
    """

    digest: str
    serving: Serving
    limits: dict[str, Limits]
    missing: dict[str, tuple[str, ...]]


class FramePredictor:
    """Answers pandas frames by the rules of the service.

    Parameters
    ----------
    folder : Path
        Of the bundle; every byte is verified, and the golden predictions are replayed.
    exported : Exported

    Raises
    ------
    BundleError
        When a byte differs from what the digest names, or a golden prediction from the recorded one.
    """

    def __init__(self, folder: Path, exported: Exported) -> None:
        self._predictor = Predictor(read_bundle(folder, exported.digest))
        self._predictor.replay()
        markers = exported.missing
        self._rules = Rules(self._predictor.schema, exported.serving, exported.limits, lambda column: markers.get(column, ()))

    def predict(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """The columns of the answer, ``prediction`` and ``probability_LABEL`` for each label, with a cell per row.

        Raises
        ------
        TableError
            When a column is missing, or a row cannot be answered: like a call of the service, a frame is answered as a whole
            or not at all.
        """
        absent = [field.name for field in self._predictor.schema if field.optional and field.name not in frame.columns]
        answers = answers_to(self._predictor, frame.assign(**dict.fromkeys(absent)), self._rules)
        if answers.reasons:
            raise TableError(_refused(dict(answers.reasons)), "Correct these rows, or leave them out")
        return answer_columns(answers, added_names(self._predictor))


def _refused(reasons: dict[int, str]) -> str:
    told = "; ".join(f"row {row + 1}: {reason}" for row, reason in list(reasons.items())[:LISTED])
    count = "1 row" if len(reasons) == 1 else f"{len(reasons):,} rows"
    return f"{count} cannot be answered: {told}" + (" …" if len(reasons) > LISTED else "")
