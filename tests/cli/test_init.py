import csv
import errno
import io
import os
import re
import tempfile
from datetime import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.cli import slipway
from slipway.problem import load_problem
from slipway.sources.samples import SAMPLES
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.cell import Reader
from slipway.table.inference import features, read_target

ODD = (
    "\0",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\U0001f6a2",
    "\n",
    "\r",
    "\t",
    " ",
    ":",
    ": ",
    " #",
    "'",
    '"',
    "\\",
    "-",
    "- ",
    "%",
    "@",
    "`",
    "&",
    "*",
    "!",
    "|",
    ">",
    "{",
    "[",
    ",",
    "~",
    "yes",
    "null",
    "<<",
    "=",
    "1",
    "x" * 3_000,
)
ODD_TEXT = st.lists(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4).map("".join)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(slipway, arguments)


def lending(rows=900) -> pd.DataFrame:
    """A loan book with a date, an id, a constant, free text, and two columns that were written after the outcome."""
    random = np.random.default_rng(5)
    bad = random.random(rows) < 0.3
    amount = random.integers(1_000, 40_000, rows)
    days = pd.to_timedelta(random.integers(0, 1_500, rows), unit="D")
    return pd.DataFrame(
        {
            "member_id": [f"m{number}" for number in range(rows)],
            "amount": amount,
            "grade": random.choice([" A", " B", " ?"], rows),
            "ratio": np.where(random.random(rows) < 0.05, "unknown", np.round(random.uniform(0, 40, rows), 2).astype(str)),
            "issued": (pd.Timestamp("2015-01-01") + days).strftime("%Y-%m-%d"),
            "country": "us",
            "title": [f"title {number}" for number in random.permutation(rows)],
            "recoveries": np.where(bad, amount // 3, 0),
            "collected_on": np.where(bad, "2019-05-01", ""),
            "status": np.where(bad, "Charged Off", "Fully Paid"),
        }
    )


def test_a_table_of_every_habit_needs_no_edit(run, tmp_path):
    lending().to_csv("book.csv", index=False)
    done = run("init", "book.csv", "--target", "status")
    assert done.exit_code == 0, done.output
    problem = load_problem("slipway.yaml", environ={})
    assert problem.id == ("member_id",)
    assert set(problem.drop) == {"country", "title", "recoveries", "collected_on"}
    assert (problem.markers("ratio"), problem.markers("amount")) == (("unknown",), ())
    assert (problem.task, problem.positive, problem.metric) == ("binary", "Charged Off", "roc_auc")
    assert "recoveries: SUSPECTED LEAK" in done.output and "collected_on: SUSPECTED LEAK" in done.output
    text = (tmp_path / "slipway.yaml").read_text()
    assert "constant: always 'us'" in text and "take it out of this list" in text
    assert re.search(r"# +issued +date", text) and re.search(r"# +grade +category of 2: A, B, .*% missing \(\?\)", text)
    assert re.search(r"\n  ratio: \[unknown\] +# [0-9]+ cells\n", text)
    assert re.search(r"\nname: book\n# purpose: … +# one sentence; the report begins with it\n", text)


def test_a_few_missing_cells_are_not_none(run, tmp_path):
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.random(2_000), "y": random.random(2_000)})
    frame.loc[7, "x"] = None
    frame.to_csv("few.csv", index=False)
    assert run("init", "few.csv", "--target", "y").exit_code == 0
    assert ", less than 0.1% missing" in (tmp_path / "slipway.yaml").read_text()


def test_columns_of_parquet_that_nobody_can_learn_from_are_left_out(run):
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.random(200), "k": random.choice(["a", "b"], 200), "y": random.random(200)})
    odd = {"parts": [[1]] * 200, "clock": [time(10)] * 200, "raw": [b"x"] * 200}
    frame.assign(**odd).to_parquet("book.parquet")
    done = run("init", "book.parquet", "--target", "y")
    assert done.exit_code == 0, done.output
    assert load_problem("slipway.yaml", environ={}).drop == ("parts", "clock", "raw")
    assert "parts: left out: has lists or objects" in done.output


@pytest.mark.parametrize(
    ("name", "target", "task", "metric", "said"),
    [
        ("insurance", "charges", "regression", "rmse", "6 columns"),
        ("loan", "Loan_Status", "binary", "roc_auc", "11 columns"),
        ("truck", "class", "binary", "pr_auc", "170 columns"),
    ],
)
def test_the_samples_are_understood(run, name, target, task, metric, said):
    assert run("sample", name, "table.csv", "--rows", "600").exit_code == 0
    done = run("init", "table.csv", "--target", target)
    assert done.exit_code == 0 and said in done.output, done.output
    problem = load_problem("slipway.yaml", environ={})
    assert (problem.task, problem.metric) == (task, metric)


@pytest.mark.parametrize(
    ("content", "target", "task"),
    [
        ("a;b\r\n1;x\r\n2;y\r\n3;z\r\n" + "1;x\r\n2;y\r\n3;z\r\n" * 40, "b", "multiclass"),
        ("\ufeffa,b\n" + "\n".join(f"{n},{n / 7}" for n in range(60)), "b", "regression"),
    ],
)
def test_other_habits_of_files(run, tmp_path, content, target, task):
    (tmp_path / "t.csv").write_bytes(content.encode())
    assert run("init", "t.csv", "--target", target).exit_code == 0
    assert load_problem("slipway.yaml", environ={}).task == task


def test_what_is_refused(run, tmp_path):
    lending().to_csv("book.csv", index=False)
    wrong = run("init", "book.csv", "--target", "statsu")
    assert wrong.exit_code == 4 and "Did you mean 'status'?" in wrong.output
    assert not (tmp_path / "slipway.yaml").exists()
    (tmp_path / "slipway.yaml").write_text("mine")
    again = run("init", "book.csv", "--target", "status")
    assert again.exit_code == 3 and "--force" in again.output
    assert (tmp_path / "slipway.yaml").read_text() == "mine"
    absent = run("init", "absent.csv", "--target", "status", "--force")
    assert absent.exit_code == 4 and "absent.csv" in absent.output


def test_a_file_that_cannot_be_written_says_what_to_do(run, monkeypatch):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    lending(80).to_csv("book.csv", index=False)
    monkeypatch.setattr(Path, "write_text", read_only)
    done = run("init", "book.csv", "--target", "status")
    assert done.exit_code == 3
    assert "slipway.yaml: cannot be written (Read-only file system). Get write permission there" in done.output


def test_hostile_names_and_labels_survive_the_file(run):
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "yes": random.normal(size=80),
            'q"uote: #1': random.choice(["on", "off"], 80),
            "t": random.choice(["no", "yes"], 80),
            "constant: x # y": "c\nd",
        }
    )
    frame.to_csv("t.csv", index=False)
    done = run("init", "t.csv", "--target", "t", "--name", "no")
    assert done.exit_code == 0, done.output
    problem = load_problem("slipway.yaml", environ={})
    assert (problem.name, problem.positive, problem.drop) == ("no", "yes", ("constant: x # y",))


ODD_NAMES = st.lists(ODD_TEXT.filter(str.strip), min_size=6, max_size=6, unique=True)
ODD_CELLS = st.lists(
    ODD_TEXT.map(Reader().text).filter(lambda text: text and text == Reader().text(text) and not re.search("[0-9]", text)),
    min_size=4,
    max_size=4,
    unique=True,
)


@settings(max_examples=40)
@given(names=ODD_NAMES, cells=ODD_CELLS)
def test_what_init_writes_means_the_columns_that_it_saw(names, cells):
    random = np.random.default_rng(5)
    key, constant, number, level, other, target = names
    always, marker, *labels = cells
    frame = pd.DataFrame(
        {
            key: [f"k{row}" for row in range(40)],
            constant: always,
            number: [marker, *(str(row / 7) for row in range(39))],
            level: ["a", "a", "b", "b"] * 10,
            other: random.random(40),
            target: labels * 20,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder, "t.parquet"))
        wanted = [f"--id={key}", f"--target={target}", f"--output={folder}/slipway.yaml"]
        done = CliRunner().invoke(slipway, ["init", f"{folder}/t.parquet", *wanted])
        assert done.exit_code == 0, done.output
        problem = load_problem(Path(folder, "slipway.yaml"), environ={})
    assert (problem.id, problem.drop, problem.target) == ((key,), (constant,), target)
    assert problem.missing == {number: (marker,)}
    assert features(frame, problem) == [number, level, other]
    assert problem.positive == read_target(frame, problem).classes[1] and problem.positive in labels


def test_a_cell_of_csv_with_a_control_character(run):
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.random(60), "c\x1b[2J": "a\0b", "k": random.choice(["\u2028c", "b\0"], 60)})
    frame.assign(y=random.random(60)).to_csv("t.csv", index=False)
    done = run("init", "t.csv", "--target", "y")
    assert done.exit_code == 0, done.output
    assert load_problem("slipway.yaml", environ={}).drop == ("c\x1b[2J",)
    assert "\x1b" not in done.output and r"c\x1b[2J: left out" in done.output


def test_a_column_of_parquet_without_a_name(run, tmp_path):
    random = np.random.default_rng(5)
    pd.DataFrame({"x": random.random(60), " ": 1.0, "y": random.random(60)}).to_parquet("t.parquet")
    done = run("init", "t.parquet", "--target", "y")
    assert done.exit_code == 4 and "t.parquet: column 2 has no name" in done.output
    assert not (tmp_path / "slipway.yaml").exists()


@pytest.mark.parametrize(
    "option, code, says",
    [
        (["--target", ""], 3, "slipway.yaml: target is missing"),
        (["--target", "y", "--name", " "], 3, "slipway.yaml: name: expected a string"),
        (
            ["--target", "y", "--name", os.fsdecode(b"caf\xe9")],
            3,
            r"slipway.yaml: name: expected a string, got the string 'caf\udce9",
        ),
        (["--target", "y", "--id", "z"], 4, "id: the table has no column 'z'"),
    ],
)
def test_options_that_no_problem_can_have(run, tmp_path, option, code, says):
    random = np.random.default_rng(5)
    pd.DataFrame({"x": random.random(60), "y": random.random(60)}).to_csv("t.csv", index=False)
    done = run("init", "t.csv", *option)
    assert done.exit_code == code and done.output.startswith(f"slipway: {says}"), done.output
    assert not (tmp_path / "slipway.yaml").exists()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples_are_the_same_every_time_and_have_the_rows_asked_for(name):
    assert SAMPLES[name](50) == SAMPLES[name](50)
    assert len(SAMPLES[name](50)) == 51


def test_a_sample_does_not_overwrite(run, tmp_path):
    assert run("sample", "insurance", "data/i.csv").exit_code == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "data/i.csv").read_text())))
    assert len(rows) == 1_339 and rows[0] == ["age", "sex", "bmi", "children", "smoker", "region", "charges"]
    (tmp_path / "data/i.csv").write_text("mine")
    assert run("sample", "insurance", "data/i.csv").exit_code == 0
    assert (tmp_path / "data/i.csv").read_text() == "mine"
    assert run("sample", "insurance", "data/i.csv", "--force").exit_code == 0
    assert (tmp_path / "data/i.csv").read_text() != "mine"


def test_check_reads_what_a_source_may_name(run, bucket):
    run("sample", "loan", "loan.csv")
    run("init", "loan.csv", "--target", "Loan_Status")
    table = Path("loan.csv").read_bytes()
    for name in ("part-1.csv", "part-2.csv"):
        Path(name).write_bytes(table)
        bucket.put(name, table)
    for location in ("part-*.csv", f"{bucket.url}/part-*.csv"):
        done = run("check", location)
        assert done.exit_code == 0 and f"{location}: 1,228 rows, 0 findings" in done.output, done.output
    absent = run("check", "absent.csv")
    assert absent.exit_code == 4 and "absent.csv: there is no such file" in absent.output


def test_check_says_what_is_wrong_by_column(run):
    run("sample", "loan", "loan.csv")
    run("init", "loan.csv", "--target", "Loan_Status")
    clean = run("check", "loan.csv")
    assert clean.exit_code == 0 and "0 findings" in clean.output
    assert "There is no champion yet: the table was compared with the source, loan.csv." in clean.output
    frame = pd.read_csv("loan.csv", dtype=str, keep_default_na=False)
    frame.loc[0, "Property_Area"] = "Moon"
    frame.loc[1, "ApplicantIncome"] = "-5"
    frame.loc[2, "LoanAmount"] = "lots"
    frame.loc[3, "Education"] = ""
    frame.drop(columns="Gender").rename(columns={"Married": "Maried"}).to_csv("new.csv", index=False)
    done = run("check", "new.csv")
    assert done.exit_code == 4
    for says in (
        "Property_Area: 1 cell contains 'Moon' (row 1), which training never saw",
        "ApplicantIncome: 1 cell is outside the range of training, ",
        " (row 2)",
        "LoanAmount: 1 cell contains 'lots' (row 3), expected an integer",
        "Education: 1 cell is missing (row 4); training had no missing cells here",
        "Gender: is not in the table",
        "Married: is not in the table; is it 'Maried'?",
        "Maried: is not a field of the schema; ignored",
        "new.csv: 614 rows, 7 findings",
    ):
        assert says in done.output, done.output


def test_without_the_champion_s_bundle_check_compares_with_the_source_and_says_so(run):
    """As on a runner: the pointer is in git, the bundle is not."""
    run("sample", "loan", "loan.csv")
    run("init", "loan.csv", "--target", "Loan_Status")
    LocalStore(Path("artifacts")).point(Pointer("a" * 64, "loan"))
    done = run("check")
    assert done.exit_code == 0 and "0 findings against the schema of loan.csv" in done.output, done.output
    assert "The bundle of champion aaaaaaaaaaaa is not here (slipway pull fetches it): the table was compared" in done.output


def test_what_keeps_no_row_from_an_answer_is_reported_and_no_failure(run, monkeypatch):
    run("sample", "loan", "loan.csv")
    run("init", "loan.csv", "--target", "Loan_Status")
    frame = pd.read_csv("loan.csv", dtype=str, keep_default_na=False)
    frame["note"] = "x"
    frame.to_csv("more.csv", index=False)
    more = run("check", "more.csv")
    assert more.exit_code == 0
    assert "note: is not a field of the schema; ignored\n" in more.output and ", 1 finding against" in more.output

    frame.loc[0, "Property_Area"] = "Moon"
    frame.loc[[1, 5], "ApplicantIncome"] = "-5"
    frame.to_csv("odd.csv", index=False)
    assert run("check", "odd.csv").exit_code == 4
    monkeypatch.setenv("SLIPWAY_SERVING_UNKNOWN_LEVELS", "warn")
    monkeypatch.setenv("SLIPWAY_SERVING_OUT_OF_RANGE", "warn")
    odd = run("check", "odd.csv")
    assert odd.exit_code == 0
    assert "(row 1), which training never saw; answered with a warning" in odd.output
    assert "ApplicantIncome: 2 cells are outside the range" in odd.output and "(first in row 2); answered" in odd.output
