"""kill -9 of workers under load: whatever was answered is in the log."""

import os
import signal
import threading
from contextlib import suppress
from http.client import HTTPException

from bundles import ROWS, make_bundle
from servers import serve
from slipway.model.event import read_events
from slipway.store.local import LocalStore

KILLS = 20
CLIENTS = 3


def test_no_answered_row_is_missing_and_no_torn_line_is_taken(tmp_path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\nlog: {to: files}\n")
    answered: set[str] = set()
    enough = threading.Condition()
    ended = threading.Event()

    def ask(server, client: int) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            name = f"c{client}-{number}"
            with suppress(OSError, HTTPException):  # of a worker that was killed meanwhile
                status, _ = server.call("POST", "/predict", [ROWS[0], ROWS[1]], **{"X-Request-ID": name})
                if status == 200:
                    with enough:
                        answered.add(name)
                        enough.notify()

    with serve(tmp_path) as server:
        clients = [threading.Thread(target=ask, args=(server, client)) for client in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for kill in range(KILLS):
                with enough:
                    before = len(answered)
                    assert enough.wait_for(lambda before=before: len(answered) >= before + 20, timeout=30)
                workers = server.workers()
                if workers:
                    with suppress(ProcessLookupError):
                        os.kill(workers[kill % len(workers)], signal.SIGKILL)
        finally:
            ended.set()
            for client in clients:
                client.join()
    found = [event for path in (tmp_path / "log").rglob("*.jsonl*") for event in read_events(path.read_bytes())]
    whole = {event.id: len(event.rows) for event in found if event}
    assert answered <= whole.keys() and set(whole.values()) == {2}
    assert len(answered) >= 20 * KILLS
