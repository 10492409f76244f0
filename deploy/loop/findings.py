"""What must hold at the end of the fortnight, and whether it does."""

import json
from dataclasses import dataclass

from loop.checkouts import Checkouts
from loop.fortnight import Fortnight, Plan
from loop.parcels import DRIFT
from loop.seeds import FOUND_BY, Rates

FILES = ["artifacts/champion.json", "artifacts/verdict.json"]


@dataclass(frozen=True)
class Finding:
    """One thing that must hold, and the numbers that say whether it does."""

    what: str
    numbers: str
    holds: bool


def findings(plan: Plan, found: Fortnight, checkouts: Checkouts, many: Rates) -> list[Finding]:
    """All of them."""
    return [*of_flags(found), *of_rows(plan, found), *of_labels(found), *of_proposal(found, checkouts), of_seeds(many)]


def of_flags(found: Fortnight) -> list[Finding]:
    flags = {day.number: day.flagged for day in found.days if day.flagged}
    first = min(flags, default=0)
    names = f"day {first}: {', '.join(flags[first])}" if flags else "none"
    return [
        Finding(f"no flag before day {DRIFT}, when the ferry begins", f"first flag on {names}", not first or first >= DRIFT),
        Finding(f"the distance is flagged by day {FOUND_BY}", names, "distance" in flags.get(first, ()) and first <= FOUND_BY),
    ]


def of_rows(plan: Plan, found: Fortnight) -> list[Finding]:
    heard, logged, dropped = found.heard(), found.logged, sum(found.dropped.values())
    absent = heard.answered - logged.keys()
    strange = [name for name, times in logged.items() if times > 1 or name not in heard.answered | heard.unknown]
    inside = len(heard.answered) - len(absent)
    sums = f"{len(heard.answered):,} answered = {inside:,} in the tables + {dropped:,} counted as dropped"
    outside = [day.number for day in found.days if day.dropped and day.number != plan.full]
    silent = [day.number for day in found.days if day.heard.unknown and day.number != plan.killed]
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.dropped.items())) or "none"
    return [
        Finding("no answered row is lost but those counted", sums, len(absent) == dropped and dropped > 0),
        Finding(
            "rows are dropped only while the disk is full", reasons, not outside and found.dropped.keys() == {"disk_full"}
        ),
        Finding(
            "every row is answered, but for some when the worker was killed",
            f"{len(heard.unknown)} unanswered, {len(logged.keys() & heard.unknown)} of them logged",
            not silent,
        ),
        Finding("no row is in the tables twice, or unasked", f"{len(strange)} are", not strange),
    ]


def of_labels(found: Fortnight) -> list[Finding]:
    told, matched = sum(day.labels for day in found.days), len(found.delivered & found.logged.keys())
    again, stand = found.again, found.standing
    have, wait = stand.get("with a", -1), stand.get("waiting for", -1)
    return [
        Finding("a table of labels that comes twice adds nothing", _told(again), again["new"] == 0 < again["duplicate"]),
        Finding(
            "labels are counted once",
            f"{told:,} new of {len(found.delivered):,} delivered; {have:,} have a prediction, {wait:,} are of dropped rows",
            told == len(found.delivered) == have + wait and have == matched,
        ),
    ]


def _told(said: dict[str, int]) -> str:
    return f"{said['new']} new, {said['duplicate']} duplicate, {said['corrected']} corrected"


def of_proposal(found: Fortnight, checkouts: Checkouts) -> list[Finding]:
    advised = [day for day in found.days if day.look["train"]]
    trainings = checkouts.trainings()[1:]
    pulls = checkouts.github.pulls()
    body = pulls[0]["body"] if pulls else ""
    reasons = [reason for each in (*trainings, *(day.look for day in advised)) for reason in each["reasons"]]
    says = [reason for reason in reasons if reason in body]  # of the verdict, or of the look that advised it
    days = ", ".join(f"day {day.number}" for day in advised) or "no day"
    digest = json.loads(checkouts.runner.git("show", f"origin/slipway/retrain:{FILES[0]}"))["digest"] if pulls else ""
    return [
        Finding("one training, after the ferry, as advised", days, len(trainings) == len(advised) == 1 and _late(found)),
        Finding(
            "one pull request changes the pointer and its verdict alone",
            pulls[0]["title"] if pulls else "none",
            len(pulls) == 1 and checkouts.proposed() == FILES and digest[:12] in pulls[0]["title"],
        ),
        Finding("it says why", says[0] if says else "nothing", bool(says)),
    ]


def _late(found: Fortnight) -> bool:
    return all(day.number >= DRIFT for day in found.days if day.look["train"])


def of_seeds(many: Rates) -> Finding:
    says = f"{many.early} flagged early (at most {many.most_early:.0f}), {many.found} by day {FOUND_BY}"
    return Finding(f"the rule over {many.seeds} seeds, from counts", says, many.hold)
