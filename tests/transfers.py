"""What is pushed and pulled, and jobs that do it in processes of their own: python transfers.py JOB ARGUMENTS."""

import http.client
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import killed
from slipway.errors import StoreError
from slipway.model.bundle import MANIFEST, digest_of, packed
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store, open_remote
from slipway.store.transfer import add_entries, pull, push

FILES = {"model.json": b"{}", "model.onnx": b"x" * 3000}
JUDGING = {"twin.json": b"{}", "twin.onnx": b"y" * 2000}
DIGEST = digest_of(packed("trial", FILES, JUDGING)[MANIFEST])
ENTRIES = [
    {"event": "verdict", "at": "2026-01-01T00:00:00+00:00", "digest": DIGEST, "reasons": ["größer"]},
    {"event": "promote", "at": "2026-01-02T00:00:00+00:00", "digest": DIGEST, "reasons": []},
]


def silent(*_) -> None:
    pass


def journal(bucket) -> list[dict]:
    return [json.loads(line) for line in bucket.objects()["models/a/journal.jsonl"].splitlines()]


def assert_sound(bucket, root: Path) -> None:
    """A machine that has nothing yet gets the bundle."""
    fresh = LocalStore(root)
    assert pull(fresh, bucket.remote(), DIGEST, silent) == "fetched"
    assert fresh.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]


def start(job: str, *arguments: object, **more) -> subprocess.Popen:
    """A job in a process of its own."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-B", __file__, job, *map(str, arguments)],
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def remote_at(url: str):
    return open_remote(SimpleNamespace(remote=url))


def do_push(url: str, root: str) -> None:
    push_all(remote_at(url), root)


def push_all(remote: S3Store, root: str) -> None:
    push(LocalStore(Path(root)), remote, DIGEST, silent)
    add_entries(remote, ENTRIES)


def do_pull(url: str, root: str) -> None:
    pull(LocalStore(Path(root)), remote_at(url), DIGEST, silent)


def do_append(url: str, name: str) -> None:
    remote = remote_at(url)
    for number in range(10):
        add_entries(remote, [{"event": "verdict", "who": name, "number": number}])


def dies(death: killed.Death, work) -> bool:
    """Whether a copy of this process dies of it while it does the work."""
    child = os.fork()
    if not child:
        death.armed = True
        work()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def kill_push(bucket: str, root: str) -> None:
    """Push to a new prefix each time, and die a step later: a step is before and after each sending."""
    send, client = http.client.HTTPConnection.send, remote_at(f"s3://{bucket}").client
    for step in itertools.count(1):
        death = killed.Death(root, step, signal.SIGKILL)

        def halting(connection, data, death=death):
            death.step()
            send(connection, data)
            death.step()

        http.client.HTTPConnection.send = halting
        remote = S3Store(client, bucket, f"{step}/")
        print(remote.prefix, flush=True)
        if not dies(death, lambda remote=remote: push_all(remote, root)):
            return


def kill_pull(url: str, folder: str, state: str) -> None:
    """Pull into a new folder each time, and die a step later; the steps are those of killed.py."""
    remote, deaths = remote_at(url), [killed.Death(folder, 0, signal.SIGKILL)]
    sys.addaudithook(lambda event, arguments: deaths[0].audit(event, arguments))
    for step in itertools.count(1):
        store = LocalStore(Path(folder, str(step)))
        store.bundles.mkdir(parents=True)
        if state:
            (store.add("trial", FILES, JUDGING).folder / "model.json").write_bytes(b"[]")
        death = deaths[0] = killed.Death(folder, step, signal.SIGKILL)

        def work(death=death, store=store):
            io.open, os.write, os.fsync = death.open, death.write, death.fsync
            pull(store, remote, DIGEST, silent)

        print(store.root, flush=True)
        if not dies(death, work):
            return


JOBS = {"push": do_push, "pull": do_pull, "append": do_append, "kill-push": kill_push, "kill-pull": kill_pull}

if __name__ == "__main__":
    try:
        JOBS[sys.argv[1]](*sys.argv[2:])
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
