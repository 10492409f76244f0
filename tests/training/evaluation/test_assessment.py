import msgspec
import numpy as np
import pandas as pd
import pytest

from slipway.model.evaluation import Evaluation
from slipway.model.metrics import value
from slipway.model.predictor import Predictor
from slipway.model.typed_document import written
from slipway.training.challenger import challenger
from slipway.training.data.dataset import Table, read
from slipway.training.evaluation.assessment import evaluate
from slipway.training.fitting.candidates import CANDIDATES, Trial
from slipway.training.fitting.fitted import Entry
from tables import charges, grades, problem


def evaluated(folder, frame, target, **settings) -> tuple[Evaluation, Table, Predictor]:
    """The evaluation of a linear model, without a search."""
    asked = problem(folder, frame, target, **settings)
    table = read(asked)
    trial = Trial("linear", CANDIDATES["linear"].first(table.rows.task)[0])
    entry = Entry(trial, 0.0, 0.0, 0.5 if table.rows.task == "binary" else None)
    twin = Predictor(challenger(table, [entry], 0.9).twin)
    return evaluate(asked, table, entry, twin), table, twin


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    ids = [f"r{number}" for number in range(800)]
    frame = charges(800).assign(id=ids, story=ids, note="always")
    return evaluated(tmp_path_factory.mktemp("regression"), frame, "charges", id="id", drop=["note"])


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return evaluated(tmp_path_factory.mktemp("binary"), grades(600), "grade", costs={"false_positive": 1, "false_negative": 3})


@pytest.fixture(scope="module")
def multiclass(tmp_path_factory):
    return evaluated(tmp_path_factory.mktemp("multiclass"), grades(600, classes=3), "grade")


def test_a_task_has_what_belongs_to_it(regression, binary, multiclass):
    numbers, two, several = regression[0], binary[0], multiclass[0]
    assert numbers.residuals and numbers.intervals and not numbers.classes and numbers.reliability is None
    assert two.curve and two.reliability and len(two.classes) == 2 and two.residuals is None
    assert two.threshold in [point.threshold for point in two.curve]
    assert several.reliability and len(several.classes) == 3 and not several.curve and several.threshold is None
    for found in (numbers, two, several):
        assert found.importance and found.effects and found.slices.worst and len(found.learning_curve) == 5 and found.learning


def test_of_a_cluster_s_twin_no_sentence_says_what_more_rows_would_bring(tmp_path):
    """The step to it is ten or a hundred times as many rows, by another estimator."""
    _, table, twin = evaluated(tmp_path, charges(400), "charges")
    twin.model = msgspec.structs.replace(twin.model, rows=msgspec.structs.replace(twin.model.rows, twin=40_000))
    entry = Entry(Trial("linear", CANDIDATES["linear"].first("regression")[0]), 0.0, 0.0)
    found = evaluate(problem(tmp_path, charges(400), "charges"), table, entry, twin)
    assert found.learning == "" and found.learning_curve[-1].rows == 40_000


def test_it_is_measured_on_the_rows_held_out(binary):
    found, table, twin = binary
    scored = table.goal.scored(table.unseen.y, twin.scores(table.unseen.columns), 0.5)
    assert found.rows == table.held.sum() == sum(map(sum, found.confusion))
    assert sum(row[code] for code, row in enumerate(found.confusion)) == (scored.chosen() == scored.y).sum()
    assert found.learning_curve[-1].rows == table.used.sum()
    assert found.learning_curve[-1].estimate.value == pytest.approx(value(found.metric, scored), rel=1e-5)
    assert sum(found.target.counts) == len(table.rows.y)


def test_the_range_of_the_target_is_told_beside_the_bins(regression):
    found, table, _ = regression
    ends = found.target.least, found.target.most
    assert ends == pytest.approx((table.rows.y.min(), table.rows.y.max()), rel=1e-5)
    assert ends[0] < found.target.low and found.target.high < ends[1]


def test_the_field_that_decides_would_be_missed_most(regression, multiclass):
    first, *others = regression[0].importance
    assert first.field == "smoker" and first.loss.low > 3 * others[0].loss.high
    useless = next(one for one in others if one.field == "region")
    assert useless.loss.low <= 0 <= useless.loss.high
    assert [one.field for one in multiclass[0].importance][:2] == ["x", "y"]


def test_an_effect_says_how_far_the_answer_moves(regression):
    effects = {effect.field: effect for effect in regression[0].effects}
    no, yes = (next(point for point in effects["smoker"].points if point.at == level) for level in ("no", "yes"))
    assert yes.mean - no.mean == pytest.approx(20_000, rel=0.02)
    ages = effects["age"].points
    slope = (ages[-1].mean - ages[0].mean) / (ages[-1].at - ages[0].at)
    assert slope == pytest.approx(200, rel=0.1) and len(ages) <= 25
    assert all(point.low < point.mean < point.high for point in ages)


def test_an_effect_on_classes_is_of_the_class_that_moves_most(binary, multiclass):
    assert {effect.of for effect in binary[0].effects} == {binary[2].positive}
    points = multiclass[0].effects[0].points
    assert multiclass[0].effects[0].of in ("low", "top")
    assert abs(points[-1].mean - points[0].mean) > 0.5


def test_the_profile_is_of_the_table(regression):
    found = regression[0]
    fields = {field.name: field for field in found.fields}
    assert set(fields) == {"age", "bmi", "smoker", "region"}
    assert fields["bmi"].missing == pytest.approx(48 / 800, abs=1e-4)
    assert sum(fields["age"].distribution.counts) == sum(fields["region"].distribution.counts) == 800
    assert {one.column: one.reason for one in found.left_out} == {
        "story": "800 different texts in 800 rows, like a name or free text",
        "note": "dropped in slipway.yaml",
        "id": "names the row",
    }


def test_the_same_table_gives_the_same_bytes(regression, tmp_path):
    ids = [f"r{number}" for number in range(800)]
    frame = charges(800).assign(id=ids, story=ids, note="always")
    again = evaluated(tmp_path, frame, "charges", id="id", drop=["note"])[0]
    assert written(again) == written(regression[0])


def test_it_stays_small_with_many_fields(tmp_path):
    random = np.random.default_rng(0)
    numbers = random.normal(size=(400, 170)) * 1234.5678
    frame = pd.DataFrame(numbers, columns=[f"measurement_number_{place}" for place in range(170)])
    found, _, _ = evaluated(tmp_path, frame.assign(y=numbers[:, 0] > 0), "y")
    assert len(found.fields) == len(found.importance) == 170
    assert len(written(found)) <= 200_000
