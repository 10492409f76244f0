"""What is written, where, and that nothing of it is lost, doubled or half there."""

import gzip
import re

import pyarrow
import pyarrow.parquet as parquet
import pytest

from bundles import ENCODING, ROWS, SCHEMA
from slipway.batch import lines, run
from slipway.batch.place import alone
from slipway.errors import BundleError, StoreError, TableError
from slipway.model.encoding import Encoding
from slipway.table.schema import Field, Schema

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"
BAD = "old,27.9,yes,2020-01-01"
UNFINISHED = {"out.csv.partial", "out.rejects.csv.partial", "out.csv.partial.json"}


def table(rows: int) -> str:
    """Rows of which every seventh is bad."""
    ages = ["old" if number % 7 == 6 else 18 + number % 46 for number in range(rows)]
    body = [f"{age},{20 + number % 30}.5,no,2021-03-0{1 + number % 9}" for number, age in enumerate(ages)]
    return "\n".join([HEADER, *body, ""])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks and marks at every few rows."""
    monkeypatch.setattr(lines, "MOST", 256)
    monkeypatch.setattr(run, "SECONDS", 0)
    monkeypatch.setattr(run, "SHARE", float("inf"))
    monkeypatch.setattr(run, "cores", lambda: 1)  # blocks end in order, so that the n-th to end is the n-th


def test_every_cell_is_kept_as_it_stands_and_the_answer_comes_behind(desk):
    desk.write('\ufeffid, age ,"bmi",note,smoker,joined\r\n"a ""b""",19, 27.90 ,"x,\r\ny", yes,2020-01-01\r\n')
    mark = desk.predict()
    head, rest = desk.read().split(b"\r\n", 1)
    assert head == '\ufeffid, age ,"bmi",note,smoker,joined,prediction,warning'.encode()
    assert rest == b'"a ""b""",19, 27.90 ,"x,\r\ny", yes,2020-01-01,29589.0,\r\n'
    assert (mark.scored, mark.rejected) == (1, 0)


def test_columns_in_another_order_and_further_ones_are_no_matter(desk):
    desk.write("joined;x;smoker;bmi;age\n2020-01-01;;yes;27.9;19\n")
    desk.predict()
    assert desk.read() == b"joined;x;smoker;bmi;age;prediction;warning\n2020-01-01;;yes;27.9;19;29589.0;\n"


def test_bad_rows_go_to_the_rejects_with_number_and_reason(desk):
    desk.write(f"{HEADER}\n{BAD}\n{GOOD}\n1,2\n\n{GOOD}\n62,30,maybe,x\n")
    mark = desk.predict()
    assert (mark.scored, mark.rejected) == (2, 3)
    assert len(desk.rows()) == 2
    rejects = desk.rows("out.rejects.csv")
    assert [(row["source"], row["row"]) for row in rejects] == [("in.csv", "1"), ("in.csv", "3"), ("in.csv", "5")]
    assert rejects[2]["reason"].startswith('smoker: expected one of "no", "yes"; joined: expected a date')
    assert desk.files() == {"in.csv", "out.csv", "out.rejects.csv"}


def test_a_row_that_is_not_utf_8_is_rejected_and_the_others_are_answered(desk):
    desk.write(f"id,{HEADER}\n1,{GOOD}\n".encode() + b"M\xfcller," + f"{GOOD}\n3,{GOOD}\n".encode())
    desk.predict()
    assert [row["id"] for row in desk.rows()] == ["1", "3"]
    assert desk.rows("out.rejects.csv") == [{"source": "in.csv", "row": "2", "reason": "the row is not UTF-8 text"}]


def test_an_earlier_file_of_rejects_does_not_stay(desk):
    desk.write(f"{HEADER}\n{BAD}\n{GOOD}\n")
    desk.predict()
    desk.write(f"{HEADER}\n{GOOD}\n")
    desk.predict()
    assert desk.rows("out.rejects.csv") == []


def test_when_all_rows_are_bad_the_output_has_a_header_alone(desk):
    desk.write(f"{HEADER}\n{BAD}\n")
    for out in ("out.csv", "out.parquet"):
        assert desk.predict(out=out).rejected == 1
    assert desk.read() == f"{HEADER},prediction,warning\n".encode()
    assert parquet.read_table("out.parquet").num_rows == 0


def test_strict_stops_at_the_first_and_leaves_what_was_there(desk):
    desk.write(f"{HEADER}\n{GOOD}\n{BAD}\n{BAD}\n")
    desk.write("before", "out.csv")
    with pytest.raises(TableError, match="in.csv, row 2: age: is text; expected an integer from 0 to 110"):
        desk.predict(strict=True)
    assert desk.read() == b"before"
    assert desk.files() == {"in.csv", "out.csv"}


@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz", "out.parquet"])
def test_files_and_globs_of_every_kind(desk, out):
    desk.write(f"{HEADER}\n{GOOD}\n{BAD}\n", "a1.csv")
    desk.write(gzip.compress(f"{HEADER}\n{GOOD}\n{GOOD}\n".encode()), "a2.csv.gz")
    assert desk.predict("a[12].*", out).scored == 3
    got = parquet.read_table(out).to_pylist() if out.endswith("parquet") else None
    if got is None:
        content = gzip.decompress(desk.read(out)) if out.endswith("gz") else desk.read(out)
        assert content.decode().splitlines() == [f"{HEADER},prediction,warning"] + 3 * [f"{GOOD},29589.0,"]
    else:
        assert got == 3 * [dict(zip(HEADER.split(","), GOOD.split(","))) | {"prediction": 29589.0, "warning": ""}]
    assert [(row["source"], row["row"]) for row in desk.rows("out.rejects.csv")] == [("a1.csv", "2")]


def test_parquet_keeps_its_types_and_answers_as_csv_does(desk):
    desk.bundle("binary")
    cells = {
        "age": [19, 62, None, 33],
        "bmi": [27.9, None, 30.0, float("inf")],
        "smoker": ["yes", "no", "no", "no"],
        "joined": pyarrow.array([1577836800000000] * 4, pyarrow.timestamp("us")),
        "list": [[1], [], None, [2]],
    }
    parquet.write_table(pyarrow.table(cells), "in.parquet", row_group_size=3)
    desk.predict("in.parquet", "out.parquet")
    desk.write(f"{HEADER}\n{GOOD}\n62,,no,2020-01-01\n,30,no,2020-01-01\n33,inf,no,2020-01-01\n")
    desk.predict(out="plain.csv")
    out = parquet.read_table("out.parquet")
    assert out.schema.field("joined").type == pyarrow.timestamp("us")
    assert out.column_names == [*cells, "prediction", "probability_N", "probability_Y", "warning"]
    assert out["list"].to_pylist() == [[1], []]
    plain = desk.rows("plain.csv")
    assert [repr(value) for value in out["probability_Y"].to_pylist()] == [row["probability_Y"] for row in plain]
    reasons = [row["reason"] for row in desk.rows("out.rejects.csv")]
    assert reasons == [row["reason"] for row in desk.rows("plain.rejects.csv")]
    assert len(reasons) == 2


def test_parquet_to_csv(desk):
    cells = {"age": [19], "bmi": [27.9], "smoker": ["yes"], "joined": ["2020-01-01"], "note": ['a,"b"']}
    parquet.write_table(pyarrow.table(cells), "in.parquet")
    desk.predict("in.parquet")
    assert desk.rows() == [{key: str(value) for key, (value,) in cells.items()} | {"prediction": "29589.0", "warning": ""}]
    parquet.write_table(pyarrow.table(cells | {"tags": [["x"]]}), "in.parquet")
    with pytest.raises(TableError, match="column 'tags': CSV cannot hold the type list<.*>. Write Parquet"):
        desk.predict("in.parquet")


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_column_with_the_name_of_an_answer_is_kept(desk, out):
    """The model may have learned from it; it is then needed, and cannot be renamed."""
    schema = Schema((*SCHEMA, Field("prediction", "number", minimum=0, maximum=9, example=5)))
    desk.bundle(schema=schema, encoding=Encoding(schema, ENCODING.outputs), rows=[row | {"prediction": 5} for row in ROWS])
    parquet.write_table(
        pyarrow.table(
            {
                "age": [19],
                "bmi": [27.9],
                "smoker": ["yes"],
                "joined": ["2020-01-01"],
                "prediction": [7],
                "warning": ["w"],
            }
        ),
        "in.parquet",
    )
    desk.predict("in.parquet", out)
    (row,) = parquet.read_table(out).to_pylist() if out.endswith("parquet") else desk.rows()
    assert list(row)[4:] == ["prediction", "warning", "prediction_", "warning_"]
    assert [str(cell) for cell in row.values()][4:] == ["7", "w", "29589.0", ""]


def test_another_bundle_may_answer(desk):
    other = desk.bundle(weights=[[0.0], [0.0], [0.0], [0.0]], promote=False)
    desk.write(f"{HEADER}\n{GOOD}\n")
    desk.predict(digits=other.digest[:8])
    assert desk.rows()[0]["prediction"] == "1000.0"


@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz", "out.parquet"])
@pytest.mark.parametrize("failing", [1, 3, 4, 9])
def test_a_run_that_broke_off_is_gone_on_with(desk, small_blocks, monkeypatch, out, failing):
    """It breaks off at the n-th block; the next run answers only what was not written before."""
    desk.write(table(300))
    desk.predict(out="whole" + out[3:])
    encode = run._answer
    answered = []

    def breaking(batch, block):
        done = encode(batch, block)
        answered.append(done.scored + done.rejected)
        if len(answered) == failing:
            raise TableError("the machine is gone")
        return done

    monkeypatch.setattr(run, "_answer", breaking)
    told = []
    with pytest.raises(TableError, match="the machine is gone"):
        desk.predict(out=out, tell=lambda mark, says: told.append(says) if says else None)
    assert not (desk.folder / out).exists()
    kept = sum(map(int, re.findall(r"The first (\d+) rows are kept: run the same command again to resume.", "".join(told))))
    answered[:] = [0] * 100
    told.clear()
    desk.predict(out=out, tell=lambda mark, says: told.append(says) if says else None)
    assert desk.read(out) == desk.read("whole" + out[3:])
    assert desk.read("out.rejects.csv") == desk.read("whole.rejects.csv")
    assert desk.files() == {"in.csv", out, "out.rejects.csv", "whole" + out[3:], "whole.rejects.csv"}
    assert sum(answered) == 300 - kept
    if failing > 3:
        assert kept > 0 and f"Resuming after row {kept:,}, where the earlier run ended." == told[0]


@pytest.mark.parametrize("cost, blocks", [(0, 4), (1, 7)])
def test_a_mark_is_made_every_second_or_less_often_on_a_slow_disk(desk, small_blocks, monkeypatch, cost, blocks):
    """A block takes 3 s, and SECONDS are 10; marks that take 1 s are made every 20 s."""
    desk.write(table(300))
    now, marks, write = [0], [], run.Record.write
    monkeypatch.setattr(run, "SECONDS", 10)
    monkeypatch.setattr(run, "SHARE", 0.05)
    monkeypatch.setattr(run, "monotonic", lambda: now[0])

    def made(record, mark, done=False):
        write(record, mark, done)
        now[0] += cost
        marks.append(len(ends))

    ends = [1]  # one more by the time that the end of a block is told

    def tell(mark, says):
        ends.append(mark)
        now[0] += 3

    monkeypatch.setattr(run.Record, "write", made)
    desk.predict(tell=tell)
    assert marks[:-1] == list(range(1 + 4, len(ends), blocks))
    assert len(marks) > 3 and marks[-1] == len(ends)


def broken_off(desk, monkeypatch) -> None:
    """A run that ended behind its first mark."""
    desk.write(table(300))
    answer = run._answer
    seen = []

    def breaking(batch, block):
        seen.append(1)
        if len(seen) > 8:
            raise TableError("the machine is gone")
        return answer(batch, block)

    with monkeypatch.context() as patch, pytest.raises(TableError):
        patch.setattr(run, "_answer", breaking)
        desk.predict()
    assert desk.files() == {"in.csv"} | UNFINISHED


def change_input(desk):
    desk.write(table(301))


def change_bundle(desk):
    desk.bundle(weights=[[1.0], [0.0], [0.0], [0.0]])


def change_policy(desk):
    path = desk.folder / "slipway.yaml"
    path.write_text(path.read_text() + "serving: {out_of_range: warn}\n")


def spoil_record(desk):
    desk.write("{", "out.csv.partial.json")


def lose_output(desk):
    (desk.folder / "out.csv.partial").unlink()


@pytest.mark.parametrize(
    "change, why",
    [
        (change_input, "the input changed"),
        (change_bundle, "the bundle changed"),
        (change_policy, "the settings changed"),
        (spoil_record, "its record cannot be read"),
        (lose_output, "its unfinished files are gone"),
    ],
)
def test_a_run_of_something_else_is_not_gone_on_with(desk, small_blocks, monkeypatch, change, why):
    broken_off(desk, monkeypatch)
    change(desk)
    told = []
    desk.predict(tell=lambda mark, says: told.append(says) if says else None)
    desk.predict(out="whole.csv")
    assert told[0].startswith(f"Cannot resume the earlier run ({why}") and told[0].endswith("; starting over.")
    assert desk.read() == desk.read("whole.csv")


@pytest.mark.parametrize("step", ["out.rejects.csv", "out.csv"])
def test_a_run_that_ended_between_its_last_steps_is_finished_without_answering_again(desk, monkeypatch, step):
    desk.write(table(50))
    desk.predict(out="whole.csv")
    replaced = run.Place.put

    def put(self, file):
        if self.location == step:
            raise KeyboardInterrupt
        replaced(self, file)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run.Place, "put", put)
        desk.predict()
    assert not (desk.folder / "out.csv").exists()
    monkeypatch.setattr(run, "_answer", None)
    assert desk.predict().scored == 43
    assert desk.read() == desk.read("whole.csv")
    assert desk.read("out.rejects.csv") == desk.read("whole.rejects.csv")


def test_two_runs_at_once_are_refused(desk):
    desk.write(f"{HEADER}\n{GOOD}\n")
    for name in ("out.csv", "out.rejects.csv"):  # of an OUT out.parquet too
        with alone(desk.folder / f"{name}.lock", name), pytest.raises(TableError, match=f"{name}: another run is writing it"):
            desk.predict()
    desk.predict()


def test_a_reader_sees_the_old_output_until_the_new_one_is_whole(desk, small_blocks):
    desk.write(table(300))
    desk.write("before", "out.csv")
    seen = set()
    desk.predict(tell=lambda mark, says: seen.add(desk.read()))
    assert seen == {b"before"}
    assert len(desk.rows()) > 200


@pytest.mark.parametrize(
    "content, says",
    [
        ("", "in.csv: the table is empty"),
        (HEADER, "in.csv: has a header but no rows"),
        (f"{HEADER}\n\n", "has a header but no rows"),
        ("age,BMI,smoker\n1,2,yes\n", "in.csv: has no column 'bmi', 'joined', which the model needs. Did you mean 'BMI'?"),
        (b"\0\1,\0", "NUL"),
        (b"\xff\xfea\0", "not UTF-8"),
        (f'{HEADER}\n"' + "x" * (1 << 26), "row 1 has more than 32 MiB"),
    ],
)
def test_an_input_that_cannot_be_answered_is_told_and_nothing_is_left(desk, content, says):
    desk.write(content)
    with pytest.raises(TableError) as caught:
        desk.predict()
    assert says in str(caught.value)
    assert not (desk.folder / "out.csv").exists()


@pytest.mark.parametrize(
    "location, out, options, says",
    [
        ("none.csv", "out.csv", {}, "none.csv: there is no such file"),
        ("in.csv", "nowhere/out.csv", {}, "nowhere: there is no such folder. Make it"),
        ("in.csv", "artifacts", {}, "neither CSV"),
        ("in.csv", "out.xlsx", {}, "out.xlsx: is neither CSV"),
        ("in.csv", "./in.csv", {}, "OUT would overwrite IN"),
        ("*.csv", "out.csv", {}, "OUT would overwrite IN"),
        ("in.csv", "out.csv", {"rejects": "in.csv"}, "the file of rejects would overwrite IN"),
        ("in.csv", "out.csv", {"rejects": "out.csv"}, "is OUT and the file of rejects"),
        ("in.csv", "out.csv", {"digits": "abcdef"}, "no such bundle"),
        ("slipway.yaml", "out.csv", {}, "slipway.yaml: is neither CSV"),
        ("in.csv", "out.csv", {"rejects": "out.csv.partial"}, "out.csv.partial: has the name of an unfinished OUT"),
        ("in.csv", "out.csv", {"rejects": "mongodb:rejected"}, "mongodb:rejected: is no file"),
        ("in.csv", "http://host/out.csv", {}, "http://host/out.csv: is no file. Name a path, or s3://bucket/key"),
        ("in.csv", "s3://out.csv", {}, "s3://out.csv: names no object. Write s3://bucket/key"),
        ("**/*.csv", "artifacts/out.csv", {}, "OUT would overwrite IN"),
    ],
)
def test_places_that_cannot_be(desk, location, out, options, says):
    desk.write(f"{HEADER}\n{GOOD}\n")
    before = desk.files()
    with pytest.raises((TableError, StoreError)) as caught:
        desk.predict(location, out, **options)
    assert says in str(caught.value)
    assert desk.files() == before


def test_files_of_a_glob_that_differ_are_refused(desk):
    desk.write(f"{HEADER}\n{GOOD}\n", "a1.csv")
    desk.write("bmi,age,smoker,joined\n27.9,19,yes,2020-01-01\n", "a2.csv")
    with pytest.raises(TableError, match="a2.csv: its columns are not those of a1.csv"):
        desk.predict("a*.csv")


def test_without_a_champion_or_with_a_damaged_one_nothing_is_written(desk):
    desk.write(f"{HEADER}\n{GOOD}\n")
    digest = desk.open().scorer.predictor.digest
    model = desk.folder / "artifacts/bundles" / digest / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(BundleError):
        desk.predict()
    (desk.folder / "artifacts/champion.json").unlink()
    with pytest.raises(StoreError, match="champion.json: no champion yet. Run slipway train first"):
        desk.predict()
    assert desk.files() == {"in.csv"}


def test_a_compressed_file_that_is_cut_off_is_told_and_what_was_done_is_kept(desk):
    desk.write(gzip.compress(table(5000).encode())[:-2000], "in.csv.gz")
    with pytest.raises(TableError, match="in.csv.gz: cannot be read"):
        desk.predict("in.csv.gz")
    assert not (desk.folder / "out.csv").exists()
