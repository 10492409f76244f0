"""A replay of logs of hand-made bundles: what changes, what cannot be replayed, and on which rows losses are compared."""

import json
from dataclasses import replace

import numpy as np
import pyarrow
import pytest

from bundles import ENCODING, SCHEMA
from replays import NOW, WEIGHTS, Production, rows_of
from slipway.errors import BundleError, StoreError
from slipway.model.encoding import Encoding, Output
from slipway.model.predictor import Predictor
from slipway.monitoring.partitions import ROWS
from slipway.store.pointer import Pointer
from slipway.store.snapshots import KeptData
from slipway.table.schema import Field, Schema


@pytest.fixture
def production(tmp_path) -> Production:
    return Production(tmp_path)


def test_numbers_that_move(production):
    rows = rows_of(400)
    production.ask(rows)
    found = production.replay()
    before, after = (production.scores(bundle, rows) for bundle in (production.champion, production.challenger))
    smokers = sum(row["smoker"] == "yes" for row in rows)
    far = int((np.abs(after - before) > 0.05 * before).sum())
    assert (found.rows, found.others, found.asked, found.strayed, found.refused) == (400, 0, 400, (0, 400), (0, 0))
    assert (found.flips.rows, found.flips.far, found.flips.flipped) == (400, far, smokers)
    assert found.flips.quantiles((0.9, 0.1)) == pytest.approx([6_000, 0])
    assert found.rematch is None
    assert any("leave the champion's" in each for each in found.sentences)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_labels_that_change(tmp_path, task):
    production, rows = Production(tmp_path, task), rows_of(400)
    production.ask(rows)
    found = production.replay()
    one, other = (Predictor(bundle) for bundle in (production.champion, production.challenger))
    before, after = (each.labels(production.scores(each.bundle, rows)) for each in (one, other))
    changes = {pair: [*zip(before, after)].count(pair) for pair in set(zip(before, after)) if pair[0] != pair[1]}
    assert changes and found.flips.labels == changes
    assert found.flips.flipped == sum(changes.values())
    scores = [production.scores(each.bundle, rows) for each in (one, other)]
    moved = np.abs(scores[1] - scores[0])
    moved = moved.sum(axis=1) / 2 if moved.ndim == 2 else moved
    assert found.flips.most[0].by == pytest.approx(moved.max())
    assert found.flips.quantiles([0.5]) == pytest.approx([np.median(moved)])
    most = found.flips.most[0]
    assert most.before.startswith(f"{before[most.number]} (0.") and most.after.startswith(f"{after[most.number]} (")


def test_a_class_that_the_champion_does_not_know(tmp_path):
    production, rows = Production(tmp_path, "binary"), rows_of(100)
    changed = {
        "task": "multiclass",
        "classes": ["N", "Y", "later"],
        "threshold": None,
    }
    made = Production(tmp_path / "other", "multiclass") if (tmp_path / "other").mkdir() is None else None
    files = {name: made.challenger.read(name) for name in made.challenger.parts["serving"]}
    model = json.loads(files["model.json"]) | changed | {"target": "approved"}
    golden = json.loads(files["golden.json"])
    for answer in golden["predictions"]:
        names = dict(zip("abc", changed["classes"]))
        answer["prediction"] = names[answer["prediction"]]
        answer["probabilities"] = {names[name]: share for name, share in answer["probabilities"].items()}
    files |= {"model.json": json.dumps(model).encode(), "golden.json": json.dumps(golden).encode()}
    challenger = production.store.add("binary", files)
    production.ask(rows)
    found = production.replay(challenger)
    assert found.flips.rows == 100 and found.flips.labels
    assert {after for _, after in found.flips.labels} <= {"N", "Y", "later"}
    assert all(each.by <= 1 for each in found.flips.most)


def test_the_same_model_changes_nothing(production):
    production.ask(rows_of(50))
    found = production.replay(production.champion, champion=production.champion)
    assert found.flips.flipped == 0 and found.flips.most == [] and "All answers are the same." in found.sentences


def test_rows_of_all_files_count_however_many_are_read_at_a_time(production, monkeypatch):
    for back in (0, 3, 7):
        production.ask(rows_of(100, back), back)
    production.ask(rows_of(100, 8), 8)  # older
    whole = production.replay()
    monkeypatch.setattr("slipway.monitoring.replay.TOGETHER", 100)
    pieces = production.replay()
    assert whole.rows == 300 and whole.sentences == pieces.sentences and whole.markdown == pieces.markdown


def test_nothing_was_logged(production):
    assert production.replay() is None
    production.ask(rows_of(3), back=9)
    assert production.replay() is None and production.replay(days=9).rows == 3


def test_rows_that_other_bundles_answered_count_too(production):
    production.ask(rows_of(30), by=production.challenger)
    production.ask(rows_of(20), back=2)
    found = production.replay()
    assert (found.rows, found.others, found.strayed) == (50, 30, (0, 20))
    assert "30 of them were answered by other bundles" in found.sentences[0]


def test_a_champion_that_answers_otherwise_than_it_did_is_distrusted(production):
    rows = rows_of(100)
    answers = production.scores(production.champion, rows)
    production.ask(rows, answers=[answers[0] * 1.1, *answers[1:]])
    assert production.replay().strayed == (1, 100)
    assert not any("Distrust" in each for each in production.replay().sentences)  # 1 % may be
    production.ask(rows, back=2, answers=[*answers[:99], answers[99] + 1_000])
    production.ask(rows[:5], back=3, answers=[1.0] * 5)
    found = production.replay()
    assert found.strayed == (7, 205) and any("Distrust" in each for each in found.sentences)


def test_of_a_sampled_log_counts_are_those_of_all_calls(tmp_path):
    production, rows = Production(tmp_path, "binary"), rows_of(200)
    production.ask(rows, share=0.1)
    found = production.replay()
    assert found.asked == pytest.approx(2_000) and found.flips.weight == pytest.approx(2_000)
    assert sum(found.flips.labels.values()) == pytest.approx(10 * found.flips.flipped)
    assert found.flips.share == pytest.approx(found.flips.flipped / 200)
    assert "they stand for about 2,000" in found.sentences[0]


def test_flips_are_found_where_they_are(tmp_path):
    production, rows = Production(tmp_path, "binary"), rows_of(2_000)
    older = production.bundle(weights=[[0.03 - 0.06], [0.01], [1.5], [0.02]])
    production.ask(rows)
    found = production.replay(older)
    [spot] = found.flips.spots
    old = [row["age"] >= 40 for row in rows]
    assert spot.where == "age of 40 or more" and spot.rows == sum(old)
    assert f"age of 40 or more {100 * spot.share:.1f}\N{NO-BREAK SPACE}% of {sum(old):,} rows" in " ".join(found.sentences)


def test_what_is_refused_is_left_out_and_told(production):
    rows = rows_of(40)
    production.ask([*rows, {**rows[0], "smoker": "vapes"}], answers=[1.0] * 41)
    production.ask([{**rows[0], "age": 500}, {"bmi": 20.0, "smoker": "no", "joined": "2020-01-01"}], back=2, answers=[1.0] * 2)
    found = production.replay()
    assert found.refused == (3, 3) and found.flips.rows == 40
    assert "The challenger would refuse 3 rows" in " ".join(found.sentences)
    production.settings("serving: {unknown_levels: warn, out_of_range: warn}")
    assert production.replay().refused == (1, 1)  # a missing age


def test_a_challenger_of_a_wider_range_reads_what_the_champion_refuses(production):
    wide = Schema(tuple(replace(field, maximum=200) if field.name == "age" else field for field in SCHEMA))
    challenger = production.bundle(schema=wide, encoding=Encoding(wide, ENCODING.outputs))
    production.ask([{**rows_of(1)[0], "age": 150}, *rows_of(1)], answers=[1.0] * 2)
    assert production.replay(challenger).refused == (1, 0)
    found = production.replay(production.champion, champion=challenger)
    assert found.refused == (0, 1) and found.flips.rows == 1


@pytest.mark.parametrize("setting", ["omit", "hash"])
def test_columns_that_the_log_does_not_have_as_they_were(production, setting):
    production.ask(rows_of(5))
    production.settings(f"log: {{{setting}: [bmi, smoker]}}")
    found = production.replay()
    assert found.omitted == ("bmi", "smoker") and found.flips is None and found.rows == 5
    assert found.sentences == [
        "2026-11-15 to 2026-11-22: 5 rows cannot be replayed: a model reads columns that the log does not have as they were: "
        f"bmi (log.{setting}), smoker (log.{setting})."
    ]
    assert len(found.markdown) == 1


def with_field(production: Production, missing: float):
    schema = Schema((*SCHEMA, Field("children", "integer", minimum=0, maximum=5, missing=missing, example=0)))
    outputs = (*ENCODING.outputs, Output("value", "children", fill=0.0))
    rows = [{**row, "children": 0} for row in rows_of(4)]
    weights = [[250.0], [30.0], [23000.0], [1.0], [500.0]]
    return production.bundle(schema=schema, encoding=Encoding(schema, outputs), rows=rows, weights=weights)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_a_new_feature_that_no_logged_row_has(production, missing):
    production.ask(rows_of(5))
    found = production.replay(with_field(production, missing))
    assert found.omitted == ("children",) and "children (no logged row has it)" in found.obstacle


def test_limits_of_a_field_that_the_models_lack_are_for_a_later_one(production):
    production.ask(rows_of(5))
    production.settings("limits: {children: [0, 5], age: [0, 120]}")
    assert production.replay().flips.rows == 5


def test_an_optional_field_that_nobody_sent_is_missing(production):
    production.ask([{name: cell for name, cell in row.items() if name != "bmi"} for row in rows_of(5)])
    assert production.replay().flips.rows == 5


def test_models_of_different_things_are_not_compared(production, tmp_path):
    (tmp_path / "other").mkdir()
    other = Production(tmp_path / "other", "binary")
    production.ask(rows_of(5))
    files = {name: other.champion.read(name) for name in other.champion.parts["serving"]}
    found = production.replay(production.store.add("regression", files))
    assert found.obstacle == "the champion answers regression of charges, the challenger binary of approved"


def test_the_champion_meets_the_one_before(production):
    production.ask(rows_of(5))
    with pytest.raises(
        StoreError, match="is the champion, and the journal has none before it. Compare another bundle with it"
    ):
        production.replay(production.champion)
    production.store.promote(production.challenger, "promote", "by hand")
    found = production.replay(production.challenger)
    assert (found.champion, found.challenger) == (production.champion.digest[:12], production.challenger.digest[:12])


def test_without_a_champion_there_is_nothing_to_compare_with(production):
    production.ask(rows_of(5))
    (production.store.root / "champion.json").unlink()
    with pytest.raises(StoreError, match="no champion yet"):
        production.replay()


def test_a_champion_of_another_problem(production):
    (production.folder / "b").mkdir()
    other = Production(production.folder / "b", "binary").champion
    files = {name: other.read(name) for name in other.parts["serving"]}
    production.store.add("binary", files)
    digest = [each for each in production.store.digests() if production.store.bundle(each).problem == "binary"][0]
    production.store.point(Pointer(digest, "binary"))
    production.ask(rows_of(5))
    with pytest.raises(BundleError, match="belongs to the problem binary"):
        production.replay()


def test_a_damaged_file_is_named(production):
    production.ask(rows_of(5))
    production.replay()
    [part] = production.log.parts(ROWS)
    production.log.path(ROWS, part).write_bytes(b"PAR1 damaged")
    with pytest.raises(StoreError, match="cannot be read"):
        production.replay()


# labelled rows


def truths(production: Production, rows: list[dict], off: float = 0.0) -> list[str]:
    """What the champion answers, and so much more: half of the loss of the challenger on smokers is its own."""
    return [repr(float(answer) + off) for answer in production.scores(production.champion, rows)]


def keep(production: Production, rows: list[dict]) -> str:
    """A table of a training that had these rows."""
    columns = {name: [row.get(name) for row in rows] for name in ("age", "bmi", "smoker", "joined")}
    return KeptData(production.store.root / "data").keep(pyarrow.table(columns), {"seen": len(rows)})


def test_twins_meet_on_rows_that_both_held_out(production):
    rows = rows_of(1_000)
    production.ask(rows)
    production.label(truths(production, rows))
    found = production.replay()
    [loss] = found.rematch.losses
    assert (found.rematch.who, found.rematch.labelled, loss.loss) == ("their twins", 1_000, "absolute_error")
    assert 140 < loss.rows < 260  # a share of 0.2, by the hash of the features
    assert loss.before == 0 and 2_600 < loss.after < 3_400  # 6,000 for each smoker
    assert loss.low < loss.after < loss.high and loss.low > 2_000
    assert found.sentences[-1].endswith("the challenger is worse.")


def test_only_the_labelled_half_of_the_rows_is_compared(production):
    rows = rows_of(2_000)
    production.ask(rows)
    production.label(truths(production, rows)[:1_000])
    assert production.replay().rematch.labelled == 1_000


def test_the_twins_answer_not_what_they_became(production):
    rows = rows_of(1_000)
    challenger = production.bundle(twin=[[250.0], [30.0], [23000.0 + 100], [1.0]], weights=WEIGHTS["regression"])
    production.ask(rows)
    production.label(truths(production, rows))
    [loss] = production.replay(challenger).rematch.losses
    assert 40 < loss.after < 60 and production.replay(challenger).flips.quantiles([1.0]) == pytest.approx([6_000])


def test_without_a_twin_only_what_serves_can_meet(production):
    files = {name: production.challenger.read(name) for name in production.challenger.parts["serving"]}
    rows = rows_of(300)
    production.ask(rows)
    production.label(truths(production, rows))
    found = production.replay(production.store.add("regression", files))
    assert found.rematch.losses == () and "was not judged" in found.sentences[-1]


def test_what_serves_meets_on_rows_that_no_training_had(production):
    rows = rows_of(300)
    data = keep(production, rows[:200])
    champion, challenger = (
        production.bundle(changed={"data": data}, weights=weights) for weights in (None, [[250.0], [30.0], [20000.0], [1.0]])
    )
    production.ask(rows)
    production.label(truths(production, rows))
    found = production.replay(challenger, champion=champion)
    assert (found.rematch.who, found.rematch.losses[0].rows) == ("what they serve", 100)
    assert "that are new to both" in found.sentences[-1]


def test_rows_of_which_only_one_training_is_known_are_for_twins(production):
    rows = rows_of(300)
    challenger = production.bundle(changed={"data": keep(production, rows[:10])}, weights=[[250.0], [30.0], [20000.0], [1.0]])
    production.ask(rows)
    production.label(truths(production, rows))
    assert production.replay(challenger).rematch.who == "their twins"


def test_too_few_labelled_rows_are_said(production):
    rows = rows_of(60)
    production.ask(rows)
    production.label(truths(production, rows))
    found = production.replay()
    assert found.rematch.labelled == 60 and found.rematch.losses == ()
    assert found.sentences[-1].startswith("60 rows with a label: not compared, because fewer than 30 of them")


def test_labels_that_a_model_does_not_know_are_left_out(tmp_path):
    production, rows = Production(tmp_path, "binary"), rows_of(50)
    production.ask(rows)
    production.label(["Y"] * 40 + ["perhaps"] * 10)
    assert production.replay().rematch.labelled == 40


def test_costs_before_and_after(tmp_path):
    production, rows = Production(tmp_path, "binary"), rows_of(1_500)
    costs = {"costs": [5.0, 1.0]}
    challenger = production.bundle(changed=costs, weights=[[0.03], [0.01], [-0.5], [0.02]])
    production.ask(rows)
    production.label(["N", "Y"] * 750)
    found = production.replay(challenger)
    decides, cost = found.rematch.losses
    assert (decides.loss, cost.loss) == ("log_loss", "cost")
    said = Predictor(production.champion).labels(production.scores(production.champion, rows))
    assert 0 < cost.after < 5 and cost.before > cost.after  # fewer are approved wrongly
    assert set(said) == {"N", "Y"} or set(said) == {"Y"}
    assert any("the mean cost goes from" in each for each in found.sentences)


@pytest.mark.parametrize(
    "settings, split, why",
    [
        ("id: patient\nlog: {hash: [patient]}", ["patient"], "the log omits or hashes patient"),
        ("", ["patient"], "rows were divided by patient, which requests do not have"),
        ("id: row\ngroup: patient", ["row"], "the champion's rows were not divided by patient"),
    ],
)
def test_where_nobody_can_tell_what_was_learned_nothing_is_compared(production, settings, split, why, monkeypatch):
    divided = {"split": {"share": 0.2, "salt": "x", "columns": split}}
    champion, challenger = (
        production.bundle(changed=divided, weights=weights) for weights in (None, [[250.0], [30.0], [20000.0], [1.0]])
    )
    rows = rows_of(100)
    production.ask(rows)
    production.label(truths(production, rows))
    production.settings(settings)
    found = production.replay(challenger, champion=champion)
    assert found.rematch.losses == () and found.rematch.labelled == 100 and why in found.sentences[-1]
    assert found.flips.rows == 100


def test_rows_of_one_patient_are_one_unit(production):
    production.settings("id: patient")
    divided = {"split": {"share": 0.99, "salt": "x", "columns": ["patient"]}}
    champion, challenger = (
        production.bundle(changed=divided, weights=weights) for weights in (None, [[250.0], [30.0], [20000.0], [1.0]])
    )
    rows = [{**row, "patient": str(number % 50)} for number, row in enumerate(rows_of(200))]
    production.ask(rows)
    production.label(truths(production, rows))
    [loss] = production.replay(challenger, champion=champion).rematch.losses
    assert loss.units in range(45, 51) and loss.rows == 4 * loss.units


def test_no_value_of_a_row_is_told(production):
    production.settings("id: patient\nserving: {unknown_levels: warn, out_of_range: warn}")
    rows = [{**row, "patient": f"Meyer-{number}", "bmi": 31.4159 + number} for number, row in enumerate(rows_of(60))]
    rows[0] |= {"smoker": "a secret", "age": 4711}
    production.ask(rows, answers=[0.0] * 60, request="a|b`c")
    production.label(["1.0"] * 60, "a|b`c")
    said = "\n".join([*production.replay().markdown, *production.replay().sentences])
    assert all(line.count("|") == 5 + line.count(r"\|") for line in said.splitlines() if line.startswith("|"))
    assert not [text for text in ("Meyer", "secret", "4711", "31.4159", rows[3]["joined"]) if text in said]
    assert "| ``a\\|b`c`` |" in said


def test_the_ten_rows_that_move_most_are_named(production):
    rows = rows_of(100)
    production.ask(rows[:50], back=2)
    production.ask(rows[50:], back=1)
    found = production.replay()
    assert len(found.flips.most) == 10 and all(each.by == pytest.approx(6_000) for each in found.flips.most)
    of = {"r-2": rows[:50], "r-1": rows[50:]}
    assert all(of[each.request][each.number]["smoker"] == "yes" for each in found.flips.most)
    lines = found.markdown
    assert "| request | row | before | after |" in lines
    assert NOW.date() == found.last and len(lines[lines.index("| request | row | before | after |") :]) == 12


def test_a_request_id_of_a_client_is_no_link(production):
    production.ask(rows_of(100), request="https://evil.example/merge")
    lines = [line for line in production.replay().markdown if "evil.example" in line]
    assert len(lines) == 10 and all(line.startswith("| `https://evil.example/merge` | ") for line in lines)
