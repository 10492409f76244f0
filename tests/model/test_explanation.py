import numpy as np
import pytest

from slipway.model.explanation import contributions

RANDOM = np.random.default_rng(1)
BACKGROUND = {name: RANDOM.normal(size=16) for name in ("a", "b", "c")}
ROW = {"a": np.array([2.0]), "b": np.array([-1.0]), "c": np.array([5.0])}


def explained(answer, row=ROW, background=BACKGROUND):
    return contributions(answer, row, background, of="trial")


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows["a"] * rows["b"] + rows["c"],
        lambda rows: np.exp(rows["a"] - rows["c"]),
        lambda rows: np.where(rows["a"] > 0, rows["b"], -rows["b"]),
        lambda rows: np.full(len(rows["a"]), 3.0),
    ],
)
def test_contributions_add_up_to_the_answer(answer):
    found = explained(answer)
    assert found.base == pytest.approx(answer(BACKGROUND).mean())
    assert found.result == pytest.approx(answer(ROW)[0])
    assert found.base + sum(amount for _, amount in found.fields) == pytest.approx(found.result, abs=1e-9)
    assert sorted(name for name, _ in found.fields) == ["a", "b", "c"]
    amounts = [abs(amount) for _, amount in found.fields]
    assert amounts == sorted(amounts, reverse=True)


def test_a_sum_is_explained_exactly():
    found = dict(explained(lambda rows: 3 * rows["a"] - 2 * rows["b"]).fields)
    assert found["a"] == pytest.approx(3 * (2 - BACKGROUND["a"].mean()))
    assert found["b"] == pytest.approx(-2 * (-1 - BACKGROUND["b"].mean()))
    assert found["c"] == 0


def test_fields_that_only_work_together_share_alike():
    zeros = {name: np.zeros(16) for name in "ab"}
    found = explained(lambda rows: rows["a"] * rows["b"], {"a": np.array([2.0]), "b": np.array([3.0])}, zeros)
    assert dict(found.fields) == {"a": pytest.approx(3), "b": pytest.approx(3)}


def test_the_same_row_is_explained_the_same_way():
    def answer(rows):
        return rows["a"] * rows["b"] * rows["c"]

    assert explained(answer) == explained(answer)


def test_missing_values_and_codes_go_through():
    row = {"x": np.array([np.nan]), "level": np.array([-2])}
    background = {"x": np.array([1.0, 2.0]), "level": np.array([0, 1])}
    found = explained(lambda rows: np.isnan(rows["x"]) * 10.0 + (rows["level"] == -2), row, background)
    assert found.fields == (("x", pytest.approx(10)), ("level", pytest.approx(1)))
