"""The guard finds what became worse, and accepts what was measured."""

import json
import runpy
import sys
from pathlib import Path
from threading import Thread

import pytest

import figures
from counting import cost
from figures import Line, accept, accepted, compared, table

GUARD = Path(__file__).resolve().parents[2] / "bench" / "guard" / "__main__.py"


def work(turns: int) -> list[str]:
    return [str(each) for each in range(turns)]


def in_a_thread(turns: int) -> None:
    thread = Thread(target=work, args=(turns,))
    thread.start()
    thread.join()


class Circle:
    def __init__(self) -> None:
        self.itself = self


def worse(before: dict, now: dict) -> set[str]:
    return {line.name for line in compared(before, now) if line.is_worse}


@pytest.mark.parametrize("call", [work, in_a_thread])
def test_a_loop_that_runs_longer_is_found(call):
    assert {"opcodes", "bytes at the peak"} <= worse(cost(lambda: call(1_000)), cost(lambda: call(1_100)))


def test_c_calls_and_garbage_are_found():
    before = cost(lambda: [len("a") for _ in range(10)])
    assert worse(before, cost(lambda: [len("a") for _ in range(20)])) >= {"C calls", "opcodes"}
    assert "objects left to the garbage collector" in worse(before, cost(Circle))


def test_the_same_work_is_counted_alike():
    first, again = cost(lambda: work(1_000)), cost(lambda: work(1_000))
    assert {name: first[name] for name in ("opcodes", "C calls")} == {name: again[name] for name in ("opcodes", "C calls")}
    assert worse(first, again) == set()


@pytest.mark.parametrize(
    "line, verdict, is_worse",
    [
        (Line("opcodes", 100, 105), "as accepted", False),
        (Line("opcodes", 100, 106), "more than 5% above the accepted result", True),
        (Line("opcodes", 100, 94), "better", False),
        (Line("opcodes", 0, 0), "as accepted", False),
        (Line("opcodes", 0, 1), "more than 5% above the accepted result", True),
        (Line("opcodes", None, 1), "new", False),
        (Line("opcodes", 100, None), "not measured any more", True),
        (Line(figures.MODULES, 600, 606), "as accepted", False),
        (Line(figures.MODULES, 600, 607), "more than 1% above the accepted result", True),
    ],
)
def test_verdict(line, verdict, is_worse):
    assert (line.verdict, line.is_worse) == (verdict, is_worse)
    assert f"| {f'**{verdict}**' if is_worse else verdict} |" in table([line])


@pytest.fixture
def guard(tmp_path, monkeypatch):
    """Call the command where `measured` tells what it is given; accepted.json is in a folder of its own."""
    namespace = runpy.run_path(str(GUARD), run_name="guard")
    main = namespace["main"]
    monkeypatch.setitem(main.__globals__, "ACCEPTED", tmp_path / "accepted.json")

    def call(now: dict, *arguments: str) -> None:
        monkeypatch.setitem(main.__globals__, "measured", lambda: now)
        monkeypatch.setattr(sys, "argv", ["guard", *arguments])
        main()

    return call


def test_what_is_accepted_is_what_was_measured(guard, tmp_path, capsys):
    guard({"opcodes": 100, "C calls": 7}, "--accept")
    assert accepted(tmp_path / "accepted.json") == {"opcodes": 100, "C calls": 7}
    guard({"opcodes": 200, "C calls": 7})
    out, err = capsys.readouterr()
    assert "| opcodes | 100 | 200 | +100.0% | **more than 5% above the accepted result** |" in out
    assert "| C calls | 7 | 7 | +0.0% | as accepted |" in out
    assert err == "guard: opcodes: more than 5% above the accepted result\n"
    assert accepted(tmp_path / "accepted.json") == {"opcodes": 100, "C calls": 7}


def test_github_shows_what_is_worse_or_missing_as_a_warning(guard, capsys, monkeypatch):
    guard({"opcodes": 100, "C calls": 7}, "--accept")
    capsys.readouterr()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    guard({"opcodes": 100})
    out, err = capsys.readouterr()
    assert "| C calls | 7 |  |  | **not measured any more** |" in out
    assert err == "::warning title=Costs more than accepted::C calls: not measured any more\n"


def test_counts_of_another_python_are_not_compared(tmp_path):
    path = tmp_path / "accepted.json"
    accept(path, {"opcodes": 1})
    path.write_text(json.dumps(json.loads(path.read_text()) | {"python": "2.7"}))
    with pytest.raises(SystemExit, match=r"has the counts of Python 2\.7, and this is 3"):
        accepted(path)


def test_every_measure_of_the_service_and_of_a_batch_has_an_accepted_count():
    kept = json.loads(GUARD.with_name("accepted.json").read_text())["figures"]
    measures = ("opcodes", "C calls", "bytes at the peak", "objects left to the garbage collector")
    calls = ("POST /predict, 1 row", "POST /predict, 100 rows", "GET /healthz", "predict, 10,000 rows")
    served = {f"gunicorn's worker, POST /predict, 1 row: {each}" for each in ("opcodes", "C calls")}
    assert set(kept) == {
        figures.MODULES,
        figures.RESIDENT,
        *served,
        *(f"{call}: {each}" for call in calls for each in measures),
    }
