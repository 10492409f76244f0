"""slipway init on tables whose cells are written as people write them."""

import csv
import re

import numpy as np
import pandas as pd
import pytest

from slipway.problem import load_problem
from slipway.training.inspection.profile import profile
from slipway.training.inspection.written import read_as_written

ROWS = 300
GERMAN = str.maketrans(",.", ".,")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def german(number: float, digits: int = 2) -> str:
    return f"{number:,.{digits}f}".translate(GERMAN)


def customers() -> list[list[str]]:
    """A table of a German spreadsheet."""
    random = np.random.default_rng(4)
    rows = [["Kunde", "PLZ", "Alter", "Einkommen", "Rabatt", "Eintritt", "Umsatz", "Status", "Beitrag"]]
    for number in range(ROWS):
        age, status = random.integers(18, 80), random.choice(["neu", "alt"])
        rows.append(
            [
                f"K{number}",
                random.choice(["01067", "80331", "20095"]),
                str(age),
                german(random.normal(52_000, 9_000)),
                f"{random.integers(0, 20)}%",
                f"{random.integers(1, 29):02}.{random.integers(1, 13):02}.2024",
                "unbekannt" if number % 100 == 7 else german(random.integers(1_000, 90_000), 0),
                status,
                f"{german(2_000 + 20 * age + random.normal(0, 500))} €",
            ]
        )
    return rows


def write(rows, name="table.csv", separator=";"):
    with open(name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)


def init(run, frame: pd.DataFrame, *arguments, target="y"):
    frame.to_csv("table.csv", index=False)
    done = run("init", "table.csv", "--target", target, "--force", *arguments)
    assert (done.code, done.err) == (0, ""), done
    return load_problem("slipway.yaml", environ={}), done.out


def test_a_table_of_a_german_spreadsheet_needs_no_edit(run, folder):
    write(customers())
    done = run("init", "table.csv", "--target", "Beitrag")
    assert (done.code, done.err) == (0, ""), done
    problem = load_problem("slipway.yaml", environ={})
    assert (problem.task, problem.id, problem.drop) == ("regression", ("Kunde",), ())
    assert problem.types == {"PLZ": "category"}
    assert problem.formats == {
        "Beitrag": "1.234,56 €",
        "Einkommen": "1.234,56",
        "Rabatt": "1.234,56%",
        "Eintritt": "31.12.2024",
        "Umsatz": "1.234,56",
    }
    assert problem.missing == {"Umsatz": ("unbekannt",)}
    text = (folder / "slipway.yaml").read_text(encoding="utf-8")
    assert re.search(r'\n  Einkommen: "1\.234,56"      # all 300 different cells, e\.g\. \d\d\.\d{3},\d\d\n', text)
    settled = "other columns have the decimal mark ,"
    assert re.search(rf'\n  Umsatz: "1\.234,56" +# all but 1 of \d+ different cells, .*; {settled}\n', text)
    assert "\n  PLZ: category              # leading zeros, e.g. 01067\n" in text
    assert "\n  Umsatz: [unbekannt]        # 3 cells\n" in text
    assert re.search(r"\n#   Eintritt   date, typically 2024-\d\d-\d\d\n", text)
    assert "\n#   PLZ        category of 3: 01067, 20095, 80331\n" in text
    assert re.search(r"\n#   Rabatt     integer from 0 to 19\n", text)
    assert "Einkommen: written as 1.234,56 (all 300" in done.out and "Umsatz: read as missing: 'unbekannt'" in done.out
    assert done.out.endswith("Wrote slipway.yaml. Next: slipway train\n")


def test_what_the_cells_do_not_tell_is_asked(run, folder):
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "amount": [f"{one}.{two:03}" for one, two in zip(random.integers(1, 90, ROWS), random.integers(0, 1_000, ROWS))],
            "day": [f"{one:02}/{two:02}/2024" for one, two in random.integers(1, 13, (ROWS, 2))],
            "y": random.choice(["yes", "no"], ROWS),
        }
    )
    problem, out = init(run, frame)
    assert problem.formats == {"amount": "?", "day": "?"}
    asked = r"\n  amount: (\d+\.\d{3}) is \d{4,5} or \1\? Write \"1\.234,56\" or \"1234\.56\"\.\n"
    assert re.search(asked, out) and out.endswith("Then: slipway train\n")
    assert re.search(r"\n  day: .* is \d+ \w+ or \w+ \d+\? Write \"31/12/2024\" or \"12/31/2024\"\.\n", out)
    text = (folder / "slipway.yaml").read_text(encoding="utf-8")
    assert re.search(r'\n  amount: "\?" +# .* or .*: write "1\.234,56" or "1234\.56"\n', text)
    assert "amount  asked in formats: " in text


def test_another_column_answers(run, folder):
    random = np.random.default_rng(6)
    cells = [f"{one}.{two:03}" for one, two in zip(random.integers(1, 90, ROWS), random.integers(0, 1_000, ROWS))]
    problem, _ = init(run, pd.DataFrame({"amount": cells, "y": random.random(ROWS)}))
    assert problem.formats == {"amount": "1234.56"}  # and training, which sees one column at a time, need not ask
    assert "; other columns have the decimal mark .\n" in (folder / "slipway.yaml").read_text()


def test_a_marker_never_takes_a_number(run, folder):
    random = np.random.default_rng(7)
    counts, codes = random.integers(100, 900, ROWS).astype(str), random.integers(0, 4, ROWS).astype(str)
    ratio = np.round(random.uniform(0, 40, ROWS), 2).astype(str)
    counts[:4], ratio[:2], codes[:3] = ["4,204", "1,980", "none yet", "1,111"], ["18,5", "7,25"], "unknown"
    frame = pd.DataFrame({"counts": counts, "ratio": ratio, "codes": codes, "y": random.random(ROWS)})
    problem, out = init(run, frame)
    assert problem.formats == {"counts": "1,234.56"}
    assert problem.missing == {"counts": ("none yet",), "codes": ("unknown",)}
    assert problem.drop == ("ratio",) and "ratio: left out: written in different ways: " in out
    assert re.search(r"#   counts  integer from \d+ to 4204, 0.3% missing\n", (folder / "slipway.yaml").read_text())


def test_iso_dates_with_a_text_among_them(run, folder):
    random = np.random.default_rng(20)
    days = pd.Series([f"2024-01-{day:02}" for day in random.integers(1, 29, ROWS)])
    days[4:6] = "open"
    problem, out = init(run, pd.DataFrame({"closed": days, "y": random.random(ROWS)}))
    assert (problem.formats, problem.missing) == ({}, {"closed": ("open",)})
    assert "closed: read as missing: 'open'" in out and "closed  date, typically" in (folder / "slipway.yaml").read_text()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (
            [f"{day % 28 + 1}.1.{2000 + day // 28}" for day in range(294)],
            "nearly all cells are dates, but 6 different texts are not, such as 'odd 0', 'odd 1', 'odd 2'",
        ),
        (
            [f"{number},5" for number in range(294)],
            "nearly all cells are numbers, but 6 different texts are not, such as 'odd 0', 'odd 1', 'odd 2'",
        ),
    ],
)
def test_many_odd_texts_are_no_markers(run, cells, says):
    random = np.random.default_rng(21)
    frame = pd.DataFrame({"c": [f"odd {number}" for number in range(6)] + cells, "y": random.random(ROWS)})
    problem, out = init(run, frame)
    assert (problem.drop, problem.missing) == (("c",), {}) and f"c: left out: {says}\n" in out
    frame.rename(columns={"c": "y", "y": "c"}).to_csv("table.csv", index=False)
    if "," in cells[0]:
        wrong = run("init", "table.csv", "--target", "y", "--force")
        assert wrong.code == 4 and "6 cells contain 'odd 0" in wrong.err


def test_few_different_numbers_with_one_in_another_format_are_left_out(run):
    random = np.random.default_rng(8)
    digits = random.integers(0, 4, ROWS).astype(str)
    digits[5] = "31.12.2024"
    problem, out = init(run, pd.DataFrame({"digits": digits, "y": random.random(ROWS)}))
    assert problem.drop == ("digits",) and "nearly all cells are numbers, but 1 cell contains '31.12.2024'" in out


def test_a_table_without_formats_says_nothing_of_them(run, folder):
    random = np.random.default_rng(9)
    frame = pd.DataFrame({"x": random.random(ROWS), "d": "2024-01-05", "y": random.random(ROWS)})
    frame.loc[::2, "d"] = "2023-02-01"
    problem, out = init(run, frame)
    assert (problem.formats, problem.missing, problem.types) == ({}, {}, {})
    text = (folder / "slipway.yaml").read_text()
    assert "formats:" not in text and "missing:" not in text and "types: {" in text


def test_typed_cells_have_no_format(run):
    random = np.random.default_rng(10)
    frame = pd.DataFrame({"x": np.round(random.uniform(1, 9, ROWS), 3) + 1e-3, "y": random.random(ROWS)})
    frame.to_parquet("table.parquet")
    assert run("init", "table.parquet", "--target", "y").code == 0
    assert load_problem("slipway.yaml", environ={}).formats == {}


def test_the_usual_markers_are_told_by_column(run, folder):
    random = np.random.default_rng(11)
    levels = random.choice(["u", "v"], ROWS)
    frame = pd.DataFrame({"a": random.random(ROWS).astype(str), "b": levels, "y": random.random(ROWS)})
    frame.loc[:2, "a"], frame.loc[3, "a"], frame.loc[:5, "b"] = "", "NA", "n/a"
    init(run, frame)
    text = (folder / "slipway.yaml").read_text()
    assert "1.3% missing (empty, NA)\n" in text and "u, v, 2.0% missing (n/a)\n" in text


def test_ranges_keep_their_digits(run, folder):
    frame = pd.DataFrame({"x": [1_484_700.0, 12.5] * 100, "y": np.random.default_rng(12).random(200)})
    init(run, frame)
    assert "x  number from 12.5 to 1484700\n" in (folder / "slipway.yaml").read_text()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["x"] * 100 + [""] * 100, "constant: always 'x', or missing"),
        (["x"] * 200, "constant: always 'x'"),
        (list(range(5, 205)), "counts the rows"),
        ([number for number in range(280) if number % 10 < 8][:200], "counts the rows, with gaps"),
        ([number + number // 3 for number in range(1, 201)], "counts the rows, with gaps"),
        ([1_900 + number + number // 4 for number in range(200)], "counts the rows, with gaps"),
        (sorted(np.random.default_rng(1).choice(900, 200, replace=False)), "counts the rows, with gaps"),
        (np.random.default_rng(1).permutation(200), "a different whole number in every row, like a row number"),
        (["2024-01-05"] * 100 + [""] * 100, "constant: always '2024-01-05', or missing"),
    ],
)
def test_columns_that_say_nothing_are_left_out(run, cells, says):
    frame = pd.DataFrame({"c": cells, "x": np.random.default_rng(13).random(200), "y": np.random.default_rng(14).random(200)})
    problem, out = init(run, frame)
    assert problem.drop == ("c",) and f"c: left out: {says}\n" in out


@pytest.mark.parametrize(
    "cells",
    [
        sorted([*range(20, 90)] * 3)[:200],
        sorted(np.random.default_rng(1).choice(1_000, 200, replace=True)),
        sorted(np.random.default_rng(1).choice(100_000, 200, replace=False)),
        [*range(120), *range(5_000, 5_080)],
        [number + number // 3 + 0.5 for number in range(200)],
    ],
)
def test_a_sorted_feature_is_no_counter(run, cells):
    frame = pd.DataFrame({"c": cells, "x": np.random.default_rng(13).random(200), "y": np.random.default_rng(14).random(200)})
    assert "c" not in init(run, frame)[0].drop


def test_a_column_that_tells_by_being_there_is_a_leak_first(run):
    bad = np.random.default_rng(15).random(ROWS) < 0.4
    other = np.random.default_rng(16).random(ROWS)
    frame = pd.DataFrame({"closed": np.where(bad, "x", ""), "x": other, "y": np.where(bad, "a", "b")})
    assert "closed: SUSPECTED LEAK" in init(run, frame)[1]


def test_the_task_that_a_person_names(run, folder):
    random = np.random.default_rng(17)
    frame = pd.DataFrame({"x": random.random(400), "y": random.integers(1, 6, 400)})
    assert init(run, frame)[0].task == "multiclass"
    problem, _ = init(run, frame, "--task", "regression")
    assert (problem.task, problem.metric) == ("regression", "rmse")
    assert re.search(r"task: regression +# given\n", (folder / "slipway.yaml").read_text())
    problem, _ = init(run, frame.assign(y=frame["y"] > 2), "--task", "binary")
    assert problem.task == "binary" and re.search(r"task: binary +# given\n", (folder / "slipway.yaml").read_text())
    init(run, frame)
    wrong = run("init", "table.csv", "--target", "y", "--task", "binary", "--force")
    assert wrong.code == 4 and "has 5 different labels; a binary task needs two" in wrong.err


@pytest.mark.parametrize(
    "levels, use, says",
    [(1_500, "feature", "category of 1500"), (2_500, "drop", "2,500 different texts in 4,000 rows: a name")],
)
def test_codes_of_many_levels_are_learned_and_those_of_most_rows_left_out(levels, use, says):
    frame = pd.DataFrame({"zip": [f"{number % levels:05}" for number in range(4_000)], "y": [0.5, 1.5] * 2_000})
    from slipway.table.inference import Target

    target = Target("y", "regression", (), np.ones(4_000, bool), frame["y"].to_numpy())
    [finding] = profile(read_as_written(frame), target)
    assert finding.use == use and finding.says.startswith(says)


def test_the_target_has_a_format_and_markers_too(run):
    random = np.random.default_rng(18)
    y = np.array([f"${number:,.2f}" for number in random.uniform(900, 5_000, ROWS)], dtype=object)
    y[3] = "pending"
    problem, out = init(run, pd.DataFrame({"x": random.random(ROWS), "y": y}))
    assert (problem.task, problem.formats, problem.missing) == ("regression", {"y": "$1,234.56"}, {"y": ("pending",)})
    assert "y: read as missing: 'pending'" in out


@pytest.mark.parametrize("name", ["x" * 3_000, "yes", "a: b # c", "[", "*", "a\u2028b"])
def test_odd_names_of_columns_with_a_format(run, name):
    random = np.random.default_rng(19)
    cells = np.array([f"{number:.2f}".replace(".", ",") for number in random.uniform(900, 5_000, ROWS)], dtype=object)
    cells[0] = "n.k., [?"
    problem, _ = init(run, pd.DataFrame({name: cells, "y": random.random(ROWS)}))
    assert (problem.formats, problem.missing) == ({name: "1.234,56"}, {name: ("n.k., [?",)})


def test_a_text_among_few_numbers_is_told(run):
    """Of few different numbers no share is small enough to call it a marker; who looks at the levels knows."""
    random = np.random.default_rng(0)
    rooms = random.choice([*map(str, range(1, 9)), "k.A."], 300)
    problem, out = init(
        run, pd.DataFrame({"rooms": rooms, "w": random.choice(["1,5", "2,0", "2,5", "n.b."], 300), "y": random.random(300)})
    )
    number = int((rooms == "k.A.").sum())
    assert f"rooms: category of 9: 1, 2, 3, 4, 5, 6 …; NOT A NUMBER: 'k.A.' ({number} cells)" in out
    assert "w: category" in out and "'n.b.'" in out


def test_an_accountants_minus_makes_a_number(run):
    random = np.random.default_rng(0)
    cells = [f"{value:,.2f}" if value > 0 else f"({-value:,.2f})" for value in random.normal(500, 900, 300).round(2)]
    problem, _ = init(run, pd.DataFrame({"balance": cells, "y": random.random(300)}))
    assert problem.formats["balance"] == "1,234.56"
