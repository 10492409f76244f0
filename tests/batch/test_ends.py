"""``slipway predict --interval``: between which values the truth lies, beside each prediction."""

import csv
import gzip
import io

import pyarrow.parquet as parquet
import pytest

from slipway.errors import BundleError
from slipway.serving.factory import build

TABLE = "age,bmi,smoker,joined,low\n19,27.9,yes,2020-01-01,a\nold,27.9,yes,2020-01-01,b\n62,,no,2021-03-05,c\n"


def test_a_csv_has_them_as_the_service_answers(desk):
    desk.write(TABLE)
    mark = desk.predict(level=0.9)
    assert (mark.scored, mark.rejected) == (2, 1)
    client = build(desk.problem, {}).test_client()
    answer = client.post("/predict/file?interval=0.9", data=TABLE, content_type="text/csv").text
    served = [row for row in csv.DictReader(io.StringIO(answer)) if not row.pop("error")]
    assert desk.rows() == served
    assert list(served[0]) == ["age", "bmi", "smoker", "joined", "low", "prediction", "low_", "high", "warning"]
    assert all(float(row["low_"]) < float(row["prediction"]) < float(row["high"]) for row in served)


@pytest.mark.parametrize("out", ["out.csv.gz", "out.parquet"])
def test_other_files_have_the_same(desk, out):
    desk.write(TABLE)
    desk.predict(level=0.8)
    plain = [[row["low_"], row["prediction"], row["high"]] for row in desk.rows()]
    desk.predict(out=out, level=0.8)
    if out.endswith(".gz"):
        assert gzip.decompress(desk.read(out)) == desk.read()
    else:
        table = parquet.read_table(desk.folder / out)
        assert [str(table.schema.field(name).type) for name in ("low_", "prediction", "high")] == ["double"] * 3
        assert [[repr(row[name]) for name in ("low_", "prediction", "high")] for row in table.to_pylist()] == plain


def test_typed_rows_have_them_too(desk):
    desk.write(TABLE)
    desk.predict(out="in.parquet")
    desk.predict("in.parquet", level=0.95)
    assert list(desk.rows()[0])[-4:] == ["prediction_", "low_", "high", "warning_"]
    assert all(float(row["low_"]) < float(row["prediction"]) < float(row["high"]) for row in desk.rows())


def test_without_a_level_there_are_none(desk):
    desk.write(TABLE)
    desk.predict()
    assert list(desk.rows()[0])[-2:] == ["prediction", "warning"]


def test_a_level_that_the_bundle_has_not_is_refused(desk):
    with pytest.raises(BundleError, match="--interval 0.5: this bundle has the levels 0.8, 0.9, 0.95. Ask for one of them"):
        desk.open(level=0.5)


def test_labels_have_none(desk):
    desk.bundle("binary")
    with pytest.raises(BundleError, match="the probability of each label, and prediction intervals are for numbers"):
        desk.open(level=0.9)


def test_a_bundle_without_them_says_how_to_get_them(desk, monkeypatch):
    monkeypatch.setattr("slipway.batch.open.evaluation_of", lambda bundle: None)
    with pytest.raises(BundleError, match="this bundle has no prediction intervals. Train again to get them, or leave it out"):
        desk.open(level=0.9)
