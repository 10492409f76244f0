"""What production was asked comes back as rows to learn from: the same types and levels as those of the files."""

import os
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from shutil import copytree

import msgspec
import numpy as np
import pandas as pd
import pyarrow
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from slipway.cli import slipway
from slipway.errors import ProblemError, TableError
from slipway.model.contents import model_of, schema_of
from slipway.model.event import CLOSED, RAW, SHORT, read_events, to_line
from slipway.monitoring.logged_rows import LoggedRows, read_rows
from slipway.monitoring.partitions import Log
from slipway.monitoring.returned import LogSource, labelled_table
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.sources.batches import frame_of
from slipway.sources.source import open_source
from slipway.store.local import LocalStore
from slipway.table.inference import infer_schema, read_target
from slipway.training.inputs import fingerprint
from slipway.training.train import train

TODAY = datetime.now(UTC).date()
DAYS = range(3, 13)
PER_DAY = 20
SETTINGS = """
name: returned
target: charges
id: customer
time: joined
candidates: linear
search: {trials: 1}
formats: {joined: "31.12.2024", savings: "1.234,56"}
missing: {bmi: [-9]}
log: {to: files}
"""


def table(rows: int, first: int, seed: int) -> pd.DataFrame:
    """Cells as a file of this problem has them, of customers from `first` on."""
    random = np.random.default_rng(seed)
    age, smoker = random.integers(18, 65, rows), random.choice(["yes", "no"], rows)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(rows) + first, "D")
    frame = pd.DataFrame(
        {
            "customer": np.arange(first, first + rows).astype(str),
            "age": age.astype(str),
            "bmi": np.round(random.normal(30, 6, rows), 1).astype(str),
            "smoker": smoker,
            "insured": random.choice(["True", "False"], rows),
            "branch": random.choice(["01023", "20095", "80331"], rows),
            "savings": [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in random.gamma(2, 4_000, rows)],
            "joined": [f"{day:%d.%m.%Y}" for day in days],
            "charges": np.round(200 * age + 9_000 * (smoker == "yes") + random.normal(0, 500, rows), 2).astype(str),
        }
    )
    frame.loc[::13, "bmi"] = "-9"
    return frame


HISTORY, ASKED = table(240, 1, seed=0), table(len(DAYS) * PER_DAY, 1_001, seed=1)


def asked(row: dict[str, str], plain: bool) -> dict:
    """A row of the table as clients send it: plainly typed, or as the table writes it."""
    row = {name: cell for name, cell in row.items() if name != "charges" and cell != "-9"}
    if not plain:
        return row
    day = datetime.strptime(row["joined"], "%d.%m.%Y").date().isoformat()
    savings = float(row["savings"].replace(".", "").replace(",", "."))
    typed = {"customer": int(row["customer"]), "age": int(row["age"]), "insured": row["insured"].lower()}
    return row | typed | {"joined": day, "savings": savings} | ({"bmi": float(row["bmi"])} if "bmi" in row else {})


def write(folder: Path, source: str, settings: str = SETTINGS):
    (folder / "slipway.yaml").write_text(f"{settings}source: {source}\n")
    return load_problem(folder / "slipway.yaml", environ={})


def ask(folder: Path) -> None:
    """The service answers twenty rows on each day; half of the calls are written as the table is."""
    app = build(load_problem(folder / "slipway.yaml", environ={}), {})
    rows = ASKED.to_dict("records")
    for number, back in enumerate(DAYS):
        body = [asked(row, plain=number % 2 == 0) for row in rows[number * PER_DAY : (number + 1) * PER_DAY]]
        answer = app.test_client().post("/predict", json=body, headers={"X-Request-ID": f"day-{back}"})
        assert answer.status_code == 200, answer.get_json()
    app.extensions["slipway"].recorder.close()
    [written] = (folder / "log" / RAW).rglob(f"*{CLOSED}")
    for event in read_events(written.read_bytes()):  # the days were all today
        day = TODAY - timedelta(days=int(event.id.removeprefix("day-")))
        path = folder / "log" / RAW / f"date={day}" / f"bundle={event.bundle[:SHORT]}" / f"r-{event.id}{CLOSED}"
        path.parent.mkdir(parents=True)
        path.write_bytes(to_line(msgspec.structs.replace(event, at=f"{day}T09:00:00.000Z")))
    written.unlink()


def tell(folder: Path, name: str, truth: pd.DataFrame, acted: str = "") -> None:
    """What happened, told a day later each time."""
    days = [TODAY - timedelta(days=DAYS[place // PER_DAY] - 1) for place in ASKED.index[ASKED.customer.isin(truth.customer)]]
    truth[["customer", "charges"]].assign(seen_at=days, acted=acted).to_csv(folder / name, index=False)
    run(folder, "labels", str(folder / name))


def run(folder: Path, *arguments: str) -> str:
    before = Path.cwd()
    os.chdir(folder)
    try:
        told = CliRunner().invoke(slipway, arguments, catch_exceptions=False)
    finally:
        os.chdir(before)
    assert told.exit_code == 0, told.output
    return told.output


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Path:
    """A repository whose model was trained, served and asked, and to which it was told what happened."""
    folder = tmp_path_factory.mktemp("served")
    HISTORY.to_csv(folder / "history.csv", index=False)
    problem = write(folder, "history.csv")
    assert train(problem, LocalStore(folder / "artifacts"), jobs=1).verdict.promoted
    ask(folder)
    run(folder, "collect")
    tell(folder, "outcomes.csv", ASKED)
    return folder


@pytest.fixture
def folder(served, tmp_path) -> Path:
    return Path(copytree(served, tmp_path / "served"))


def frame_from(folder: Path, source: str) -> pd.DataFrame:
    return frame_of(open_source(write(folder, source)), source)


@pytest.mark.parametrize("beside", ["csv", "parquet", ""])
def test_a_round_trip_gives_the_types_and_levels_of_the_files(folder, beside):
    """Serve → log → label → collect → read, against the same rows as a file."""
    problem = write(folder, "history.csv")
    typed = _typed(ASKED) if beside != "csv" else ASKED
    if beside == "parquet":
        _typed(HISTORY).to_parquet(folder / "history.parquet")
        problem = write(folder, "history.parquet")
        typed = pd.concat([_typed(HISTORY), typed], ignore_index=True)
    elif beside == "csv":
        typed = pd.concat([HISTORY, typed], ignore_index=True)
    read = frame_from(folder, f"[history.{beside}, log]" if beside else "log")
    expected, found = infer_schema(typed, problem), infer_schema(read, problem)
    assert {each.name: each for each in found} == {each.name: each for each in expected}
    truth, of = read_target(typed, problem), read_target(read, problem)
    order = np.argsort(read.customer.astype(float).to_numpy(), kind="stable")
    assert of.y[order].tolist() == truth.y.tolist() and of.task == truth.task == "regression"


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The same as a Parquet file has it, where a typed column needs no format."""
    savings = frame.savings.str.replace(".", "").str.replace(",", ".").astype(float)
    bmi = frame.bmi.astype(float).where(frame.bmi != "-9")
    joined = pd.to_datetime(frame.joined, format="%d.%m.%Y")
    numbers = frame.astype({"age": "int64", "charges": "float64"})
    return numbers.assign(bmi=bmi, savings=savings, joined=joined, insured=frame.insured == "True")


def test_the_next_model_learns_from_files_and_log_together(folder):
    problem = write(folder, "[history.csv, log]")
    told = run(folder, "train", "--jobs", "1")
    assert "Note: 200 labelled rows of the prediction log; those whose id the files have are taken from the files." in told
    store = LocalStore(folder / "artifacts")
    [bundle] = [store.bundle(digest) for digest in store.digests() if digest[:12] in told.split("Bundle:")[1]]
    assert model_of(bundle).rows.training == len(HISTORY) + len(ASKED)
    assert schema_of(bundle)["joined"].maximum == (pd.Timestamp("2020-01-01") + pd.Timedelta(1_200, "D")).timestamp() / 86_400
    assert "Nothing changed" in run(folder, "train", "--if-changed", "--jobs", "1")
    before = fingerprint(problem)
    tell(folder, "corrected.csv", ASKED.head(1).assign(charges="1"))
    after = fingerprint(problem)
    assert [name for name in after if after[name] != before[name]] == ["data"]


def test_rows_without_a_label_change_nothing(folder):
    problem = write(folder, "[history.csv, log]")
    before = fingerprint(problem)
    [path] = (folder / "log" / "rows").glob(f"date={TODAY - timedelta(days=3)}/*/*.parquet")
    path.rename(path.with_name("0" * 64 + ".parquet"))  # as a table of another name, of the same rows
    assert fingerprint(problem) == before


def test_a_row_that_the_files_have_is_taken_from_them(folder):
    pd.concat([HISTORY, ASKED.head(30).assign(charges="7.0")]).to_csv(folder / "history.csv", index=False)
    read = frame_from(folder, "[history.csv, log]")
    assert len(read) == len(HISTORY) + len(ASKED)
    assert read.customer.is_unique and (read.charges == "7.0").sum() == 30


def test_of_several_predictions_of_one_id_the_last_counts(folder):
    problem, log = load_problem(folder / "slipway.yaml", environ={}), Log(folder / "log")
    [path] = (log.root / "rows").glob(f"date={TODAY - timedelta(days=12)}/*/*.parquet")
    later = path.parents[2] / f"date={TODAY - timedelta(days=2)}" / path.parent.name / path.name
    later.parent.mkdir(parents=True)
    later.write_bytes(path.read_bytes())
    found = labelled_table(problem, log, TODAY)
    assert (len(found), found.repeated) == (200, 20)


def test_what_is_asked_again_when_its_label_is_known_is_not_learned(folder):
    problem = load_problem(folder / "slipway.yaml", environ={})
    before = fingerprint(write(folder, "[history.csv, log]"))
    [path] = (folder / "log" / "rows").glob(f"date={TODAY - timedelta(days=12)}/*/*.parquet")
    rows = read_rows(path)
    at = pyarrow.array([datetime.combine(TODAY - timedelta(days=3), time(9))] * len(rows), rows.calls.schema.field("at").type)
    rows = LoggedRows(rows.calls.set_column(0, "at", at), rows.cells)
    again = path.parents[2] / f"date={TODAY - timedelta(days=3)}" / path.parent.name / path.name
    again.write_bytes(rows.to_parquet())
    found = labelled_table(problem, Log(folder / "log"), TODAY)
    assert (len(found), found.repeated) == (200, 20)
    assert fingerprint(write(folder, "[history.csv, log]")) == before


def test_without_ids_nothing_is_left_out_and_that_is_said(folder):
    settings = SETTINGS.replace("id: customer\n", "drop: customer\n")
    for path in (folder / "log" / "labels").iterdir():
        path.unlink()
    problem = write(folder, "[history.csv, log]", settings)
    days = [TODAY - timedelta(days=back - 1) for back in DAYS for _ in range(PER_DAY)]
    names = [f"day-{back}" for back in DAYS for _ in range(PER_DAY)]
    told = pd.DataFrame({"request_id": names, "row": [*range(PER_DAY)] * len(DAYS), "label": ASKED.charges, "seen_at": days})
    told.to_csv(folder / "by_request.csv", index=False)
    run(folder, "labels", "by_request.csv")
    batches = open_source(problem)
    assert "they have no ids, so that some may be in the files, too" in batches.consistent
    assert sum(batch.num_rows for batch in batches.read()) == len(HISTORY) + len(ASKED)


def test_acted_rows_are_kept_and_counted(folder):
    tell(folder, "acted.csv", ASKED.head(5).assign(charges="1"), acted="yes")
    batches = open_source(write(folder, "log"))
    assert batches.rows == 200
    assert batches.consistent == "200 labelled rows of the prediction log; somebody acted on the answers of 5 of them"


@pytest.mark.parametrize(
    "setting, column, allowed", [("omit", "smoker", False), ("hash", "smoker", False), ("omit", "customer", True)]
)
def test_private_columns(folder, setting, column, allowed):
    problem = write(folder, "[history.csv, log]")
    problem = replace(problem, log=replace(problem.log, **{setting: (column,)}))
    source = LogSource(problem, environ={})
    files = open_source(write(folder, "history.csv"))
    if allowed:
        assert sum(batch.num_rows for batch in source.beside(files).read()) == len(HISTORY) + len(ASKED)
        return
    with pytest.raises(ProblemError, match=rf"does not have smoker as it was \(log\.{setting}\)") as refused:
        source.beside(files)
    assert refused.value.cure == f"Add smoker to drop, or take it out of log.{setting}"


def test_a_log_without_labels_is_said_or_adds_nothing(folder):
    for path in (folder / "log" / "labels").iterdir():
        path.unlink()
    with pytest.raises(TableError, match="no collected row has a label") as refused:
        open_source(write(folder, "log"))
    assert "slipway labels" in refused.value.cure
    batches = open_source(write(folder, "[history.csv, log]"))
    assert sum(batch.num_rows for batch in batches.read()) == len(HISTORY)
    assert batches.consistent == "0 labelled rows of the prediction log"


def test_settings_of_files_may_stay_when_only_the_log_is_left(folder):
    problem = write(folder, "log", SETTINGS + "drop: [remarks]\n")
    outcome = train(problem, LocalStore(folder / "artifacts"), jobs=1)
    assert model_of(outcome.bundle).rows.training > 100


@pytest.mark.parametrize(
    "source, more, says",
    [("[log, log]", "", "log is named twice"), ("[a.csv, log]", "group: family\n", "log and group exclude one another")],
)
def test_what_cannot_come_back_is_refused_at_load(tmp_path, source, more, says):
    settings = SETTINGS.replace("time: joined\n", "").replace("id: customer\n", "") + more
    with pytest.raises(ProblemError, match=says):
        write(tmp_path, source, settings)


@pytest.mark.parametrize("source", ["log", "[a.csv, log]"])
def test_a_hashed_id_cannot_come_back(tmp_path, source):
    settings = SETTINGS.replace("log: {to: files}", "log: {to: files, hash: [customer, smoker]}")
    with pytest.raises(ProblemError, match="source: log and an id in log.hash exclude one another") as refused:
        write(tmp_path, source, settings)
    assert refused.value.cure == "Take customer out of log.hash, or log out of source"
    assert write(tmp_path, "a.csv", settings).log.hash == ("customer", "smoker")
