"""What the report and the card are made from: the documents of a bundle, and what is known only when they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway.model.bundle import Bundle
from slipway.model.contents import Draft, Metrics, Model, metrics_of, model_of, schema_of
from slipway.model.evaluation import Evaluation, evaluation_of
from slipway.table.schema import Schema


class Former(msgspec.Struct, frozen=True):
    """A champion of before: its digest, when it was promoted, and the value of its deciding metric."""

    digest: str
    date: str = ""
    metric: str = ""
    value: float | None = None


class Standing(msgspec.Struct, frozen=True):
    """What is known of a bundle beside it: the verdict of the gate, its date, and the champions of before.

    Attributes
    ----------
    outcome : str
        ``promoted`` or ``kept``; empty when there was no verdict.
    date : str
        In ISO 8601.
    history : tuple of Former
        The newest first.
    """

    outcome: str = ""
    reasons: tuple[str, ...] = ()
    date: str = ""
    history: tuple[Former, ...] = ()


def standing_of(verdict: Mapping[str, Any]) -> Standing:
    """The standing that a verdict tells; nothing when people wrote something else there."""
    try:
        return msgspec.convert(dict(verdict), Standing)
    except msgspec.ValidationError:
        return Standing()


@dataclass(frozen=True)
class Documents:
    """Of one bundle.

    Parameters
    ----------
    problem, purpose : str
        Name, and what slipway.yaml says the model is for; empty when it says nothing.
    evaluation : Evaluation or None
        None for a bundle of format 1.
    digest : str
        Empty within the bundle, which cannot know it.
    standing : Standing
        Empty within the bundle, for it depends on the champion and the date.
    served : bool
        Whether this is the model that runs.
    """

    problem: str
    purpose: str
    model: Model
    schema: Schema
    metrics: Metrics
    evaluation: Evaluation | None
    digest: str = ""
    standing: Standing = Standing()
    served: bool = False

    @property
    def positive(self) -> str:
        """The positive label; empty unless there are two."""
        return self.model.classes[1] if self.model.task == "binary" else ""


def documents_of(bundle: Bundle | Draft, problem: str, purpose: str | None) -> Documents:
    """The documents of a bundle, without what is known only when they are shown; BundleError if one is invalid."""
    documents = model_of(bundle), schema_of(bundle), metrics_of(bundle), evaluation_of(bundle)
    return Documents(problem, purpose or "", *documents)
