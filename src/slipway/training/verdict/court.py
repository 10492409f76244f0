"""How a challenger comes to its verdict: whom it meets, on which rows, and what stands against promoting it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.model.metrics import Scored
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.store.pointer import Pointer
from slipway.training.data.dataset import Table
from slipway.training.fitting.fitted import baseline_scored
from slipway.training.inspection.leaks import Suspect
from slipway.training.verdict.champion import Champion, Champions, Incomparable, common_rows, require_fair
from slipway.training.verdict.doubts import doubts
from slipway.training.verdict.gate import Verdict, judge
from slipway.training.verdict.looks import Looks, held_rows

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
    """

    problem: Problem
    table: Table
    bundle: Bundle
    looks: Looks
    leaks: Sequence[Suspect]

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
        verdict = self._judged(pointer.digest, rival, common)
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
        rows, goal, twin = self.table.rows.take(common), self.table.goal, Predictor(self.bundle.twin())
        scored = goal.scored(rows.y, twin.scores(rows.columns), twin.threshold)
        held = held_rows(self.table.frame[common[self.table.held]], rows.schema, self.problem.group or self.problem.id)
        look = self.looks.next(self.bundle.digest, digest, held, datetime.now(UTC))
        baseline = baseline_scored(self.table.learned, rows.y, goal)
        return judge(goal, scored, champion, baseline, self.problem.gate, look, self.table.units(common))
