import msgspec
import numpy as np
import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.model.contents import Split
from slipway.model.division import held_out
from slipway.training.data.dataset import read, remarks
from slipway.training.data.folds import folds
from slipway.training.data.split import notes
from tables import charges, problem


def test_few_rows_of_a_class_are_said():
    y = np.array([0] * 100 + [1] * 12)
    assert notes(y, ("no", "yes")) == ["only 12 rows of yes are held out (fewer than 30): the hold-out figures are uncertain"]


def sales(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Weekly sales that rise faster and faster, in the order of time, with a few dates missing."""
    random = np.random.default_rng(seed)
    week = np.arange(rows)
    frame = charges(rows, seed).drop(columns="charges")
    frame["day"] = (pd.Timestamp("2020-01-06") + pd.to_timedelta(week * 7, unit="D")).strftime("%Y-%m-%d")
    frame["sold"] = np.round(100 + 0.01 * week**2 + 20 * (frame["smoker"] == "yes") + random.normal(0, 3, rows), 2)
    frame.loc[:2, "day"] = ""
    return frame


def test_the_latest_rows_are_held_out_by_a_boundary_that_the_bundle_records(tmp_path):
    made = problem(tmp_path, sales(), "sold", time="day")
    table = read(made)
    assert table.held.sum() == 79 and table.rows.time[table.held].min() > table.split.boundary
    assert table.split.boundary == np.nanmax(table.rows.time[~table.held]) and table.split.time.name == "day"
    recorded = msgspec.json.decode(msgspec.json.encode(table.split), type=Split)
    again = held_out(table.frame, recorded)
    assert again.all() and recorded == table.split
    assert held_out(pd.concat([sales()] * 2), recorded).sum() == 158
    assert remarks(table)[:2] == [
        "the 79 rows after 2026-02-23 (day) are held out",
        "3 rows without day are learned from, and never held out",
    ]


def test_equal_times_are_on_one_side_of_the_boundary(tmp_path):
    frame = charges(400).assign(year=[str(2000 + number // 30) for number in range(400)])
    table = read(problem(tmp_path, frame, "charges", time="year"))
    assert table.split.boundary == 2010 and table.held.sum() == 70


def test_the_order_of_rows_in_the_table_does_not_matter_in_time(tmp_path):
    frame = sales()
    order = np.random.default_rng(0).permutation(400)
    table, mixed = (read(problem(tmp_path, each, "sold", time="day")) for each in (frame, frame.iloc[order]))
    assert mixed.split == table.split and (mixed.held == table.held).all() and mixed.fingerprint == table.fingerprint


def test_a_time_is_learned_from_unless_it_is_dropped(tmp_path):
    assert "day" in read(problem(tmp_path, sales(), "sold", time="day")).rows.schema.names
    table = read(problem(tmp_path, sales(), "sold", time="day", drop=["day"]))
    assert "day" not in table.rows.schema.names and table.held.sum() == 79


def test_dates_of_a_format_order_rows_too(tmp_path):
    frame = sales()
    day = pd.to_datetime(frame["day"], errors="coerce").dt.strftime("%d.%m.%Y").fillna("")
    table = read(problem(tmp_path, frame.assign(day=day), "sold", time="day", formats={"day": "31.12.2024"}, drop=["day"]))
    assert table.held.sum() == 79 and held_out(table.frame, table.split).all()


@pytest.mark.parametrize(
    ("column", "message"),
    [("smoker", "neither a date nor a number"), ("same", "the same value in every row"), ("dya", "Did you mean 'day'")],
)
def test_what_orders_no_rows_is_said(tmp_path, column, message):
    with pytest.raises(TableError, match=message):
        read(problem(tmp_path, sales().assign(same="7"), "sold", time=column))


def test_a_group_is_on_one_side_and_not_learned_from(tmp_path):
    frame = charges(600).assign(patient=[str(number % 150) for number in range(600)], row=range(600))
    table = read(problem(tmp_path, frame, "charges", id="row", group="patient"))
    of = {float(charge): patient for charge, patient in zip(frame["charges"], frame["patient"])}
    assert len(of) == len(frame)
    patients = np.array([of[charge] for charge in table.rows.y.tolist()])
    assert set(patients[table.held]) == set(table.frame["patient"])
    assert not set(patients[table.held]) & set(patients[table.used])
    assert table.rows.schema.names == ("age", "bmi", "smoker", "region")
    assert table.split.columns == ("patient",)
    learned = table.learned
    for one, other in folds(learned.y, 0, learned.kin, None, 0):
        assert not set(patients[table.used][one]) & set(patients[table.used][other])


def test_a_split_of_an_earlier_bundle_is_read():
    recorded = msgspec.json.decode(b'{"share": 0.2, "salt": "s", "columns": ["id"]}', type=Split)
    assert recorded == Split(0.2, "s", ("id",)) and b"time" not in msgspec.json.encode(recorded)
