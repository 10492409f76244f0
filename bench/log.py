"""What the prediction log costs a request: CPU time of a line beside that of the call that it is of, in turns, in one process.

One row of 12 fields and one of 170 is decoded, answered by a linear model and counted; HTTP is not in it. Then its line is
made and written.

    python bench/log.py
    python bench/log.py --calls 20000 --turns 15
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bundles import make_bundle  # noqa: E402
from slipway.model.encoding import Encoding, Output  # noqa: E402
from slipway.problem import load_problem  # noqa: E402
from slipway.serving.service import Service, open_service  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402
from slipway.table.schema import Field, Schema  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4_000, help="of one turn")
    parser.add_argument("--turns", type=int, default=9)
    arguments = parser.parse_args()
    print(f"CPU microseconds, median of {arguments.turns} turns")
    print(f"{'fields':>6} {'the call':>9} {'its line':>9} {'share':>7}")
    for fields in (12, 170):
        with tempfile.TemporaryDirectory() as folder:
            turns = [measured(service(Path(folder) / str(turn), fields), arguments.calls) for turn in range(arguments.turns)]
        call, line = (statistics.median(each) for each in zip(*turns))
        print(f"{fields:>6} {call:>9.1f} {line:>9.1f} {line / call:>7.1%}")


def service(folder: Path, fields: int) -> Service:
    """One that logs, with a model of so many fields: a quarter categories, the rest numbers."""
    schema = Schema(tuple(field(place) for place in range(fields)))
    outputs = [Output("level", each.name, levels=("b",)) if each.levels else Output("value", each.name) for each in schema]
    folder.mkdir()
    weights = np.full((fields, 1), 0.5)
    row = {each.name: each.example for each in schema}
    make_bundle(
        LocalStore(folder / "artifacts"),
        "regression",
        schema=schema,
        encoding=Encoding(schema, tuple(outputs)),
        rows=[row],
        weights=weights,
    )
    path = folder / "slipway.yaml"
    path.write_text("name: regression\nsource: table.csv\ntarget: charges\nlog: {to: files}\n")
    return open_service(load_problem(path, environ={}), {})


def field(place: int) -> Field:
    if place % 4 == 0:
        return Field(f"category{place:03}", "category", levels=("a", "b"), example="b")
    return Field(f"number{place:03}", "number", minimum=0, maximum=100, example=round(12.345 + place / 7, 3))


def measured(here: Service, calls: int) -> tuple[float, float]:
    """CPU microseconds of a call, and of its line."""
    body = msgspec.json.encode(here.golden.rows[0])
    call = SimpleNamespace(request_id="0123456789abcdef", rows=0, get=lambda name, default: default)
    log, here.recorder = here.recorder, SimpleNamespace(record=lambda *_: None)
    decoded = here.decoder.decode(body)
    answers = here.answer(here.asked(decoded, whole=True), call).answers
    whole = spent(lambda: here.answer(here.asked(here.decoder.decode(body), whole=True), call), calls)
    line = spent(lambda: log.record(call, answers, lambda: decoded.rows, None, {}, {}), calls)
    log.close()
    return whole, line


def spent(work: Callable[[], object], calls: int) -> float:
    begin = time.process_time()
    for _ in range(calls):
        work()
    return 1e6 * (time.process_time() - begin) / calls


if __name__ == "__main__":
    main()
