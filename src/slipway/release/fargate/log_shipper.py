"""What ships the prediction log of a task: python -m slipway.release.fargate.log_shipper FOLDER s3://BUCKET/PREFIX

A container of its own beside the app, of the same image: predictions do not wait for S3, and a fault here ends no service. The
folder ends with the task, so the last shipment is at SIGTERM: it goes on until the app has closed its files and all are sent.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.model.raw_files import CLOSED, OPEN, RAW
from slipway.release.box.bucket import Bucket, bucket_at
from slipway.release.box.shipment import ENTRIES, as_service, ship
from slipway.release.fargate.log_credentials import identify_task

PAUSE = 600.0  # seconds between shipments
ATTEMPT = 60  # seconds that one may take; the next one goes on
LAST = 100  # seconds for what is left at the end: the container's stopTimeout is 120
AGAIN = 1.0  # seconds between attempts then
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """The command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m slipway.release.fargate.log_shipper FOLDER s3://BUCKET/PREFIX")
    sys.exit(keep_shipping(Path(sys.argv[1]), sys.argv[2], os.environ))


def keep_shipping(log: Path, remote: str, environ: Mapping[str, str], pause: float = PAUSE, last: float = LAST) -> int:
    """Ship until a signal ends it, and then what is left; returns the exit code.

    Parameters
    ----------
    log : Path
        The folder that the app writes to.
    remote : str
        ``s3://bucket/prefix``, as ``remote`` of slipway.yaml.
    environ : mapping of str to str
    pause, last : float
        Seconds between shipments, and for the last one.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes while a shipment runs is taken after it
    _say(f"shipping what is in {log} to {remote} every {pause:g} s")
    while signal.sigtimedwait(SIGNALS, pause) is None:
        _attempt(log, remote, environ, ATTEMPT)
    until = time.monotonic() + last
    while files := left(log):
        seconds = int(until - time.monotonic())
        if seconds < 1:
            _say(f"Result: FAILED: {len(files)} files of the prediction log end with this task and are lost")
            return 1
        _attempt(log, remote, environ, seconds)
        time.sleep(AGAIN)
    return 0


def left(log: Path) -> list[Path]:
    """The files with rows that are not in the bucket, those that are still written among them."""
    found = []
    for end in (OPEN, CLOSED):  # in this order: the app may close one meanwhile
        for path in (log / RAW).glob(f"{ENTRIES}{end}"):
            with suppress(FileNotFoundError):
                if path.stat().st_size:
                    found.append(path)
    return found


def _attempt(log: Path, remote: str, environ: Mapping[str, str], seconds: int) -> None:
    """Send all closed files, in a process of its own: whatever that waits for, it ends."""
    try:
        bucket = bucket_at(remote, identify_task(environ), environ)
        as_service(log, partial(_send, bucket, remote), min(seconds, ATTEMPT))
    except ReleaseError as error:
        _say(f"Result: FAILED: {error}")


def _send(bucket: Bucket, remote: str) -> bool:
    """What `as_service` does within the folder of the log."""
    try:
        if count := ship(Path(), bucket, pages=()):
            _say(f"shipped {count} files of the prediction log to {remote}")
    except ReleaseError as error:
        _say(f"Result: FAILED: {error}")
        return False
    return True


def _say(line: str) -> None:
    print(line.replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
