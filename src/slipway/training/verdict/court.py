"""How a challenger comes to its verdict: whom it meets, on which rows, and what stands against promoting it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
import pyarrow

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.model.metrics import Scored
from slipway.model.predictor import Predictor
from slipway.model.row_losses import deciding
from slipway.problem import Problem
from slipway.store.pointer import Pointer
from slipway.training.data.dataset import Table
from slipway.training.fitting.fitted import baseline_scored
from slipway.training.inspection.leaks import Suspect
from slipway.training.verdict.champion import Champion, Champions, Incomparable, common_rows, require_fair
from slipway.training.verdict.doubts import doubts
from slipway.training.verdict.gate import Verdict, judge
from slipway.training.verdict.harm import Part, harms, told, untested
from slipway.training.verdict.looks import Looks, held_rows
from slipway.training.verdict.witnesses import Witnesses

UNRIVALLED = "there was no champion to compare with"  # verdict.json keeps it, so it must stay true afterwards

REDRAWN = 0.8  # of the held-out rows: below, the figures of report and verdict are about different rows


@dataclass(frozen=True)
class Court:
    """What decides on a challenger.

    Parameters
    ----------
    problem : Problem
    table : Table
    bundle : Bundle
        The challenger; its twin is what is judged.
    looks : Looks
        How often held-out rows were looked at before.
    leaks : sequence of Suspect
    cohort : mapping of date to pyarrow.Table, or None
        Labelled rows of production by their day, the newest first; None where nothing is logged.
    """

    problem: Problem
    table: Table
    bundle: Bundle
    looks: Looks
    leaks: Sequence[Suspect]
    cohort: Mapping[date, pyarrow.Table] | None = None

    def verdict(self, champions: Champions, pointer: Pointer | None) -> Verdict:
        """The verdict; a promotion stands only when nothing is doubtful."""
        verdict = self._met(champions, pointer)
        for doubt in doubts(self.table, self.leaks, champions.bundle(pointer)):
            if verdict.promoted:
                verdict = verdict.refused(f"{doubt}. {self._anyway.capitalize()}")
        return verdict

    def refusal(self, why: str) -> Verdict:
        """The verdict on a challenger that met nobody."""
        return Verdict("kept", (why, self._anyway))

    @property
    def _anyway(self) -> str:
        return f"to serve it anyway: slipway promote {self.bundle.digest[:12]}"

    def _met(self, champions: Champions, pointer: Pointer | None) -> Verdict:
        if pointer is None:
            return self._alone(UNRIVALLED)
        if pointer.digest == self.bundle.digest:
            return Verdict("kept", ("the challenger is the champion: same data, same problem, same bundle",))
        if pointer.problem != self.problem.name:
            return self._alone(f"{UNRIVALLED}: {pointer.digest[:12]} is of the problem {pointer.problem}")
        try:
            champion = champions.load(pointer)
        except BundleError as error:
            return self.refusal(f"the champion cannot be compared: {error}")
        try:
            common, rival = self._rival(champion)
        except Incomparable as reason:
            return self.refusal(f"they cannot be compared: {reason}")
        verdict = self._weighed(self._judged(pointer.digest, rival, common), champion, rival, common)
        both, held = int(common.sum()), int(self.table.held.sum())
        if both >= REDRAWN * held:
            return verdict
        return verdict.advising(
            f"only {both:,} of {held:,} held-out rows were held out for the champion too, because the rows are divided "
            "otherwise now; with id in slipway.yaml, each keeps its side"
        )

    def _alone(self, why: str) -> Verdict:
        """Against the baseline."""
        verdict = self._judged(None, None, self.table.held).because(why)
        return verdict if verdict.promoted else verdict.advising(self._anyway)

    def _rival(self, champion: Champion) -> tuple[np.ndarray, Scored]:
        """Mask of the rows that both held out, and what the champion's twin says of them."""
        table, rows = self.table, self.table.rows
        require_fair(champion.split, table.split, self.problem.group)
        both = common_rows(champion, table.frame)
        scores = champion.scores(table.frame[both], rows.task, rows.classes, self.problem.markers)
        common = table.held.copy()
        common[table.held] = both
        return common, table.goal.scored(rows.y[common], scores, champion.twin.threshold)

    def _judged(self, digest: str | None, champion: Scored | None, common: np.ndarray) -> Verdict:
        rows, goal = self.table.rows, self.table.goal
        held = held_rows(self.table.frame[common[self.table.held]], rows.schema, self.problem.group or self.problem.id)
        look = self.looks.next(self.bundle.digest, digest, held, datetime.now(UTC))
        baseline = baseline_scored(self.table.learned, rows.y[common], goal)
        return judge(goal, self._scored(common), champion, baseline, self.problem.gate, look, self.table.units(common))

    def _weighed(self, verdict: Verdict, champion: Champion, rival: Scored, common: np.ndarray) -> Verdict:
        """The verdict with what levels, the anchor set and production's newest rows say."""
        if verdict.meeting is None:
            return verdict
        witnesses = Witnesses(self.problem, self.table, self._twin, champion, self.cohort, datetime.now(UTC).date())
        whole = Part("all", self._scored(common), rival, self.table.units(common))
        parts, says = witnesses.heard(whole, common)
        goal, before = self.table.goal, verdict.promoted
        found = harms(parts, whole, goal.metric, self.problem.gate.confidence)
        loss = deciding(goal.metric)
        verdict = verdict.weighed(loss, found, [*(told(found, loss) if found else []), *untested(parts), *says])
        return verdict.advising(self._anyway) if before and not verdict.promoted else verdict

    def _scored(self, rows: np.ndarray) -> Scored:
        """What the challenger's twin says of these rows of the table, a mask."""
        of = self.table.rows.take(rows)
        return self.table.goal.scored(of.y, self._twin.scores(of.columns), self._twin.threshold)

    @cached_property
    def _twin(self) -> Predictor:
        return Predictor(self.bundle.twin())
