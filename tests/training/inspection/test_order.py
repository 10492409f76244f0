import numpy as np
import pandas as pd
import pytest

from slipway.problem import load_problem
from slipway.training.inspection.order import counts
from slipway.training.inspection.review import review
from tables import problem

ROWS = 400


def rising(**columns) -> pd.DataFrame:
    """Sales that rise in the order of the rows, with two features that tell a part of them."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"price": random.random(ROWS).round(3), "store": random.choice(["a", "b", "c"], ROWS)})
    sold = 10 * frame["price"] + 0.05 * np.arange(ROWS) + random.normal(0, 1, ROWS)
    return frame.assign(**columns, sold=sold.round(2))


DAYS = (pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D")).strftime("%Y-%m-%d").to_numpy()
NUMBERS = np.arange(5, ROWS + 5)


def order(folder, frame, target="sold", **settings):
    made = problem(folder, frame, target, **settings)
    names = [name for name in frame.columns if name not in made.unlearned]
    return review(pd.read_csv(folder / "table.csv", dtype=str, keep_default_na=False), made, names).order


def test_a_date_in_whose_order_the_table_rises_is_the_time(tmp_path):
    found = order(tmp_path, rising(day=DAYS))
    assert found.column == "day" and found.flatters and found.latest > 1.5 * found.random
    assert found.says.startswith("the rows are in its order, and a random split flatters: RMSE of the latest fifth is ")


def test_newest_first_is_an_order_too(tmp_path):
    assert order(tmp_path, rising(day=DAYS)[::-1]).flatters


def test_a_counter_is_the_time_where_the_rows_drift(tmp_path):
    assert order(tmp_path, rising(row=NUMBERS), drop=["row"]).column == "row"


def test_classes_that_drift(tmp_path):
    frame = rising(day=DAYS)
    late = np.random.default_rng(1).random(ROWS) < np.linspace(0, 1, ROWS) ** 2
    found = order(tmp_path, frame.assign(sold=np.where(late, "yes", "no")))
    assert found.flatters and found.measure == "Brier score"


def hourly(days: int = 60, **columns) -> pd.DataFrame:
    """Sales of every hour; each day has its own level, which rises, and no feature tells it."""
    random = np.random.default_rng(3)
    day, hour = np.divmod(np.arange(24 * days), 24)
    level = (random.normal(0, 3, days).cumsum() + 0.3 * np.arange(days))[day]
    frame = pd.DataFrame({"hour": hour, **{name: values(day) for name, values in columns.items()}})
    return frame.assign(sold=(level + np.sin(hour / 4) + random.normal(0, 1, len(day))).round(2))


def test_a_count_of_days_that_repeats_is_the_time(tmp_path):
    found = order(tmp_path, hourly(day=lambda day: day + 1, season=lambda day: day // 20))
    assert found.column == "day" and found.flatters
    assert ", about 24 for each value; a random split learns from others of the same value, and flatters: RMSE" in found.says


def test_a_date_that_repeats_is_the_time(tmp_path):
    found = order(tmp_path, hourly(booked=lambda day: np.array(DAYS)[day]))
    assert found.column == "booked" and found.flatters and found.repeats == 24


def test_thousands_of_rows_are_not_thinned_until_none_has_a_neighbour(tmp_path):
    random = np.random.default_rng(3)
    frame = hourly(360, day=lambda day: day + 1)
    level = random.normal(0, 1, len(frame) // 4).repeat(4)  # the same for four hours
    found = order(tmp_path, frame.assign(hour=frame["hour"] // 4, sold=level + random.normal(0, 0.3, len(frame))))
    assert found.column == "day" and found.flatters


@pytest.mark.parametrize("name", ["month", "level"])
def test_a_table_that_is_sorted_by_a_feature_of_few_values_is_not_in_time(tmp_path, name):
    frame = hourly(**{name: lambda day: day // 5})
    assert order(tmp_path, frame.assign(sold=frame["sold"] + 5 * frame[name])) is None


def test_a_year_is_a_time_however_few_there_are(tmp_path):
    frame = hourly(year=lambda day: 2020 + day // 12)
    assert order(tmp_path, frame.assign(sold=frame["sold"] + 5 * frame["year"])).column == "year"


def test_a_table_that_is_sorted_by_its_patients_is_not_in_time(tmp_path):
    assert order(tmp_path, hourly(patient=lambda day: day + 1)) is None


def test_a_row_number_without_drift_is_no_time(tmp_path):
    frame = rising(row=NUMBERS)
    mixed = frame.drop(columns="row").sample(ROWS, random_state=0, ignore_index=True)
    assert order(tmp_path, mixed.assign(row=NUMBERS), drop=["row"]) is None


def test_a_date_in_random_order_is_no_time(tmp_path):
    assert order(tmp_path, rising(day=DAYS).sample(ROWS, random_state=0)) is None


def test_a_date_without_drift_is_only_proposed(tmp_path):
    mixed = rising().sample(ROWS, random_state=0, ignore_index=True)
    found = order(tmp_path, mixed.assign(day=DAYS))
    assert found.column == "day" and not found.flatters


@pytest.mark.parametrize("by", ["sold", "store"])
def test_a_table_that_is_sorted_by_a_column_is_not_in_time(tmp_path, by):
    frame = rising().sort_values(by, ignore_index=True).assign(row=NUMBERS)
    assert order(tmp_path, frame, drop=["row"]) is None


def test_a_table_that_is_sorted_by_its_classes_is_not_in_time(tmp_path):
    frame = rising(row=NUMBERS).assign(sold=np.repeat(["a", "b", "c", "d"], ROWS // 4))
    assert order(tmp_path, frame, drop=["row"]) is None


def test_what_has_its_time_needs_no_proposal(tmp_path):
    assert order(tmp_path, rising(day=DAYS), time="day") is None


def test_numbers_that_were_given_out_are_told_from_those_that_were_measured():
    random = np.random.default_rng(0)
    assert counts(np.arange(3.0, 200.0)) == "counts the rows"
    assert counts(np.sort(random.choice(1_000, 300, replace=False)).astype(float)) == "counts the rows, with gaps"
    assert counts(random.choice(1_000, 300, replace=False).astype(float)).startswith("a different whole number in every row")
    assert counts(random.choice(1_000_000, 300, replace=False).astype(float)) == ""
    assert counts(random.integers(0, 1_000, 300).astype(float)) == ""
    assert counts(np.sort(random.random(300))) == ""


def test_init_sets_the_time_and_check_tells_it(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    rising(row=NUMBERS).to_csv("table.csv", index=False)
    out = run("init", "table.csv", "--target", "sold").out
    made = load_problem("slipway.yaml", environ={})
    assert (made.time, made.drop) == ("row", ("row",)) and "row: time: the rows are in its order, and a random split" in out
    text = (tmp_path / "slipway.yaml").read_text()
    assert "time: row " in text and "# the rows are in its order, and a random split flatters: RMSE" in text
    assert "Set time" not in run("check", "table.csv").out
    (tmp_path / "slipway.yaml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("time")))
    assert "row: the rows are in its order, and a random split flatters" in run("check", "table.csv").out


def test_init_proposes_a_date_and_check_tells_leaks(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    mixed = rising().sample(ROWS, random_state=0, ignore_index=True).assign(day=DAYS)
    noise = np.random.default_rng(2).normal(0, 1.5, ROWS)
    mixed.assign(paid=(mixed["sold"] + noise).round(2), double=2 * mixed["sold"]).to_csv("table.csv", index=False)
    out = run("init", "table.csv", "--target", "sold").out
    made = load_problem("slipway.yaml", environ={})
    assert made.time is None and "\n# time: day " in (tmp_path / "slipway.yaml").read_text()
    assert made.drop == ("double",) and "day: not set as time: the rows are in its order; set it if later" in out
    (tmp_path / "slipway.yaml").write_text("name: t\nsource: table.csv\ntarget: sold\ndrop: double\n")
    assert "paid nearly tells the target by itself" in run("check", "table.csv").out
