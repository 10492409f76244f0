"""What a look leaves: a line of the journal, the page live.html, and the figures as live.json."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from slipway.errors import StoreError
from slipway.model.last_look import FIGURES, LARGEST, PAGE
from slipway.model.reference import reference_of
from slipway.monitoring.live_page import page
from slipway.monitoring.loss import interval, usual_interval
from slipway.monitoring.memory import EVENT
from slipway.monitoring.partitions import TOP, Log
from slipway.monitoring.watched import Watched
from slipway.store.atomic import replace, unwritable
from slipway.store.journal import entry
from slipway.store.local import LocalStore

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store


AHEAD = timedelta(days=1)  # by how much the clock of another machine may be fast


class Moment(msgspec.Struct, frozen=True):
    """What of live.json tells the later of two."""

    at: str


def publish(
    of: Watched,
    store: LocalStore,
    log: Log,
    journal: Sequence[Mapping[str, Any]] | None = None,
    remote: "S3Store | None" = None,
) -> None:
    """Write all three; a decision to do nothing is noted, too. Page and figures go to the remote store as well.

    Parameters
    ----------
    of : Watched
    store : LocalStore
    log : Log
    journal : sequence of mapping, optional
        Its lines so far, those of other machines among them; by default those of this one.
    remote : S3Store, optional

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
        _put(log, name, content)
        if remote:
            remote.write(TOP + name, content, sha256(content).hexdigest())


def fetch(log: Log, remote: "S3Store") -> None:
    """Get page and figures from the remote store, if the look that it has is a later one; one of the future is none.

    Raises
    ------
    StoreError
        When the remote store cannot be used, or the log cannot be written.
    """
    there = remote.sizes(f"{TOP}live.")
    if any(not 0 < there.get(TOP + name, 0) <= LARGEST for name in (PAGE, FIGURES)):
        return
    later = remote.read(TOP + FIGURES)
    if _moment(later) > _moment(_content(log)):
        log.make()
        for name, content in ((PAGE, remote.read(TOP + PAGE)), (FIGURES, later)):
            _put(log, name, content)


def _put(log: Log, name: str, content: bytes) -> None:
    try:
        replace(log.root / name, content)
    except OSError as error:
        raise unwritable(log.root / name, error) from error


def _content(log: Log) -> bytes:
    try:
        return (log.root / FIGURES).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{log.root / FIGURES}: cannot be read ({error.strerror})") from error


def _moment(content: bytes) -> str:
    """When figures were made; empty when they do not say it, or a clock was wrong: they would be the latest for ever."""
    try:
        at = msgspec.json.decode(content, type=Moment).at
    except (msgspec.DecodeError, RecursionError):
        return ""
    return at if at <= (datetime.now(UTC) + AHEAD).replace(tzinfo=None).isoformat() else ""


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
        "suspected": [move.column.key for move in of.look.unconfirmed] if of.look else [],
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
        "retrain_when": of.plain and str(of.plain),
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
