"""The folders of the log, and that one at a time changes them."""

import fcntl
import os

import pytest

from logs import BUNDLE, IDS, NOW, collected, fill
from slipway.monitoring import collector, forgetting, known_labels
from slipway.monitoring.forgetting import forget
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log, Part, part_of
from slipway.monitoring.row_keys import id_key


@pytest.mark.parametrize(
    "change, module, step",
    [
        (collected, collector, "expire"),
        (lambda log: forget(log, IDS, {"patient": {"1"}}, print), forgetting, "gather"),
        (lambda log: add(log, Outcomes({(id_key(["1"]), None): ("Y", None)}, 1, ()), NOW, "o.csv"), known_labels, "labels_of"),
    ],
)
def test_who_changes_the_log_has_it_alone(tmp_path, monkeypatch, change, module, step):
    log, does, tried = Log(tmp_path / "log"), getattr(module, step), []
    log.make()
    fill(log)

    def meanwhile(*arguments):
        handle = os.open(log.root, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        tried.append(step)
        return does(*arguments)

    monkeypatch.setattr(module, step, meanwhile)
    change(log)
    assert tried


@pytest.mark.parametrize(
    "name, is_part",
    [
        (f"date=2026-11-22/bundle={BUNDLE}/local-boot-1-0.jsonl", True),
        (f"date=2026-11-22/bundle={BUNDLE}/1.2.3+x-boot-1-0.jsonl", True),
        (f"date=2026-02-30/bundle={BUNDLE}/x.jsonl", False),
        (f"date=2026-11-22/bundle={BUNDLE}/.x.parquet.unfinished", False),
        (f"date=2026-11-22/bundle={BUNDLE}/../x.jsonl", False),
        (f"date=2026-11-22/bundle={BUNDLE}/a/x.jsonl", False),
        (f"date=2026-11-22/bundle={BUNDLE[1:]}/x.jsonl", False),
        ("x.jsonl", False),
    ],
)
def test_files_are_known_by_their_names(name, is_part):
    found = part_of(name)
    assert (found is not None) == is_part
    assert found is None or (isinstance(found, Part) and found.folder == f"date=2026-11-22/bundle={BUNDLE}")
