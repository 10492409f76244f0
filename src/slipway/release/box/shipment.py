"""The log's way from a box to the bucket: whole files go there, the page of the last look comes back.

A file is deleted here after S3 said that it has every byte of it. Its name is never used again, and `slipway collect` names
tables by the name and content of their file: one that is sent twice, because a run was cut off in between, counts once.
"""

import fcntl
import os
import signal
import stat
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from io import BufferedReader
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.model.raw_files import CLOSED, FOLDER, OPEN, RAW
from slipway.release.box.bucket import Bucket
from slipway.release.box.state import USER
from slipway.store.atomic import locked, replace, sync_folder

PAGES = ("live.html", "live.json")
ENTRIES = "date=*/bundle=*/*"
SECONDS = 300  # for one service: the others wait meanwhile


def ship(log: Path, bucket: Bucket, pages: Sequence[str] = PAGES) -> int:
    """Send all closed files of a log, and get the pages; returns how many were sent.

    Parameters
    ----------
    log : Path
        Its folder.
    bucket : Bucket
        What is below ``remote`` of slipway.yaml.
    pages : sequence of str
        Names of what `slipway watch` left there; none where nobody may read the bucket.

    Raises
    ------
    ReleaseError
        If S3 refuses or does not answer, or a file cannot be read or removed. What was not sent stays.
    """
    sent = 0
    try:
        close_abandoned(log)
        for path in closed(log):
            with suppress(FileNotFoundError), regular(path) as content:  # another run has just sent it
                bucket.put(f"{FOLDER}/{path.relative_to(log).as_posix()}", content)
                path.unlink()
                sync_folder(path.parent)  # it must not come back after a power cut, when a person of it is forgotten
                sent += 1
        remove_empty(log, datetime.now(UTC).date())
        for name in pages:
            fetch(log / name, bucket)
    except OSError as error:
        raise ReleaseError(f"{error.filename or log}: {error.strerror}", "See slipway doctor") from error
    return sent


def closed(log: Path) -> list[Path]:
    """The files that nobody writes any more, the oldest day first."""
    return sorted((log / RAW).glob(f"{ENTRIES}{CLOSED}"))


def close_abandoned(log: Path) -> None:
    """Rename files of processes that were killed, which have not done it: nobody holds their lock."""
    for path in (log / RAW).glob(f"{ENTRIES}{OPEN}"):
        with suppress(BlockingIOError, FileNotFoundError):  # it is written; it was just closed
            if path.stat().st_size == 0:  # its process may not have had the time to lock it
                continue
            with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                path.rename(path.with_name(path.name.removesuffix(OPEN) + CLOSED))


@contextmanager
def regular(path: Path) -> Iterator[BufferedReader]:
    """A file to read; not what a link leads to, nor a pipe, at which one would wait: releases write this folder."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ReleaseError(f"{path}: not a file", "Remove it")
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # it may have been replaced
        yield file


def remove_empty(log: Path, today: date) -> None:
    """Remove folders of earlier days without files; in those of today and yesterday a service may be about to write."""
    limit = f"date={today - timedelta(days=1)}"
    for day in (log / RAW).glob("date=*"):
        if day.name < limit:
            for folder in (*day.glob("bundle=*"), day):
                with suppress(OSError):  # it is not empty
                    folder.rmdir()


def fetch(path: Path, bucket: Bucket) -> None:
    """Get a page that `slipway watch` left, if there is another than the last time."""
    content = bucket.get(f"{FOLDER}/{path.name}")
    if content is not None and not _has(path, content):
        replace(path, content)
        path.chmod(0o644)


def _has(path: Path, content: bytes) -> bool:
    """Whether a file has this content. What a release put in its place, such as a pipe or a link, does not."""
    with suppress(OSError, ReleaseError), regular(path) as file:
        return file.read(len(content) + 1) == content
    return False


def as_service(log: Path, work: Callable[[], bool], seconds: int = SECONDS) -> bool:
    """Do `work` in a process of its own within the log's folder, as the user of the releases if this is root.

    Releases write that folder: a link that they put there leads this user no farther than it leads them, and what keeps
    this process waiting does so for `seconds` at most.

    Returns
    -------
    bool
        What `work` returned; False if it raised, which standard error shows.

    Raises
    ------
    ReleaseError
        If it took too long, and was ended.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it ends the process, whatever that waits for
            signal.alarm(seconds)
            os.chdir(log)  # the folders around it are closed to that user
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(USER, USER, USER)
                os.setresuid(USER, USER, USER)
            code = 0 if work() else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGALRM:
        raise ReleaseError(f"{log}: ended after {seconds} s", "The next run goes on; if it ends so, too, see what is there")
    return code == 0
