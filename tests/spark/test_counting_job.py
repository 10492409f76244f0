"""What a worker counts, without a cluster: the same rows give the same counts however they are cut into batches."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow
import pytest

from bundles import TASKS, make_bundle
from slipway.batch.open import find_bundle
from slipway.model.contents import schema_of
from slipway.monitoring.bins import columns_of
from slipway.problem import Problem, load_problem
from slipway.spark.counting_job import COUNTS, Tally, counted, tally_of
from slipway.spark.counts import Counts, counts_of
from slipway.spark.scoring_job import packed_job, scorer_of
from slipway.store.local import LocalStore

ROWS = 1_200


def rows(count: int = ROWS) -> pyarrow.RecordBatch:
    """Every third smoker is of an unseen level, every fifth bmi is missing; ages go beyond the range of training."""
    every = np.arange(count)
    return pyarrow.record_batch(
        {
            "age": pyarrow.array(18 + every % 60),
            "bmi": pyarrow.array(16.5 + every % 37, mask=every % 5 == 0),
            "smoker": pyarrow.array([["no", "yes", "huh"][each % 3] for each in every]),
            "joined": pyarrow.array(["2021-06-01"] * count),
        }
    )


@pytest.fixture(params=TASKS)
def problem(request, tmp_path: Path) -> Problem:
    make_bundle(LocalStore(tmp_path / "artifacts"), request.param)
    (tmp_path / "slipway.yaml").write_text(f"name: {request.param}\nsource: table.csv\ntarget: charges\n")
    return load_problem(tmp_path / "slipway.yaml", environ={})


def counts(problem: Problem, tally: Tally, *more: str) -> Counts:
    bundle = find_bundle(problem, None)
    return counts_of(tally, columns_of(bundle), schema_of(bundle), [*schema_of(bundle).names, *more])


def packed(problem: Problem) -> bytes:
    return packed_job(find_bundle(problem, None), problem, rows(1).schema.names)


@pytest.mark.parametrize("size", [1, 7, 500, ROWS])
def test_batches_and_tasks_add_up(problem, size):
    whole, job = rows(), packed(problem)
    batches = [whole.slice(begin, size) for begin in range(0, ROWS, size)]
    total = Tally()
    for task in (batches[::2], batches[1::2]):
        [row] = counted(job, task)
        total.add(msgspec.msgpack.decode(row.column(COUNTS)[0].as_py(), type=Tally))
    assert total == tally_of(job, whole)


def test_every_row_is_answered_or_refused_and_every_cell_is_in_one_bin(problem):
    found = counts(problem, tally_of(packed(problem), rows()))
    assert (found.rows, found.answered, found.refused) == (ROWS, 800, 400)
    assert found.faults == {"smoker/unseen_level": 400}
    kept = np.arange(ROWS)[np.arange(ROWS) % 3 != 2]
    ages, missing = 18 + kept % 60, int((kept % 5 == 0).sum())
    assert found.warnings["age/out_of_range"] == (ages > 64).sum()
    assert found.bins["field/age"].tolist() == [
        0,
        0,
        0,
        (ages > 64).sum(),
        (ages < 40).sum(),
        ((ages >= 40) & (ages <= 64)).sum(),
    ]
    assert found.bins["field/bmi"][:2].tolist() == [0, missing]
    assert all(bins.sum() == 800 for bins in found.bins.values())


def test_answers_are_counted_as_the_log_has_them(problem):
    job, whole = packed(problem), rows()
    found = counts(problem, tally_of(job, whole))
    predictor = scorer_of(job).predictor
    [score] = [column for column in columns_of(find_bundle(problem, None)) if column.key == "answer/score"]
    table = pyarrow.Table.from_batches([whole]).filter(pyarrow.compute.not_equal(whole["smoker"], "huh"))
    answer = predictor.predict(scorer_of(job).read(_rows(table))[0])
    shares = {"regression": lambda: np.array(answer.values), "binary": lambda: answer.probabilities[:, 1]}
    scores = shares.get(predictor.task, lambda: answer.probabilities.max(axis=1))()
    inside = np.histogram(scores, score.edges)[0]
    assert found.bins["answer/score"].tolist() == [(scores < score.edges[0]).sum(), (scores > score.edges[-1]).sum(), *inside]
    if predictor.classes:
        assert found.bins["answer/label"].tolist() == [list(answer.values).count(label) for label in predictor.classes]


def _rows(table: pyarrow.Table):
    from slipway.batch.rows import Rows

    return Rows("the table", 1, len(table), table, {})


def test_what_is_told_of_it(problem):
    found = counts(problem, tally_of(packed(problem), rows()), "note")
    told = {each.column: (each.says, each.rejects) for each in found.findings}
    assert told["smoker"] == ("400 cells are of a level that training never saw", True)
    assert told["age"][0].endswith("cells are outside the range of training, 18 to 64; answered with a warning")
    assert told["note"] == ("is not a field of the schema; ignored", False)
    assert any(sentence.startswith("bmi: ") and " missing, none in training (" in sentence for sentence in found.sentences)


def test_one_cell_is_told_as_one_and_few_rows_have_not_drifted(problem):
    found = counts(problem, tally_of(packed(problem), rows(3)))
    assert [each.says for each in found.findings] == ["1 cell is of a level that training never saw"]
    assert found.sentences == []


def test_no_rows(problem):
    found = counts(problem, Tally())
    assert (found.rows, found.answered, found.findings, found.moves) == (0, 0, (), ())
    assert {len(bins) for bins in found.bins.values()} and not any(bins.any() for bins in found.bins.values())


def test_a_worker_needs_no_library_of_training():
    """They would only be loaded again in every process; pandas is what pyspark asks for in the driver."""
    program = "import sys, slipway.spark.counting_job, slipway.spark.scoring_job; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "onnx", "pandas", "pymongo", "pyspark", "scipy", "sklearn"} & set(done.stdout.split())
