"""MongoDB → frame against a bare loop over a projected cursor, side by side: documents per second and peak memory.

The bare loop decodes each document and drops it; it is what pymongo does at best. Each reading is a process of its own, in
turns, so that a busy machine is busy for all; the ratios are what to read, not the numbers. Memory is the peak above what the
process had before it read, in frames. pymongoarrow is shown too where it is installed.

    python bench/mongodb.py                           # a server of its own (SecantusDB), 100,000 documents
    python bench/mongodb.py --documents 1000000 --turns 2
    MONGO_DB_URL=mongodb://… python bench/mongodb.py  # another server: fills the collection slipway_bench.rows
"""

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

from pymongo import MongoClient

ROOT = Path(__file__).resolve().parents[1]
DATABASE, COLLECTION = "slipway_bench", "rows"
FIELDS = [*(f"n{k}" for k in range(9)), *(f"i{k}" for k in range(5)), *(f"c{k}" for k in range(4)), "at", "flag"]
LEVELS = ["red", "green", "blue", "north", "south"]

READING = """
import json, os, sys, time
fields = sys.argv[1].split(",")
{imports}

def memory(line):
    return 1024 * int(next(each for each in open("/proc/self/status") if each.startswith(line)).split()[1])

before, start = memory("VmRSS"), time.perf_counter()
{body}
seconds = time.perf_counter() - start
print(json.dumps({{"seconds": seconds, "rows": rows, "memory": memory("VmHWM") - before, "frame": frame}}))
"""
READINGS = {
    "bare loop": (
        "from pymongo import MongoClient",
        """
rows, frame = 0, 0
with MongoClient(os.environ["MONGO_DB_URL"]) as client:
    for document in client["slipway_bench"]["rows"].find({}, {"_id": 0} | dict.fromkeys(fields, 1)):
        rows += 1
""",
    ),
    "slipway": (
        """
import pandas
from slipway.sections import Collection
from slipway.sources.batches import frame_of
from slipway.sources.mongodb import open_collection
""",
        """
settings = Collection(database="slipway_bench", collection="rows", fields=dict(zip(fields, fields)))
table = frame_of(open_collection(settings), "rows")
rows, frame = len(table), int(table.memory_usage(deep=True).sum())
""",
    ),
    "pymongoarrow": (
        """
import pyarrow
from pymongo import MongoClient
from pymongoarrow.api import Schema, find_pandas_all
""",
        """
kinds = dict(n=pyarrow.float64(), i=pyarrow.int64(), c=pyarrow.string(), a=pyarrow.timestamp("ms"), f=pyarrow.bool_())
with MongoClient(os.environ["MONGO_DB_URL"]) as client:
    table = find_pandas_all(client["slipway_bench"]["rows"], {}, schema=Schema({name: kinds[name[0]] for name in fields}))
rows, frame = len(table), int(table.memory_usage(deep=True).sum())
""",
    ),
}


def main() -> None:
    """Fill, read in turns, print one line per reading and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    given = os.environ.get("MONGO_DB_URL")
    sys.path.insert(0, str(ROOT / "tests"))
    from mongo import serve_mongo

    with nullcontext(given) if given else serve_mongo() as url:
        fill(url, options.documents)
        names = [name for name in READINGS if name != "pymongoarrow" or importlib.util.find_spec(name)]
        told = {name: [] for name in names}
        for turn in range(options.turns):
            for name in names if turn % 2 else reversed(names):
                told[name].append(read(url, name))
        show(told, options.documents)


def fill(url: str, documents: int) -> None:
    """The collection with as many documents of 20 fields, and one that nobody asks for."""
    with MongoClient(url) as client:
        rows = client[DATABASE][COLLECTION]
        if rows.estimated_document_count() == documents:
            return
        rows.drop()
        chance = random.Random(0)
        for start in range(0, documents, 10_000):
            rows.insert_many([document(chance, place) for place in range(start, min(start + 10_000, documents))])


def document(chance: random.Random, place: int) -> dict:
    made = {name: chance.random() * 1000 for name in FIELDS if name[0] == "n"}
    made |= {name: chance.randrange(10**6) for name in FIELDS if name[0] == "i"}
    made |= {name: chance.choice(LEVELS) for name in FIELDS if name[0] == "c"}
    at = datetime(2020, 1, 1) + timedelta(minutes=place)
    return made | {"at": at, "flag": place % 3 == 0, "extra": "not asked for, not asked for"}


def read(url: str, name: str) -> dict:
    """What one reading tells, in a process of its own."""
    imports, body = READINGS[name]
    code = READING.format(imports=imports, body=body)
    environ = os.environ | {"MONGO_DB_URL": url, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(FIELDS)], env=environ, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def show(told: dict[str, list[dict]], documents: int) -> None:
    print(f"{documents:,} documents × {len(FIELDS)} fields, median of {len(told['slipway'])} turns")
    bare = statistics.median(each["seconds"] for each in told["bare loop"])
    for name, turns in told.items():
        assert all(each["rows"] == documents for each in turns), name
        seconds = statistics.median(each["seconds"] for each in turns)
        line = f"{name:<13} {documents / seconds:>10,.0f} documents/s   {bare / seconds:5.2f} × the bare loop"
        if turns[0]["frame"]:
            memory = max(each["memory"] / each["frame"] for each in turns)
            line += f"   peak memory {memory:.2f} × the frame of {turns[0]['frame'] / 2**20:,.0f} MiB"
        print(line)


if __name__ == "__main__":
    main()
