"""What a replay found, in words and in Markdown.

A pull request shows it, so it has no value of a row: rows are named by their request, levels and ranges are those of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from slipway.monitoring.flips import FAR, LEVEL, Flips
from slipway.monitoring.rematch import TWINS, Difference, Rematch
from slipway.report.figure import Table
from slipway.report.markdown import plain, table
from slipway.report.numbers import aligned, brief, counted, number, percent, share

STRAYED = 0.01  # of the champion's logged answers that it gives otherwise now: above, the log is of another model
LABELS_SHOWN = 12
LOSSES = {"absolute_error": "absolute error", "squared_error": "squared error", "log_loss": "log loss", "error": "error rate"}


@dataclass(frozen=True)
class Replay:
    """A champion and a challenger on the rows that production was asked.

    Parameters
    ----------
    champion, challenger : str
        The first digits of their digests.
    target : str
    days : int
    first, last : date
        The days (UTC); both are included.
    rows, others : int
        That were logged, and how many of them other bundles answered.
    asked : float
        How many rows that stands for, if only a share of the calls is logged.
    strayed : tuple of int
        Of how many logged answers of the champion how many differ from what it answers now: (differ, compared).
    refused : tuple of int
        Logged rows that the champion and the challenger would refuse.
    flips : Flips or None
        None when nothing could be replayed.
    rematch : Rematch or None
        None without labels.
    confidence : float
        Of intervals.
    obstacle : str
        Why nothing could be replayed.
    omitted : tuple of str
        The columns that stand in the way, because the log does not have them as they were.
    """

    champion: str
    challenger: str
    target: str
    days: int
    first: date
    last: date
    rows: int
    others: int = 0
    asked: float = 0.0
    strayed: tuple[int, int] = (0, 0)
    refused: tuple[int, int] = (0, 0)
    flips: Flips | None = None
    rematch: Rematch | None = None
    confidence: float = 0.9
    obstacle: str = ""
    omitted: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What was found; the first sentence says on which rows."""
        if self.obstacle:
            return [f"{self._period}: {counted(self.rows, 'row')} cannot be replayed: {self.obstacle}."]
        told = [self._scope, *self._doubts]
        if self.flips and self.flips.rows:
            told += [*_changes(self.flips, self.target), *_spots(self.flips)]
        return [*told, *self._losses]

    @property
    def markdown(self) -> list[str]:
        """Lines of a pull request: the sentences, the labels that change, and the rows that move most."""
        lines = [f"- {plain(sentence)}" for sentence in self.sentences]
        if not self.flips:
            return lines
        for made, ids in ((_labels(self.flips), ()), (_most(self.flips), (0,))):
            lines += ["", *table(made, ids).split("\n")] if made.rows else []
        return lines

    @property
    def _period(self) -> str:
        return f"{self.first} to {self.last}"

    @property
    def _scope(self) -> str:
        who = f"answered again by the champion {self.champion} and the challenger {self.challenger}"
        told = f"{self._period}: {counted(self.rows, 'logged row')}, {who}"
        if self.asked > self.rows * 1.001:
            told += f". Only a share of the calls is logged: they stand for about {self.asked:,.0f}"
        if self.others:
            told += f". {self.others:,} of them were answered by other bundles at the time"
        return f"{told}."

    @property
    def _doubts(self) -> list[str]:
        told = []
        differ, compared = self.strayed
        if differ > STRAYED * compared:
            told.append(
                f"The champion answers {share(differ / compared)} of {compared:,} rows otherwise than it did in production: "
                "libraries or processor differ from those that served, or log.omit or log.hash was changed. Distrust the rest."
            )
        for name, refused in zip(("champion", "challenger"), self.refused):
            if refused:
                told.append(
                    f"The {name} would refuse {counted(refused, 'row')}, {share(refused / self.rows)}: they are left out."
                )
        return told

    @property
    def _losses(self) -> list[str]:
        found = self.rematch
        if found is None:
            return ["No label of these rows is known, so nothing says yet which is better."]
        if not found.losses:
            return [f"{counted(found.labelled, 'row')} with a label: not compared, because {found.why}."]
        first, *rest = found.losses
        met = "that both twins held out" if found.who == TWINS else "that are new to both"
        where = f"On {counted(first.rows, 'row')} with a label {met} (of {found.labelled:,} with a label)"
        told = [f"{where}, {_loss(first, self.confidence)}: {_meaning(first)}."]
        return told + [f"On the same rows, {_loss(each, self.confidence)}: {_meaning(each)}." for each in rest]


def _changes(flips: Flips, target: str) -> list[str]:
    if not flips.most:
        return ["All answers are the same."]
    of = f"{flips.flips:,.0f} of {flips.weight:,.0f} ({share(flips.share)})"
    median, ninety = flips.quantiles((0.5, 0.9))
    if flips.numbers:
        farther = f"move by more than {percent(FAR)}"
        first = f"Answers that {farther}: {of}"
        if flips.by_interval:
            first = (
                f"Answers that leave the champion's {percent(LEVEL)} interval: {of}. {share(flips.far / flips.rows)} {farther}"
            )
        return [
            f"{first}. Half of all move by at most {number(median)}, 90\N{NO-BREAK SPACE}% by at most {number(ninety)} "
            f"({brief(target)})."
        ]
    return [
        f"Answers with another label: {of}. Probabilities move by at most {number(median)} in half of all rows, by at most "
        f"{number(ninety)} in 90\N{NO-BREAK SPACE}%."
    ]


def _spots(flips: Flips) -> list[str]:
    if not flips.spots:
        return []
    told = [f"{spot.where} {share(spot.share)} of {counted(spot.rows, 'row')}" for spot in flips.spots]
    return [f"They are concentrated: {'; '.join(told)}, against {share(flips.flipped / flips.rows)} of all."]


def _loss(found: Difference, confidence: float) -> str:
    before, after = aligned([found.before, found.after])
    low, high = aligned([found.low, found.high])
    name = LOSSES.get(found.loss, found.loss)
    return f"the mean {name} goes from {before} to {after}, a change of {low} to {high} ({percent(confidence)} interval)"


def _meaning(found: Difference) -> str:
    if found.high < 0:
        return "the challenger is better"
    return "the challenger is worse" if found.low > 0 else "no difference is shown"


def _labels(flips: Flips) -> Table:
    rows: Sequence[tuple[tuple[str, str], float]] = flips.labels.most_common(LABELS_SHOWN)
    shown = tuple((before, after, f"{count:,.0f}", share(count / flips.weight)) for (before, after), count in rows)
    return Table(("before", "after", "rows", "of all"), shown, frozenset({2, 3}))


def _most(flips: Flips) -> Table:
    rows = tuple((brief(each.request), str(each.number), each.before, each.after) for each in flips.most)
    return Table(("request", "row", "before", "after"), rows, frozenset({1}))
