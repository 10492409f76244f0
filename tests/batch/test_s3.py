"""From bucket to bucket."""

import gzip

import pyarrow.parquet as parquet
import pytest

from s3 import DENIED
from slipway.batch import lines, run
from slipway.errors import TableError

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"
ANSWERED = f"{HEADER},prediction,warning\n{GOOD},29589.0,\n".encode()


@pytest.fixture
def lake(bucket):
    return bucket


def put(lake, key: str, content: bytes) -> None:
    lake.client.put_object(Bucket=lake.name, Key=key, Body=content)


def test_objects_are_answered_by_objects(desk, lake):
    put(lake, "in/a.csv", f"{HEADER}\n{GOOD}\nold,1,yes,2020-01-01\n".encode())
    put(lake, "in/b.csv.gz", gzip.compress(f"{HEADER}\n{GOOD}\n".encode()))
    mark = desk.predict(f"s3://{lake.name}/in/*", f"s3://{lake.name}/out/scored.csv")
    assert (mark.scored, mark.rejected) == (2, 1)
    there = lake.objects()
    assert there["out/scored.csv"] == ANSWERED + f"{GOOD},29589.0,\n".encode()
    rejected = f"source,row,reason\ns3://{lake.name}/in/a.csv,2,age: is text"
    assert there["out/scored.rejects.csv"].startswith(rejected.encode())
    assert desk.files() == set()
    assert list((desk.folder / "artifacts/batch").iterdir()) == []


def test_a_bucket_and_the_disk_mix(desk, lake):
    put(lake, "in.csv", f"{HEADER}\n{GOOD}\n".encode())
    desk.predict(f"s3://{lake.name}/in.csv", "out.parquet")
    assert parquet.read_table("out.parquet").num_rows == 1
    desk.predict(f"s3://{lake.name}/in.csv", "out.csv")
    assert desk.read() == ANSWERED


def test_an_upload_that_fails_is_done_again_without_answering_again(desk, lake, monkeypatch):
    put(lake, "in.csv", f"{HEADER}\n{GOOD}\n".encode())
    put(lake, "out.csv", b"before")
    lake.proxy.fault = lambda call, forward: DENIED if call.method == "PUT" and call.path.endswith("/out.csv") else None
    with pytest.raises(TableError, match="s3:PutObject on arn:aws:s3:::.*/out.csv .*run the same command again to send them"):
        desk.predict(f"s3://{lake.name}/in.csv", f"s3://{lake.name}/out.csv")
    assert lake.objects()["out.csv"] == b"before"
    lake.proxy.fault = lambda call, forward: None
    monkeypatch.setattr(run, "_answer", None)
    assert desk.predict(f"s3://{lake.name}/in.csv", f"s3://{lake.name}/out.csv").scored == 1
    assert lake.objects()["out.csv"] == ANSWERED


def test_an_object_that_was_replaced_is_another_input(desk, lake, monkeypatch):
    monkeypatch.setattr(lines, "MOST", 64)
    put(lake, "in.csv", "\n".join([HEADER, *[GOOD] * 20]).encode())
    answer, seen = run._answer, []

    def breaking(batch, block):
        seen.append(1)
        if len(seen) == 6:
            raise TableError("the machine is gone")
        return answer(batch, block)

    monkeypatch.setattr(run, "_answer", breaking)
    with pytest.raises(TableError):
        desk.predict(f"s3://{lake.name}/in.csv")
    put(lake, "in.csv", "\n".join([HEADER, *[GOOD.replace("19", "20")] * 20]).encode())
    told = []
    desk.predict(f"s3://{lake.name}/in.csv", tell=lambda mark, says: told.append(says) if says else None)
    assert told == ["Cannot resume the earlier run (the input changed); starting over."]
    assert {row["age"] for row in desk.rows()} == {"20"}


def test_a_bucket_that_is_not_there(desk, lake):
    with pytest.raises(TableError, match="NoSuchBucket|no such"):
        desk.predict(f"s3://{lake.name}-not/in.csv")


@pytest.mark.parametrize(
    "out, rejects, says",
    [
        ("s3://{}-not/out.csv", None, "s3://.*-not/out.csv: .*There is no such bucket: create it, or correct its name$"),
        ("out.csv", "s3://{}-not/rejects.csv", "s3://.*-not/rejects.csv: .*There is no such bucket"),
        ("s3://{}/denied/out.csv", None, "Grant the permission s3:PutObject on arn:aws:s3:::bucket-.*/denied/out.csv"),
    ],
)
def test_an_object_that_cannot_be_written_is_told_before_the_first_row(desk, lake, monkeypatch, out, rejects, says):
    desk.write(f"{HEADER}\n{GOOD}\n")
    lake.proxy.fault = lambda call, forward: DENIED if "/denied/" in call.path else None
    monkeypatch.setattr(run, "_answer", None)
    with pytest.raises(TableError, match=says):
        desk.predict(out=out.format(lake.name), rejects=rejects and rejects.format(lake.name))
    assert desk.files() == {"in.csv"}


@pytest.mark.parametrize("may_give_up", [True, False])
def test_what_was_begun_to_see_whether_it_may_be_written_is_given_up(desk, lake, may_give_up):
    desk.write(f"{HEADER}\n{GOOD}\n")
    lake.client.put_object(Bucket=lake.name, Key="out.csv", Body=b"before")
    lake.proxy.fault = lambda call, forward: DENIED if call.method == "DELETE" and not may_give_up else None
    desk.open(out=f"s3://{lake.name}/out.csv")
    assert lake.objects() == {"out.csv": b"before"}
    assert ("Uploads" in lake.client.list_multipart_uploads(Bucket=lake.name)) != may_give_up
