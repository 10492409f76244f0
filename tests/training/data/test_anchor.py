"""The anchor set: read like the table, apart from what is learned, and refused with the cause when it cannot judge."""

import numpy as np
import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.training.data.dataset import read
from tables import charges, grades, problem

ANCHOR = {"gate.anchor": "anchor.csv"}


def keyed(frame: pd.DataFrame, by: str = "r") -> pd.DataFrame:
    return frame.assign(row=[f"{by}{number}" for number in range(len(frame))])


def written(folder, frame: pd.DataFrame):
    frame.to_csv(folder / "anchor.csv", index=False)


def anchored(folder, anchor: pd.DataFrame, **settings):
    """The anchor set of a table of charges."""
    written(folder, anchor)
    return read(problem(folder, keyed(charges()), "charges", id="row", **ANCHOR, **settings)).anchor


def test_it_is_typed_as_the_table_is(tmp_path):
    frame = keyed(charges(40, seed=1), "a").assign(region="west")
    found = anchored(tmp_path, frame)
    assert found.y.tolist() == frame["charges"].astype(float).tolist()
    assert found.columns["age"].tolist() == frame["age"].astype(float).tolist()
    assert np.isnan(found.columns["bmi"][::17]).all() and len(set(found.columns["region"])) == 1


def test_it_may_be_parquet(tmp_path):
    frame = keyed(charges(40, seed=1), "a").astype({"age": float, "charges": float})
    frame.to_parquet(tmp_path / "anchor.parquet")
    table = read(problem(tmp_path, keyed(charges()), "charges", id="row", **{"gate.anchor": "anchor.parquet"}))
    assert table.anchor.y.tolist() == frame["charges"].tolist()


def test_there_is_none_unless_it_is_named(tmp_path):
    assert read(problem(tmp_path, charges(), "charges")).anchor is None


def test_rows_with_one_id_are_one_unit(tmp_path):
    frame = pd.concat([keyed(charges(30, seed=1), "a"), keyed(charges(30, seed=2), "a")])
    assert anchored(tmp_path, frame).units.effective == 30


def test_classes_have_the_codes_of_the_table(tmp_path):
    written(tmp_path, grades(40, seed=1, classes=3))
    table = read(problem(tmp_path, grades(classes=3), "grade", **ANCHOR))
    assert [table.rows.classes[int(code)] for code in table.anchor.y] == grades(40, seed=1, classes=3)["grade"].tolist()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame[:29], "gate.anchor: anchor.csv: 29 rows are too few to judge by. Add rows: at least 30"),
        (lambda frame: frame.drop(columns="bmi"), "gate.anchor: anchor.csv: there is no column 'bmi'"),
        (lambda frame: frame.drop(columns="charges"), "gate.anchor: anchor.csv: there is no column 'charges'"),
        (lambda frame: frame.drop(columns="row"), "gate.anchor: anchor.csv: there is no column 'row'"),
        (lambda frame: frame.assign(age="old"), "gate.anchor: anchor.csv: column 'age': 40 cells contain 'old'"),
        (
            lambda frame: frame.assign(charges=frame["charges"].where(frame.index != 4, "")),
            "gate.anchor: anchor.csv: no known target in row 5. Fill in charges: a number",
        ),
        (lambda frame: frame[:0], "anchor.csv"),
        (
            lambda frame: frame.assign(row=["a", "b"] * 20),
            "gate.anchor: anchor.csv: its 40 rows are of too few groups or moments to judge by. Add rows of others",
        ),
    ],
)
def test_a_file_that_cannot_judge_is_an_error_even_without_a_champion(tmp_path, change, says):
    with pytest.raises(TableError) as error:
        anchored(tmp_path, change(keyed(charges(40, seed=1), "a")))
    assert says in str(error.value)


def test_an_unknown_class_is_an_error(tmp_path):
    written(tmp_path, grades(40, seed=1).assign(grade="other"))
    with pytest.raises(TableError, match=r"no known target in 40 rows \(1, 2, 3 …\)\. Fill in grade: (low|high) or "):
        read(problem(tmp_path, grades(), "grade", **ANCHOR))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(
        TableError, match=r"gate\.anchor: anchor\.csv: there is no such file in .* Paths are relative to that folder$"
    ):
        read(problem(tmp_path, charges(), "charges", **ANCHOR))


def test_rows_that_are_learned_from_are_an_error(tmp_path):
    """By their id, whatever else they say; those held out are not learned from."""
    frame = keyed(charges())
    table = read(problem(tmp_path, frame, "charges", id="row"))
    learned = np.flatnonzero(~frame["row"].isin(table.frame["row"]))[:2]
    anchor = keyed(charges(40, seed=1), "a")
    anchor["row"] = [*frame["row"][learned], *table.frame["row"][:5], *anchor["row"][7:]]
    says = r"training also learns from 2 rows \(1, 2\)\. Take them out .* told apart by row$"
    with pytest.raises(TableError, match=says):
        anchored(tmp_path, anchor)
    assert len(anchored(tmp_path, anchor[2:]).y) == 38


def test_it_is_the_same_in_another_order_and_with_corrected_targets_but_not_with_other_rows(tmp_path):
    frame = keyed(charges(40, seed=1), "a")
    first = anchored(tmp_path, frame).identity
    assert anchored(tmp_path, frame[::-1].assign(charges="1")).identity == first
    assert first not in {anchored(tmp_path, frame[1:]).identity, anchored(tmp_path, keyed(frame, "b")).identity}


@pytest.mark.parametrize("settings", [{}, {"time": "day"}], ids=["by features", "in time"])
def test_without_an_id_they_are_told_apart_by_all_features(tmp_path, settings):
    frame = charges().assign(day=[f"2026-01-{1 + number // 10:02d}" for number in range(240)])
    anchor = charges(40, seed=1).assign(day="2026-01-01")
    written(tmp_path, pd.concat([anchor, frame[:1]]))
    table = problem(tmp_path, frame, "charges", **ANCHOR, **settings)
    with pytest.raises(TableError, match=r"training also learns from row 41\. .* told apart by all features"):
        read(table)


def test_rows_of_a_group_that_is_learned_from_are_an_error(tmp_path):
    frame = charges().assign(patient=[f"p{number // 4}" for number in range(240)])
    written(tmp_path, charges(40, seed=1).assign(patient="p1"))
    with pytest.raises(TableError, match="told apart by patient"):
        read(problem(tmp_path, frame, "charges", group="patient", **ANCHOR, **{"holdout.salt": "b"}))
