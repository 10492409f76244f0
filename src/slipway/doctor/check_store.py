"""The remote store: does the bucket exist, and can we list and read it?"""

from dataclasses import dataclass

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.errors import StoreError
from slipway.model.bundle import MANIFEST, digest_of
from slipway.problem import Problem


@dataclass(frozen=True)
class Seen:
    """What the remote store answered.

    Parameters
    ----------
    where : str or None
        ``s3://bucket/prefix``; None when no remote is set.
    unlisted, unread : StoreError or None
        Why it could not be listed, or the champion's manifest not be read.
    bundle : bool
        Whether it holds the champion's manifest, read and sound.
    skipped : str
        Why nothing was asked.
    """

    where: str | None
    unlisted: StoreError | None = None
    unread: StoreError | None = None
    bundle: bool = False
    skipped: str = ""


def look(problem: Problem | None, champion: str | None) -> Seen:
    """List and read, and write nothing."""
    if problem is None or problem.remote is None:
        return Seen(None)
    try:
        from slipway.store.remote import open_remote

        remote = open_remote(problem)
    except StoreError as error:
        return Seen(problem.remote, skipped=str(error))
    name = f"bundles/{champion}/{MANIFEST}" if champion else "journal.jsonl"
    try:
        there = name in remote.sizes(name)
    except StoreError as error:
        return Seen(problem.remote, unlisted=error)
    if not there:
        return Seen(problem.remote)
    try:
        content = remote.read(name)
    except StoreError as error:
        return Seen(problem.remote, unread=error)
    return Seen(problem.remote, bundle=champion is not None and digest_of(content) == champion)


def check(seen: Seen, champion: str | None, in_git: bool = False) -> list[Finding]:
    """Judge what the store answered; `in_git` is whether the champion's bundle is committed."""
    if seen.where is None:
        if in_git:
            return [Finding("remote", SKIPPED, "is not set; the champion's bundle is in git")]
        cure = "Set remote in slipway.yaml or SLIPWAY_REMOTE; not needed with slipway promote --in-git"
        return [Finding("remote", MISSING, "is not set", cure)]
    if seen.skipped:
        return [Finding("remote", SKIPPED, seen.skipped)]
    if seen.unlisted:
        return [Finding("list", FAILED, seen.unlisted.cause, seen.unlisted.cure)]
    read = Finding("read", SKIPPED, "there is no object to test it with", "slipway push")
    if seen.unread:
        read = Finding("read", FAILED, seen.unread.cause, seen.unread.cure)
    elif seen.bundle and champion:
        read = Finding("read", OK, f"the champion {champion[:12]} is there")
    write = Finding("write", SKIPPED, "not tested, because a test would leave an object behind; slipway push shows it")
    return [Finding("list", OK, f"{seen.where} can be listed"), read, write]
