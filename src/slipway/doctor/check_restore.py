"""A drill: could the champion be restored from the remote store, and the release before from the registry?"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.errors import ReleaseError, SlipwayError, StoreError
from slipway.problem import Problem
from slipway.release.image.key import earlier_keys, release_key
from slipway.release.image.registry import Registry
from slipway.release.workflow.workflow_settings import registry_of
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store, explained, open_remote
from slipway.store.transfer import pull, remote_entries

RIGHT = "s3:GetBucketVersioning"


def check(problem: Problem, champion: str | None, served: Mapping[str, str] | None) -> list[Finding]:
    """Read the remote store as after the loss of everything else; nothing is written but to a temporary folder.

    Parameters
    ----------
    champion : str or None
        Digest in the pointer.
    served : mapping or None
        What the service says of itself: its ``bundle`` and ``commit``; None if it was not asked, or did not answer.
    """
    if problem.remote is None:
        return [Finding("restore", SKIPPED, "no remote store: git has the bundle, or nothing has")]
    try:
        remote = open_remote(problem)
    except StoreError as error:
        return [Finding("restore", SKIPPED, str(error))]
    return [versioning(remote), restored(remote, problem, champion), journal(remote, champion, served)]


def versioning(remote: S3Store) -> Finding:
    """Whether an object that was overwritten or deleted can be restored."""
    try:
        with explained(f"s3://{remote.bucket}", f"{RIGHT} on the bucket"):
            state = remote.client.get_bucket_versioning(Bucket=remote.bucket).get("Status")
    except StoreError as error:
        return Finding("versioning", SKIPPED, error.cause, error.cure)
    if state == "Enabled":
        return Finding("versioning", OK, f"bucket {remote.bucket} keeps overwritten and deleted objects")
    cure = f"aws s3api put-bucket-versioning --bucket {remote.bucket} --versioning-configuration Status=Enabled"
    return Finding("versioning", FAILED, f"bucket {remote.bucket} loses overwritten and deleted objects", cure)


def restored(remote: S3Store, problem: Problem, champion: str | None) -> Finding:
    """Whether the champion, fetched into an empty folder, is complete and answers its golden rows."""
    if champion is None:
        return Finding("restore", MISSING, "no champion yet", "slipway train")
    from slipway.model.changes import replayed

    start = time.monotonic()
    with TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "artifacts")
        try:
            pull(store, remote, champion, lambda *told: None)
            bundle = store.bundle(champion)
            bundle.require_problem(problem.name)
            changed = (replayed(bundle) or {"changed": 0})["changed"]
        except SlipwayError as error:
            return Finding("restore", FAILED, error.cause, error.cure)
        files = len(bundle.files)
    if changed:
        cure = "Check out the code of its release, or train and release again"
        return Finding("restore", FAILED, f"{champion[:12]} is complete, but {changed} golden answers differ here", cure)
    seconds = time.monotonic() - start
    return Finding("restore", OK, f"{champion[:12]}: {files} files fetched, verified and answering in {seconds:.1f} s")


def journal(remote: S3Store, champion: str | None, served: Mapping[str, str] | None) -> Finding:
    """Whether the last release that the journal records is the one that is served."""
    try:
        releases = [each for each in remote_entries(remote) if each.get("event") == "release"]
    except StoreError as error:
        return Finding("journal", FAILED, error.cause, error.cure)
    done = [each for each in releases if each.get("outcome") == "success"]
    if not done:
        return Finding("journal", MISSING, "records no successful release yet", "Push to main, or run the workflow")
    commit, bundle = str(done[-1].get("commit")), str(done[-1].get("bundle"))
    says = f"the last successful release is commit {commit[:12]} with bundle {bundle[:12]}"
    live = served or {"bundle": champion or ""}
    if live["bundle"] != bundle or live.get("commit", commit) != commit:
        whose = "the service has" if served else "this checkout has"
        other = f"{whose} {live.get('commit', '')[:12]} with bundle {live['bundle'][:12]}".replace("  ", " ")
        return Finding("journal", FAILED, f"{says}, but {other}", "Was there a rollback? Revert the commit too, and release")
    if releases[-1] is not done[-1]:
        return Finding("journal", OK, f"{says}; one after it ended as {releases[-1].get('outcome')}")
    return Finding("journal", OK, says)


def _platform(environ: Mapping[str, str]) -> str:
    """What the key depends on beside the files, which GitHub may know and this machine not."""
    platform = environ.get("SLIPWAY_PLATFORM")
    return f". The key is that of {platform}" if platform else ". If images are for ARM: export SLIPWAY_PLATFORM=linux/arm64"


def images(folder: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the registry has the image of this commit, and one of an earlier commit for a revert."""
    named = registry_of(environ)
    if not named.host or not named.name:
        return [Finding("image", SKIPPED, f"{' and '.join(need.name for need in named.needs)} are not set")]
    registry = Registry(named.host, environ)
    try:
        key = release_key(folder)
        here = registry.find(named.name, key)
        before = (each for each in earlier_keys(folder) if each != key)
        earlier = next((each for each in before if registry.find(named.name, each)), None)
    except ReleaseError as error:
        return [Finding("image", SKIPPED, error.cause, error.cure)]
    return [
        Finding("image", OK, f"{key[:12]} of this commit is in the registry")
        if here
        else Finding(
            "image", MISSING, f"{key[:12]} of this commit is not in the registry", f"Push to main{_platform(environ)}"
        ),
        Finding("rollback", OK, f"{earlier[:12]} of an earlier commit is there: a revert builds nothing")
        if earlier
        else Finding(
            "rollback", MISSING, "no image of an earlier commit: a revert has to build", "Comes with the second release"
        ),
    ]
