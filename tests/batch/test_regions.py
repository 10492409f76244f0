"""Trees that are asked once for each region answer as trees that are asked for every row."""

from dataclasses import dataclass

import numpy as np
import pytest

from slipway.batch import regions
from slipway.batch.regions import RegionRunner
from slipway.model.contents import Member, Outputs
from slipway.model.encoding import Output
from slipway.model.runner import Runner
from slipway.table.schema import Field, Schema
from slipway.training.fitting.export import Tree, linear_graph, tree_graph

NAMES = "abc"
SCHEMA = Schema(tuple(Field(name, "number", missing=0.1) for name in NAMES))
STEPS = np.array([-1.5, -0.1, 0.0, 0.1, 0.3, 7e30])
ROWS = 500


@dataclass
class Kept:
    """A bundle of one graph."""

    graph: bytes

    def read(self, name: str) -> bytes:
        return self.graph


def stump(random: np.random.Generator, scores: int) -> Tree:
    """Three comparisons and four leaves; a missing value goes either way."""
    leaf = np.array([False, False, False, True, True, True, True])
    return Tree(
        feature=random.integers(0, len(NAMES), 7),
        left=np.array([1, 3, 5, 0, 0, 0, 0]),
        right=np.array([2, 4, 6, 0, 0, 0, 0]),
        threshold=random.choice(STEPS, 7),
        missing_left=random.random(7) < 0.5,
        leaf=leaf,
        value=random.normal(size=(7, scores)) * leaf[:, None],
    )


def graph_of(scores: int, double: bool) -> bytes:
    random = np.random.default_rng(scores)
    return tree_graph([stump(random, scores) for _ in range(12)], len(NAMES), double)


def runner_of(kind: type[Runner], graph: bytes, scores: int, double: bool) -> Runner:
    member = Member(
        candidate="any",
        settings={},
        input="float64" if double else "float32",
        link="identity" if scores == 1 else "softmax",
        base=(0.25,) * scores,
        encoding=Outputs(outputs=tuple(Output("value", name) for name in NAMES)),
    )
    return kind(Kept(graph), SCHEMA, member)


def rows_around(double: bool) -> dict[str, np.ndarray]:
    """Cells at the thresholds, just beside them, beyond all numbers, and missing."""
    steps = STEPS if double else STEPS.astype(np.float32)
    beside = [np.nextafter(steps, steps.dtype.type(side)) for side in (-np.inf, np.inf)]
    cells = np.concatenate([STEPS, steps, *beside, [-0.0, np.inf, -np.inf, np.nan]]).astype(np.float64)
    random = np.random.default_rng(0)
    return {name: random.choice(cells, ROWS) for name in NAMES}


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """How many rows the trees were asked for, each time."""
    counts: list[int] = []
    plain = Runner.answers
    monkeypatch.setattr(Runner, "answers", lambda self, matrix: counts.append(len(matrix)) or plain(self, matrix))
    return counts


@pytest.mark.parametrize("scores", [1, 3])
@pytest.mark.parametrize("double", [False, True])
def test_each_row_is_answered_to_the_last_bit(monkeypatch, scores, double):
    monkeypatch.setattr(regions, "WORTH", 1)
    graph, columns = graph_of(scores, double), rows_around(double)
    runner = runner_of(RegionRunner, graph, scores, double)
    expected = runner_of(Runner, graph, scores, double).scores(columns)
    for _ in range(2):  # asked, then remembered
        assert runner.scores(columns).tobytes() == expected.tobytes()
    assert not runner.has_trees


def test_a_region_is_asked_once(monkeypatch, asked):
    monkeypatch.setattr(regions, "WORTH", 1)
    runner, columns = runner_of(RegionRunner, graph_of(1, False), 1, False), rows_around(False)
    runner.scores(columns)
    assert len(asked) == 1 and asked[0] < ROWS
    runner.scores({name: cells[::-1] for name, cells in columns.items()})
    assert len(asked) == 1


def test_a_small_table_and_one_of_too_many_regions_are_asked_row_by_row(monkeypatch, asked):
    columns = rows_around(False)
    runner = runner_of(RegionRunner, graph_of(1, False), 1, False)
    runner.scores(columns)
    monkeypatch.setattr(regions, "WORTH", ROWS + 1)
    monkeypatch.setattr(regions, "MOST", 100)
    runner.scores(columns)
    assert asked == [ROWS, ROWS] and runner.has_trees


def test_a_large_graph_is_not_looked_into(monkeypatch, asked):
    graph = graph_of(1, False)
    monkeypatch.setattr(regions, "WORTH", 1)
    monkeypatch.setattr(regions, "LARGEST", len(graph) - 1)
    runner_of(RegionRunner, graph, 1, False).scores(rows_around(False))
    monkeypatch.setattr(regions, "LARGEST", len(graph))
    runner_of(RegionRunner, graph, 1, False).scores(rows_around(False))
    assert asked[0] == ROWS > asked[1]


def test_the_order_of_rows_matters_until_answers_are_remembered(monkeypatch):
    monkeypatch.setattr(regions, "WORTH", ROWS)
    runner = runner_of(RegionRunner, graph_of(1, False), 1, False)
    assert runner.has_trees
    runner.scores(rows_around(False))
    assert not runner.has_trees


def test_weights_have_no_regions(monkeypatch, asked):
    monkeypatch.setattr(regions, "WORTH", 1)
    runner = runner_of(RegionRunner, linear_graph(np.ones((len(NAMES), 1))), 1, True)
    runner.scores(rows_around(True))
    assert asked == [ROWS]
