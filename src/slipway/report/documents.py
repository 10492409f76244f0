"""What the report and the card are made from: the documents of a bundle, and what is known only when they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from slipway.model.bundle import Bundle
from slipway.model.contents import Metrics, Model, metrics_of, model_of, schema_of
from slipway.model.evaluation import Evaluation, evaluation_of
from slipway.model.meeting import Meeting
from slipway.model.typed_document import Draft
from slipway.table.schema import Schema


class Verdict(msgspec.Struct, frozen=True):
    """What was said of a bundle: an entry of verdict.json.

    Attributes
    ----------
    outcome : str
        ``promoted`` or ``kept``; empty when there was no verdict.
    at : str
        When, in ISO 8601.
    figures : Meeting or None
        What the gate measured.
    latency_us : float or None
        How long one row took where it was trained, in microseconds.
    against : str or None
        Digest of the champion at that time, if there was one.
    doubted : bool
        Whether its figures cannot be trusted, as of a leak; the first reason says why.
    """

    outcome: str = ""
    reasons: tuple[str, ...] = ()
    at: str = ""
    digest: str = ""
    figures: Meeting | None = None
    latency_us: float | None = None
    against: str | None = None
    doubted: bool = False


def verdict_of(said: Mapping[str, Any]) -> Verdict:
    """The verdict that is told; an empty one when people wrote something else there."""
    try:
        return msgspec.convert(dict(said), Verdict)
    except msgspec.ValidationError:
        return Verdict()


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
    verdict : Verdict
        Of the gate on this bundle; empty within the bundle, for it depends on the champion and the date.
    history : tuple of Verdict
        What made champions of others before, the newest first.
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
    verdict: Verdict = Verdict()
    history: tuple[Verdict, ...] = ()
    served: bool = False

    @property
    def positive(self) -> str:
        """The positive label; empty unless there are two."""
        return self.model.classes[1] if self.model.task == "binary" else ""


def documents_of(bundle: Bundle | Draft, problem: str, purpose: str | None) -> Documents:
    """The documents of a bundle, without what is known only when they are shown; BundleError if one is invalid."""
    documents = model_of(bundle), schema_of(bundle), metrics_of(bundle), evaluation_of(bundle)
    return Documents(problem, purpose or "", *documents)


def joined(of: Documents, digest: str, verdict: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> Documents:
    """The documents with what is known beside the bundle `digest`.

    Parameters
    ----------
    verdict : mapping
        On this bundle.
    others : sequence of mapping
        All verdicts that are kept, the oldest first.
    """
    before = (verdict_of(each) for each in reversed(others))
    history = tuple(each for each in before if each.outcome == "promoted" and each.digest != digest)
    return replace(of, digest=digest, verdict=verdict_of(verdict), history=history)
