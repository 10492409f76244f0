import numpy as np
import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.model.division import held_out
from slipway.store.local import LocalStore
from slipway.training.data.dataset import read, remarks
from slipway.training.data.split import split_of
from slipway.training.train import train
from tables import charges, problem


def test_a_dropped_column_is_not_read(tmp_path):
    """Its cells are no text at all, and nobody minds."""
    made = problem(tmp_path, charges().assign(junk="x"), "charges", drop=["junk"])
    (tmp_path / "table.csv").write_bytes((tmp_path / "table.csv").read_bytes().replace(b",x\n", b",\xff\n"))
    table = read(made)
    assert "junk" not in table.frame.columns
    with pytest.raises(TableError, match="is not UTF-8"):
        read(problem_without_drop(tmp_path))


def test_a_field_of_a_collection_that_first_appears_late_is_told_beside_a_dropped_one_too(tmp_path, mongo_rows):
    documents = charges(600).assign(junk="x").to_dict("records")
    documents[550]["late"] = 1
    mongo_rows.insert_many([{**each, "$odd": 1} for each in documents])
    where = {"source": "mongodb", "mongodb.database": mongo_rows.database.name, "mongodb.collection": mongo_rows.name}
    with pytest.raises(TableError, match="field late: .* it first appears, too late to become a column"):
        read(problem(tmp_path, charges(), "charges", drop=["junk", "$odd"], **where))
    mongo_rows.update_many({}, {"$unset": {"late": 1}})
    table = read(problem(tmp_path, charges(), "charges", drop=["junk", "$odd"], **where))
    assert table.rows.schema.names == ("age", "bmi", "smoker", "region")


def problem_without_drop(folder):
    from slipway.problem import load_problem

    text = (folder / "slipway.yaml").read_text()
    (folder / "slipway.yaml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("drop")))
    return load_problem(folder / "slipway.yaml", environ={})


def test_a_dropped_column_that_the_champion_needs_is_read_to_compare_them(tmp_path):
    frame = charges(600).assign(row=[f"r{number}" for number in range(600)])
    store = LocalStore(tmp_path / "artifacts")
    train(problem(tmp_path, frame, "charges", id="row"), store, jobs=1)
    outcome = train(problem(tmp_path, frame, "charges", id="row", drop=["bmi"]), store, jobs=1)
    assert "against the champion's" in outcome.verdict.reasons[0]


def test_the_champion_does_not_change_what_is_learned(tmp_path):
    """Columns read for its sake are in neither fingerprint nor bundle."""
    frame = charges(600).assign(row=[f"r{number}" for number in range(600)])
    store, alone = LocalStore(tmp_path / "artifacts"), LocalStore(tmp_path / "alone")
    train(problem(tmp_path, frame, "charges", id="row"), store, jobs=1)
    made = problem(tmp_path, frame, "charges", id="row", drop=["bmi"])
    assert train(made, store, jobs=1).bundle.digest == train(made, alone, jobs=1).bundle.digest


def test_free_text_is_left_out_and_told(tmp_path):
    frame = charges(400).assign(note=[f"note {number}" for number in range(400)])
    table = read(problem(tmp_path, frame, "charges"))
    assert "note" not in table.rows.columns
    assert "the column note was left out: it has 400 different texts in 400 rows, like a name or free text" in remarks(table)


def test_texts_that_mean_a_missing_cell_are_missing(tmp_path):
    frame = charges()
    frame.loc[:3, "age"], frame.loc[:3, "region"] = "unknown", "gone"
    rows = read(problem(tmp_path, frame, "charges", missing=["unknown", "gone"])).rows
    assert rows.schema["age"].type == "integer" and rows.schema["age"].missing > 0
    assert rows.schema["region"].levels == ("east", "north", "south")
    gone = rows.columns["region"] == -1
    assert sorted(rows.y[gone]) == sorted(frame["charges"][:4].astype(float))


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.rename(columns={"age": "years"}),
        lambda frame: frame[["bmi", "age", "smoker", "region", "charges"]],
        lambda frame: frame.assign(age=frame["age"].replace("20", "20.0")),
        lambda frame: frame.assign(smoker=frame["smoker"] + " "),
    ],
)
def test_the_fingerprint_is_that_of_names_order_and_cells(tmp_path, change):
    assert (
        read(problem(tmp_path, charges(), "charges")).fingerprint
        != read(problem(tmp_path, change(charges()), "charges")).fingerprint
    )


def test_typed_cells_have_another_fingerprint_than_text(tmp_path):
    pd.DataFrame({"x": range(60), "y": range(60)}).to_parquet(tmp_path / "table.parquet")
    text = read(problem(tmp_path, pd.DataFrame({"x": range(60), "y": range(60)}), "y"))
    typed = read(problem(tmp_path, pd.DataFrame(), "y", source="table.parquet"))
    assert text.fingerprint != typed.fingerprint
    assert (text.held == typed.held).all(), "the split is the same wherever the table was read from"


def test_a_class_of_which_no_row_is_held_out_is_told_before_the_training(tmp_path):
    frame = charges(200).assign(charges="no")
    made = problem(tmp_path, frame, "charges", positive="yes", task="binary")
    unheld = [row for row in range(200) if not held_out(frame, split_of(made, frame.columns))[row]][:3]
    frame.loc[unheld, "charges"] = "yes"
    with pytest.raises(TableError, match="no held-out row is of class 'yes'"):
        read(problem(tmp_path, frame, "charges", positive="yes", task="binary"))


def test_a_class_that_some_folds_lack_is_compared_on_the_others(tmp_path):
    frame = charges(240).assign(charges="no")
    made = problem(tmp_path, frame, "charges", positive="yes", task="binary")
    held = held_out(frame, split_of(made, frame.columns))
    frame.loc[[*np.flatnonzero(held)[:2], *np.flatnonzero(~held)[:3]], "charges"] = "yes"
    made = problem(tmp_path, frame, "charges", positive="yes", task="binary")
    outcome = train(made, LocalStore(tmp_path / "artifacts"), jobs=1)
    assert all(np.isfinite(entry["mean"]) for entry in outcome.bundle.json("metrics.json")["leaderboard"])
