"""What a look leaves: a line of the journal, the page live.html, and the figures as live.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from slipway.model.reference import reference_of
from slipway.monitoring.live_page import page
from slipway.monitoring.loss import interval, usual_interval
from slipway.monitoring.memory import EVENT
from slipway.monitoring.partitions import Log
from slipway.monitoring.watched import Watched
from slipway.store.atomic import replace, unwritable
from slipway.store.journal import entry
from slipway.store.local import LocalStore

PAGE, FIGURES = "live.html", "live.json"


def publish(of: Watched, store: LocalStore, log: Log, journal: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Write all three; a decision to do nothing is noted, too.

    Parameters
    ----------
    of : Watched
    store : LocalStore
    log : Log
    journal : sequence of mapping, optional
        Its lines so far, those of other machines among them; by default those of this one.

    Raises
    ------
    StoreError
        When one cannot be written.
    """
    line = noted(of)
    earlier = [each for each in (store.journal.entries() if journal is None else journal) if each.get("event") == EVENT]
    store.journal.append(line)
    shown = line["figures"] | {name: line[name] for name in ("outcome", "reasons", "train")}
    for name, content in ((PAGE, page(of, [*earlier, line])), (FIGURES, msgspec.json.encode(shown))):
        try:
            replace(log.root / name, content)
        except OSError as error:
            raise unwritable(log.root / name, error) from error


def noted(of: Watched) -> dict[str, Any]:
    """The line of the journal."""
    told = {"outcome": of.decision.outcome, "reasons": list(of.decision.reasons), "train": of.decision.train}
    return entry(EVENT, of.bundle, of.bundle.digest, told, figures=figures(of))


def figures(of: Watched) -> dict[str, Any]:
    """The numbers behind the decision, and in words what moved."""
    loss, cohorts = of.loss, of.losses.cohorts
    return {
        "at": of.at.isoformat(timespec="seconds"),
        "bundle": of.bundle.digest,
        "days": len(of.days),
        "rows": of.rows,
        "window": {"days": of.look.days, "rows": of.look.rows} if of.look else None,
        "calibrated": bool(of.look and of.look.calibrated),
        "effects": {move.column.key: round(move.effect, 4) for move in of.look.moves} if of.look else {},
        "flagged": [move.column.key for move in of.look.flagged] if of.look else [],
        "sentences": of.sentences,
        "loss": loss
        and {
            "name": of.losses.name,
            "rows": loss.release.rows,
            "mean": loss.release.mean,
            "low": loss.low,
            "usual": loss.usual,
            "allowed": loss.allowed,
            **_intervals(of),
        },
        "expected": {name: {"value": one.value, "margin": one.margin} for name, one in of.estimate.items()},
        "labelled": of.losses.labelled,
        "coverage": cohorts.coverage,
        "delay_seconds": cohorts.delay and {"median": cohorts.delay.median, "ninety": cohorts.delay.ninety},
    }


def _intervals(of: Watched) -> dict[str, Any]:
    """How sure the means of the loss are, that of production and that of the hold-out."""
    reference = reference_of(of.bundle)
    usual = reference.losses[of.losses.name]
    return {
        "interval": interval(of.losses.days),
        "holdout": {"rows": reference.rows, "interval": usual_interval(usual, reference.rows)},
    }
