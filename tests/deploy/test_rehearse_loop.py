"""The rehearsal of the loop: its clock, its disk, two of its days, its many fortnights, and that it can fail."""

import fcntl
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, time

import numpy as np
import pandas as pd
import pytest

from loop.checkouts import make_checkouts
from loop.clock import Clock
from loop.disk import APART, LimitedFiles, mounted
from loop.findings import of_flags, of_labels, of_proposal, of_rows, of_seeds
from loop.fortnight import HOURS, Day, Fortnight, Plan, Stage, moment, play
from loop.parcels import parcels
from loop.seeds import Rates, rates, truth_of
from loop.service import Heard, serving, settled
from rehearsal.project import ROOT
from slipway.store.local import LocalStore
from trainings import trained

SHORT = Plan(days=2, killed=1, full=2, twice=2)
ASK = """
import time
from datetime import UTC, datetime
while True:
    print(time.time(), datetime.now(UTC).timestamp(), datetime.now().timestamp(), time.monotonic(), flush=True)
    input()
"""


def test_a_running_python_sees_the_date_that_was_set_and_waits_as_ever(tmp_path):
    clock = Clock(tmp_path / "clock")
    clock.set(moment(1, HOURS[0]))
    command = [sys.executable, "-c", ASK]
    with subprocess.Popen(
        command, env=clock.environ(ROOT / "src"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        first = [float(each) for each in process.stdout.readline().split()]
        clock.set(moment(2, HOURS[0]))
        process.stdin.write("\n")
        process.stdin.flush()
        second = [float(each) for each in process.stdout.readline().split()]
        process.kill()
    seven = (moment(1, HOURS[0]) - datetime(1970, 1, 1)).total_seconds()
    assert all(0 <= each - seven < 60 for each in first[:3])
    assert all(0 <= each - seven - 86_400 < 60 for each in second[:3])
    assert second[3] - first[3] < 60


def test_files_of_a_living_writer_are_not_settled(tmp_path):
    path = tmp_path / "bundle=1/release-1.jsonl.open"
    path.parent.mkdir()
    with path.open("wb") as file:
        assert settled(tmp_path), "of a process that was killed"
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not settled(tmp_path)


def test_limited_files_take_nothing_until_they_are_free(tmp_path):
    code = "import sys\nwhile line := input():\n    try: print(open(sys.argv[1], 'ab', 0).write(b'12345'), flush=True)\n"
    code += "    except OSError as error: print(error.errno, flush=True)\n"
    command, disk = [sys.executable, "-c", code, str(tmp_path / "file")], LimitedFiles(tmp_path)
    said = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for change in (lambda pids: None, disk.fill, disk.free):
            change([process.pid])
            process.stdin.write("write\n")
            process.stdin.flush()
            said.append(process.stdout.readline().strip())
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        process.kill()
    assert said == ["5", "27", "5"], "EFBIG is 27"
    assert limits == resource.getrlimit(resource.RLIMIT_FSIZE)


def test_two_days_with_all_faults_and_a_proposal(tmp_path, monkeypatch):
    monkeypatch.delenv(APART, raising=False)
    clock = Clock(tmp_path / "clock")
    clock.set(moment(-9, HOURS[0]))
    random = np.random.default_rng(1)
    learned = parcels(random, 3_000, "known")
    with mounted(tmp_path / "log") as disk:
        checkouts = make_checkouts(tmp_path, clock, disk.folder, learned)
        with serving(checkouts.box.folder, checkouts.environ, tmp_path / "told") as service:
            found = play(Stage(SHORT, tmp_path, clock, disk, checkouts, service, learned), 1, lambda day: None)
    assert [each for each in (*of_rows(SHORT, found), *of_labels(found)) if not each.holds] == []
    assert [(day.number, day.flagged, day.look["outcome"], day.trained) for day in found.days] == [
        (number, [], "quiet", "") for number in (1, 2)
    ]
    assert [day.look["at"][:10] for day in found.days] == [f"{moment(number, time()):%Y-%m-%d}" for number in (2, 3)]
    assert [each.holds for each in of_proposal(found, checkouts)] == [False, False, False], "nobody trained"

    first = checkouts.store.champion().digest
    clock.set(moment(9, time()))
    checkouts.train([*learned, *parcels(random, 1_000, "new", ferry=True)])
    checkouts.propose()
    late = Fortnight([replace(found.days[0], number=8, look={"train": True, "reasons": []})])
    assert [each for each in of_proposal(late, checkouts) if not each.holds] == []
    assert checkouts.store.champion().digest == first, "main serves what it did"


@pytest.fixture
def truth(tmp_path):
    frame = pd.DataFrame([{**each.row, "minutes": each.minutes} for each in parcels(np.random.default_rng(2), 4_000, "known")])
    store = LocalStore(tmp_path / "artifacts")
    trained(tmp_path, store, frame.astype(str), "minutes", id="parcel", candidates=["linear"])
    return truth_of(store.champion(), 2)


def test_the_rule_over_200_seeds(truth):
    assert of_seeds(rates(truth, 500)).holds
    assert not of_seeds(rates(replace(truth, since=truth.before), 500, seeds=20)).holds, "nothing to find"
    assert rates(replace(truth, before=truth.since), 500, seeds=20) == Rates(20, 20, 20), "found before it was there"


@pytest.mark.parametrize("early, found, holds", [(7, 190, True), (8, 190, False), (7, 189, False)])
def test_rates_have_bounds(early, found, holds):
    assert Rates(200, early, found).hold == holds


def fortnight(flagged: dict[int, list[str]], **changes) -> Fortnight:
    """Two parcels a day, one of which finds no room on day 5; columns are flagged by day."""
    days = [
        Day(
            number,
            Heard({f"{number}a", f"{number}b"}),
            int(number == 5),
            number // 14,
            {"train": number == 12, "figures": {"flagged": [f"field/{name}" for name in flagged.get(number, [])]}},
            "",
        )
        for number in range(1, 15)
    ]
    known = {name: 1 for day in days for name in day.heard.answered if name != "5b"}
    said = {"new": 0, "duplicate": 1, "corrected": 0, "with a": 1, "waiting for": 0}
    usual = {"delivered": {"1a"}, "again": said, "standing": said, "dropped": {"disk_full": 1}, "logged": Counter(known)}
    return Fortnight(days, **usual | changes)


WHOLE = fortnight({})


@pytest.mark.parametrize(
    "flagged, holds",
    [
        ({9: ["distance"], 10: ["distance"]}, [True, True]),
        ({10: ["score", "distance"]}, [True, True]),
        ({7: ["weight"], 9: ["distance"]}, [False, False]),
        ({11: ["distance"]}, [True, False]),
        ({9: ["weight"]}, [True, False]),
        ({}, [True, False]),
    ],
)
def test_a_flag_must_come_in_time_and_not_before(flagged, holds):
    assert [each.holds for each in of_flags(fortnight(flagged))] == holds


@pytest.mark.parametrize(
    "changes, holds",
    [
        ({}, [True, True, True, True]),
        ({"logged": WHOLE.logged - Counter(["3a"])}, [False, True, True, True]),
        ({"dropped": {"disk_full": 2}}, [False, True, True, True]),
        ({"logged": WHOLE.logged + Counter(["5b"]), "dropped": {}}, [False, False, True, True]),
        ({"dropped": {"failed": 1}}, [True, False, True, True]),
        ({"logged": WHOLE.logged + Counter(["3a"])}, [True, True, True, False]),
        ({"logged": WHOLE.logged + Counter(["nobody"])}, [True, True, True, False]),
    ],
)
def test_rows_must_add_up(changes, holds):
    assert [each.holds for each in of_rows(Plan(), fortnight({}, **changes))] == holds


def test_only_a_killed_worker_leaves_rows_unanswered():
    silent = fortnight({})
    silent.days[2].heard.unknown.add("3c")
    assert [each.holds for each in of_rows(Plan(), silent)] == [True, True, True, True]
    assert [each.holds for each in of_rows(Plan(killed=4), silent)] == [True, True, False, True]


def test_rows_that_are_dropped_on_another_day_are_no_part_of_the_plan():
    assert [each.holds for each in of_rows(Plan(full=6), WHOLE)] == [True, False, True, True]


@pytest.mark.parametrize(
    "changes, holds",
    [
        ({}, [True, True]),
        ({"delivered": {"1a", "2a"}}, [True, False]),
        ({"delivered": {"5b"}}, [True, False]),
        ({"again": WHOLE.again | {"new": 1}}, [False, True]),
        ({"standing": WHOLE.standing | {"with a": 2}}, [True, False]),
    ],
)
def test_labels_must_add_up(changes, holds):
    assert [each.holds for each in of_labels(fortnight({}, **changes))] == holds
