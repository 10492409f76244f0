"""What a look leaves: a line of the journal, the page live.html, and the figures as live.json."""

from typing import Any

import msgspec

from slipway.monitoring.live_page import page
from slipway.monitoring.partitions import Log
from slipway.monitoring.watched import Watched
from slipway.store.atomic import replace, unwritable
from slipway.store.journal import entry
from slipway.store.local import LocalStore

EVENT = "watch"
PAGE, FIGURES = "live.html", "live.json"


def publish(of: Watched, store: LocalStore, log: Log) -> None:
    """Write all three; a decision to do nothing is noted, too.

    Raises
    ------
    StoreError
        When one cannot be written.
    """
    found = figures(of)
    earlier = [each for each in store.journal.entries() if each.get("event") == EVENT]
    told = {"outcome": of.decision.outcome, "reasons": list(of.decision.reasons)}
    noted = entry(EVENT, of.bundle, of.bundle.digest, told, train=of.decision.train, figures=found)
    store.journal.append(noted)
    for name, content in ((PAGE, page(of, [*earlier, noted])), (FIGURES, msgspec.json.encode(found))):
        try:
            replace(log.root / name, content)
        except OSError as error:
            raise unwritable(log.root / name, error) from error


def figures(of: Watched) -> dict[str, Any]:
    """The numbers behind the decision."""
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
        "loss": loss
        and {
            "name": of.losses.name,
            "rows": loss.release.rows,
            "mean": loss.release.mean,
            "low": loss.low,
            "usual": loss.usual,
            "allowed": loss.allowed,
        },
        "expected": {name: {"value": one.value, "margin": one.margin} for name, one in of.estimate.items()},
        "retrain_when": of.plain and str(of.plain),
        "labelled": of.losses.labelled,
        "coverage": cohorts.coverage,
        "delay_seconds": cohorts.delay and {"median": cohorts.delay.median, "ninety": cohorts.delay.ninety},
    }
