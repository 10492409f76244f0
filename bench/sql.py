"""SQL table → Arrow batches by SQLAlchemy (as Slipway reads), connectorx and ADBC: rows per second, CPU, peak memory, types.

Each reading is a process of its own, in turns; memory is the peak above what the process had before it read. The servers are
PostgreSQL and MariaDB from the packages of this machine, the third database is a file of SQLite. What is not installed is
named and left out; connectorx and ADBC are no dependency of Slipway.

    python bench/sql.py --rows 500000
"""

import argparse
import importlib.util
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "id": ("bigint", "n"),
    "amount": ("numeric(10, 2)", "n / 7.0"),
    "score": ("double precision", "n / 3.0"),
    "flag": ("boolean", "n % 2 = 0"),
    "day": ("date", "DATE '2024-02-29'"),
    "at": ("timestamp", "TIMESTAMP '2024-06-01 00:30:00'"),
    "code": ("varchar(20)", "concat('code ', n % 100)"),
    "note": ("text", "nullif(concat('note ', n % 3), 'note 0')"),
}
SELECT = f"SELECT {', '.join(COLUMNS)} FROM visits"
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) "
READING = """
import json, os, resource, sys, time
url = os.environ["DATABASE_URL"]
{imports}

def memory(line):
    return 1024 * int(next(each for each in open("/proc/self/status") if each.startswith(line)).split()[1])

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

before, start, used, rows, schema = memory("VmRSS"), time.perf_counter(), cpu(), 0, None
for batch in batches(url, sys.argv[1]):
    rows, schema = rows + batch.num_rows, schema or batch.schema
print(json.dumps(dict(seconds=time.perf_counter() - start, cpu=cpu() - used, rows=rows,
    memory=memory("VmHWM") - before, types=[str(kind) for kind in schema.types])))
"""
READERS = {
    "Slipway (SQLAlchemy)": (
        "sqlalchemy",
        """
import sqlalchemy
from slipway.sections import Sql
from slipway.sources.sql import open_table

def batches(url, query):
    return open_table(Sql(query=query)).read()
""",
    ),
    "connectorx": (
        "connectorx",
        """
import connectorx

def batches(url, query):
    return connectorx.read_sql(url.replace("mariadb", "mysql"), query, return_type="arrow").to_batches()
""",
    ),
    "ADBC": (
        "adbc_driver_manager",
        """
kind = url.partition(":")[0]
driver = __import__(f"adbc_driver_{kind}.dbapi").dbapi

def batches(url, query):
    with driver.connect(url.removeprefix("sqlite:///")) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        yield from cursor.fetch_record_batch()
""",
    ),
}


def main() -> None:
    """Fill each database, read it in turns, print a line per reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    installed = [name for name, (library, _) in READERS.items() if importlib.util.find_spec(library)]
    for name in READERS.keys() - set(installed):
        print(f"{name}: not installed")
    for kind, url in databases(options.rows):
        readers = [name for name in installed if name != "ADBC" or importlib.util.find_spec(f"adbc_driver_{kind}")]
        told = {name: [] for name in readers}
        for turn in range(options.turns):
            for name in readers if turn % 2 else reversed(readers):
                told[name].append(read(url, name))
        show(kind, told, options.rows)


def databases(rows: int) -> Iterator[tuple[str, str]]:
    """The kind and URL of each database there is, filled."""
    sys.path.insert(0, str(ROOT / "tests"))
    import databases as servers

    declared = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    chosen = ", ".join(f"{made} AS {name}" for name, (_, made) in COLUMNS.items())
    create, numbers = f"CREATE TABLE visits ({declared})", NUMBERS.format(rows)
    if servers.postgres_programs():
        with servers.serve_postgres() as server:
            server.execute(create, f"INSERT INTO visits {numbers} SELECT {chosen} FROM numbers", "ANALYZE visits")
            yield "postgresql", server.url
    if servers.mariadb_programs():
        with servers.serve_mariadb() as server:
            server.execute(
                create, f"INSERT INTO visits SELECT {chosen} FROM (SELECT seq AS n FROM seq_1_to_{rows}) AS numbers"
            )
            yield "mariadb", server.url
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/shop.db")) as connection:
        connection.create_function("concat", 2, lambda one, other: f"{one}{other}")
        connection.execute(create)
        connection.execute(f"INSERT INTO visits {numbers} SELECT {re.sub('(DATE|TIMESTAMP) ', '', chosen)} FROM numbers")
        connection.commit()
        yield "sqlite", f"sqlite:///{folder}/shop.db"


def read(url: str, name: str) -> dict:
    """What one reading tells, in a process of its own."""
    code = READING.format(imports=READERS[name][1])
    places = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environ = os.environ | {"DATABASE_URL": url, "PYTHONPATH": places}
    done = subprocess.run([sys.executable, "-c", code, SELECT], env=environ, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": (done.stderr.strip().splitlines() or ["?"])[-1]}


def show(kind: str, told: dict[str, list[dict]], rows: int) -> None:
    print(f"\n{kind}: {rows:,} rows × {len(COLUMNS)} columns, median of {max(map(len, told.values()))} turns")
    for name, turns in told.items():
        failed = next((each["error"] for each in turns if "error" in each), "")
        if failed:
            print(f"{name:<21} fails: {failed[:150]}")
            continue
        assert all(each["rows"] == rows for each in turns), name
        seconds = statistics.median(each["seconds"] for each in turns)
        used = statistics.median(each["cpu"] for each in turns)
        memory = max(each["memory"] for each in turns)
        print(
            f"{name:<21} {rows / seconds:>11,.0f} rows/s  {used / rows * 1e6:>6.2f} µs CPU a row  {memory / 2**20:>6.0f} MiB"
        )
        print(f"{'':<21} {', '.join(turns[0]['types'])}")


if __name__ == "__main__":
    main()
