"""What a look at production says of the champion that is to be replaced, in Markdown, from its line in the journal."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from slipway.monitoring.memory import EVENT
from slipway.report.markdown import plain
from slipway.report.numbers import aligned, counted, share

FRESH = timedelta(days=2)  # older than that, a look was not what a training was started for
OUTCOMES = {
    "quiet": "nothing moved beyond chance",
    "drift": "columns moved",
    "worse": "the model has become worse",
    "broken": "what feeds the model is broken",
}
SUSPECTED = "columns are suspected to have moved"

Entry = Mapping[str, Any]


def last_look(journal: Iterable[Entry], digest: str, at: datetime) -> Entry | None:
    """The last look at a champion, in the two days before a moment (UTC, with its zone); None when there was none."""
    looks = [each for each in journal if each.get("event") == EVENT and each.get("digest") == digest]
    return next((each for each in reversed(looks) if timedelta(0) <= at - _moment(each) <= FRESH), None)


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(str(entry["at"]))


def why_now(look: Entry | None, given: str) -> list[str]:
    """Why there was a training, as ``slipway due`` said, or else as the last look asked for it; nothing when nobody knows."""
    reason = given or (" ".join(look["reasons"]) if look and look["train"] else "")
    return [plain(reason)] if reason else []


def told(look: Entry) -> list[str]:
    """What was found: the loss beside that of the hold-out, and what moved."""
    found = look["figures"]
    rows = f"{counted(found['rows'], 'row')} on {found['days']} of the last 28 days"
    unsure = look["outcome"] == "quiet" and found.get("suspected")
    outcome = SUSPECTED if unsure else OUTCOMES[look["outcome"]]
    lines = [f"Of the champion before, on {str(look['at'])[:10]}: {outcome}; it answered {rows}."]
    lines += ["", *_loss(found)]
    if sentences := found.get("sentences"):
        lines += ["", "What moved:", "", *(f"- {plain(each.replace('`', ''))}" for each in sentences)]
    return lines


def _loss(found: Mapping[str, Any]) -> list[str]:
    loss = found["loss"]
    if not loss or loss["mean"] is None:
        came = found.get("labelled")
        why = f"{counted(came, 'label')} came, too few or too early" if came else "no label has come"
        return [f"Whether its answers were as good as on the hold-out nobody knows: {why}."]
    name, held = loss["name"].replace("_", " "), loss.get("holdout")
    if not held:
        mean, usual = aligned([loss["mean"], loss["usual"]])
        return [f"The mean {name} of {loss['rows']:,} labelled rows was {mean}, on the hold-out {usual}."]
    mean, low, high, usual, least, most, allowed = aligned(
        [loss["mean"], *loss["interval"], loss["usual"], *held["interval"], loss["allowed"]]
    )
    coverage = found["coverage"]
    known = f" {share(coverage)} of the answers of these days have a label." if coverage is not None else ""
    return [
        f"The mean {name} of {loss['rows']:,} labelled rows was {mean} ({low} to {high}), on the {held['rows']:,} rows of the "
        f"hold-out {usual} ({least} to {most}), with 90 % intervals; up to {allowed} is allowed.{known}"
    ]
