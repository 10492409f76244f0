"""Whom a challenger meets, on which rows, and what comes of it: whole trainings, by their verdicts."""

import shutil

import pytest

from slipway.model.contents import metrics_of, model_of
from slipway.model.division import held_out
from slipway.model.predictor import Predictor
from slipway.store import local
from slipway.store.local import LocalStore
from tables import charges, grades
from trainings import trained


def test_models_meet_by_their_twins(tmp_path, store, monkeypatch):
    """What was fitted on the rows held out would flatter the champion."""
    first = trained(tmp_path, store, charges(), "charges", candidates=["linear"], drop=["bmi"]).bundle
    outcome = trained(tmp_path, store, charges(), "charges", candidates=["linear"], drop=["bmi"], seed=1)
    reached = f"{metrics_of(first).holdout.metrics['rmse'].value:.4g}"
    assert f"rmse {reached} against the champion's {reached}" in outcome.verdict.reasons[0]


def test_a_champion_without_its_twin_is_kept_and_the_cure_told(tmp_path, store):
    first = trained(tmp_path, store, charges(), "charges", drop=["bmi"]).bundle
    for name in ("judging.json", "twin.json", "twin.onnx"):
        (first.folder / name).unlink()
    outcome = trained(tmp_path, store, charges(), "charges")
    assert outcome.verdict.outcome == "kept" and "Run slipway pull" in outcome.verdict.reasons[0]


def test_a_first_model_of_a_shuffled_target_is_kept(tmp_path, store):
    """As often as not it is better than the baseline by luck."""
    verdicts = []
    for seed in range(6):
        frame = grades(150, seed=seed)
        shuffled = frame.assign(grade=frame["grade"].sample(frac=1, random_state=seed).to_numpy())
        alone = LocalStore(tmp_path / f"artifacts{seed}")
        verdicts.append(trained(tmp_path, alone, shuffled, "grade", candidates=["linear"]).verdict)
    assert sum(verdict.meeting.gain > 0 for verdict in verdicts) >= 2
    assert sum(verdict.promoted for verdict in verdicts) <= 1
    assert all("slipway promote" in verdict.reasons[-1] for verdict in verdicts if not verdict.promoted)


def test_a_challenger_that_is_kept_makes_the_next_look_stricter(tmp_path, store):
    frame = charges(600).assign(row=[f"r{number}" for number in range(600)])
    verdicts = [trained(tmp_path, store, frame, "charges", id="row", drop=away).verdict for away in ([], ["bmi"], ["age"])]
    assert [verdict.outcome for verdict in verdicts] == ["promoted", "kept", "kept"]
    first, second, third = (verdict.meeting for verdict in verdicts)
    assert (first.look, second.look, third.look) == (1, 2, 3) and third.allowed < second.allowed == first.allowed


def test_the_same_again_is_kept_and_says_nothing_new_of_the_champion(tmp_path, store):
    first = trained(tmp_path, store, charges(), "charges")
    before = (store.root / "verdict.json").read_bytes()
    second = trained(tmp_path, store, charges(), "charges")
    assert (store.root / "verdict.json").read_bytes() == before
    assert second.bundle.digest == first.bundle.digest
    assert second.verdict.outcome == "kept" and "is the champion" in second.verdict.reasons[0]


def test_a_better_model_is_promoted_and_a_worse_one_kept(tmp_path, store):
    frame = charges(600).assign(row=[f"r{number}" for number in range(600)])
    poor = trained(tmp_path, store, frame, "charges", id="row", drop=["age"])
    better = trained(tmp_path, store, frame, "charges", id="row")
    worse = trained(tmp_path, store, frame, "charges", id="row", drop=["bmi", "age"])
    assert poor.verdict.promoted
    assert better.verdict.promoted and "against the champion's" in better.verdict.reasons[0]
    assert not worse.verdict.promoted and "worse than the champion" in worse.verdict.reasons[1]
    assert store.pointer().digest == better.bundle.digest
    told = store.verdicts()
    assert [each["digest"] for each in told] == [each.bundle.digest for each in (poor, better)]
    assert [each["champion"] for each in told] == [None, poor.bundle.digest]
    assert store.journal.last_verdict()["digest"] == worse.bundle.digest
    assert store.verdict(store.pointer())["reasons"] == list(better.verdict.reasons)
    assert all(each["latency_us"] > 0 and each["changes"]["against"] == each["champion"] for each in told)
    assert "latency" not in "".join(better.bundle.read(name).decode(errors="replace") for name in better.bundle.files)


def test_the_champion_is_verified_and_loaded_once(tmp_path, store, monkeypatch):
    first = trained(tmp_path, store, charges(), "charges", drop=["bmi"]).bundle.digest
    verified, replayed = [], []
    read_bundle, replay = local.read_bundle, Predictor.replay
    monkeypatch.setattr(local, "read_bundle", lambda folder, digest: verified.append(digest) or read_bundle(folder, digest))
    monkeypatch.setattr(Predictor, "replay", lambda self: replayed.append(self.digest) or replay(self))
    assert trained(tmp_path, store, charges(seed=1), "charges", drop=["bmi"]).champion == first
    assert (verified.count(first), replayed) == (1, [first])


def test_models_meet_only_on_rows_that_neither_has_seen(tmp_path, store):
    """Without an id column, other features mean another split: what both held out is too little here."""
    trained(tmp_path, store, charges(600), "charges", drop=["age"])
    outcome = trained(tmp_path, store, charges(600), "charges")
    assert not outcome.verdict.promoted and "were held out by both" in outcome.verdict.reasons[0]


def test_in_time_they_meet_on_rows_after_both_boundaries(tmp_path, store):
    frame = charges(900).assign(day=range(900))
    given = {"time": "day", "candidates": ["linear"]}
    first = trained(tmp_path, store, frame[:600], "charges", drop=["age"], **given)
    outcome = trained(tmp_path, store, frame, "charges", **given)
    assert [each.bundle.json("model.json")["split"]["boundary"] for each in (first, outcome)] == [479, 719]
    assert "on the same 180 held-out rows" in outcome.verdict.reasons[0] and outcome.verdict.promoted


def test_a_champion_that_was_divided_otherwise_meets_on_the_rows_that_neither_has_seen(tmp_path, store):
    """By the hash of the features it held out a fifth of all rows; of those held out by id about a fifth."""
    frame = charges(1_200).assign(row=[f"r{number}" for number in range(1_200)])
    given = {"candidates": ["linear"]}
    champion = trained(tmp_path, store, frame, "charges", drop=["row", "age"], **given)
    outcome = trained(tmp_path, store, frame, "charges", id="row", **given)
    held = held_out(frame, model_of(champion.bundle.twin()).split)
    both = (held & held_out(frame, model_of(outcome.bundle.twin()).split)).sum()
    assert f"on the same {both} held-out rows" in outcome.verdict.reasons[0] and 30 <= both < 80
    assert outcome.champion == champion.bundle.digest
    assert outcome.verdict.reasons[-1].startswith(f"only {both} of ")


def test_fewer_than_30_common_rows_are_no_comparison(tmp_path, store):
    trained(tmp_path, store, charges(120), "charges", candidates=["linear"])
    outcome = trained(tmp_path, store, charges(130), "charges", candidates=["linear"], drop=["region"], id="age")
    assert "rows were held out by both (fewer than 30)" in outcome.verdict.reasons[0]
    assert "slipway promote" in outcome.verdict.reasons[1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"time": "day"}, "were not divided by day"), ({"group": "patient"}, "were not divided by patient")],
)
def test_a_champion_that_learned_from_neighbours_of_the_rows_is_not_met(tmp_path, store, settings, says):
    """It would win by what it remembers, and the problem's own cure could never be promoted."""
    frame = charges(400).assign(day=range(400), patient=[f"p{number // 4}" for number in range(400)])
    assert trained(tmp_path, store, frame, "charges", candidates=["linear"]).verdict.promoted
    verdict = trained(tmp_path, store, frame, "charges", candidates=["linear"], **settings).verdict
    assert not verdict.promoted and says in verdict.reasons[0] and "slipway promote" in verdict.reasons[1]


def test_a_comparison_on_few_of_the_held_out_rows_says_so(tmp_path, store):
    trained(tmp_path, store, charges(400), "charges", candidates=["linear"])
    verdict = trained(tmp_path, store, charges(400), "charges", candidates=["linear"], **{"holdout.share": 0.5}).verdict
    assert "held-out rows were held out for the champion too" in verdict.reasons[-1]


def test_a_champion_that_needs_a_lost_column_cannot_be_compared(tmp_path, store):
    keyed = charges(400).assign(row=[f"r{number}" for number in range(400)])
    champion = trained(tmp_path, store, keyed, "charges", id="row")
    outcome = trained(tmp_path, store, keyed.drop(columns="region"), "charges", id="row")
    assert not outcome.verdict.promoted
    assert "needs the column region" in outcome.verdict.reasons[0]
    assert f"slipway promote {outcome.bundle.digest[:12]}" in outcome.verdict.reasons[1]
    assert store.pointer().digest == champion.bundle.digest


def test_a_champion_of_another_task_cannot_be_compared(tmp_path, store):
    keyed = grades(400).assign(row=[f"r{number}" for number in range(400)])
    trained(tmp_path, store, keyed, "grade", id="row")
    outcome = trained(tmp_path, store, keyed.assign(grade=keyed["x"]), "grade", id="row", drop=["y"])
    assert "another task" in outcome.verdict.reasons[0]


def test_a_champion_of_another_problem_is_no_rival(tmp_path, store):
    other = trained(tmp_path, store, grades(400), "grade").bundle
    store.promote(store.add("exam", {name: other.read(name) for name in other.parts["serving"]}), "promote", "by hand")
    outcome = trained(tmp_path, store, charges(), "charges")
    assert outcome.verdict.promoted and "is of the problem exam" in outcome.verdict.reasons[0]


@pytest.mark.parametrize("damage", [lambda model: shutil.rmtree(model.parent), lambda model: model.write_bytes(b"x")])
def test_a_champion_that_is_not_here_whole_is_not_replaced(tmp_path, store, damage):
    """A fresh clone has the pointer alone."""
    first = trained(tmp_path, store, charges(), "charges", candidates=["linear"]).bundle
    damage(store.bundles / first.digest / "model.onnx")
    outcome = trained(tmp_path, store, charges(), "charges", candidates=["linear"], drop=["smoker"])
    reason, anyway = outcome.verdict.reasons
    assert outcome.verdict.outcome == "kept" and store.pointer().digest == first.digest
    assert reason.startswith("the champion cannot be compared: ") and "un slipway pull" in reason
    assert store.journal.entries()[-1]["inputs"] is None, "so that --if-changed trains when it is here"
    assert anyway == f"to serve it anyway: slipway promote {outcome.bundle.digest[:12]}"


def test_a_champion_without_golden_predictions_is_not_replaced(tmp_path, store):
    first = trained(tmp_path, store, charges(), "charges", candidates=["linear"]).bundle
    content = {name: first.read(name) for name in first.parts["serving"]} | {"golden.json": b"{}"}
    store.promote(store.add("trial", content), "promote", "by hand")
    outcome = trained(tmp_path, store, charges(seed=1), "charges", candidates=["linear"])
    assert not outcome.verdict.promoted and "golden.json: Object missing required field" in outcome.verdict.reasons[0]
