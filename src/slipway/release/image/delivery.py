"""The image of a commit in a registry: found there, or built and pushed. The same in every CI system."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import slipway
from slipway.errors import ReleaseError
from slipway.release.image.key import PLATFORMS, earlier_keys, git, release_key, unsaved
from slipway.release.image.labels import labels
from slipway.release.image.ordered_end import OrderedEnd
from slipway.release.image.registry import Registry
from slipway.release.request import Request
from slipway.release.workflow.requirements import store_requirements
from slipway.store.local import open_store

OF_PULL = ("boto3", "click", "msgspec", "yaml")  # what slipway pull imports
FULL_CLONES = (
    "Fetch the whole history: git fetch --unshallow. GitHub Actions: fetch-depth: 0; GitLab: GIT_DEPTH: 0; Azure Pipelines: "
    "fetchDepth: 0; CodePipeline: a full clone as output format; Jenkins: no shallow clone"
)


@dataclass(frozen=True)
class Delivered:
    """An image that the registry has.

    Parameters
    ----------
    key : str
        The release key of its commit: its tag.
    digest : str
        With ``sha256:``; what is deployed.
    """

    key: str
    digest: str


def deliver(repository: Path, registry: str, name: str, environ: Mapping[str, str] = os.environ) -> Delivered:
    """Find the image of the commit that is checked out, or build and push it; progress goes to standard error.

    A signal ends the program that runs, such as docker, and then this one.

    Parameters
    ----------
    repository : Path
        A full clone without uncommitted changes.
    registry, name : str
        Host and repository; ``docker login`` came before.
    environ : mapping
        ``SLIPWAY_PLATFORM`` is that of the image, ``SLIPWAY_REMOTE`` where its bundle is fetched if it is not in the checkout.

    Raises
    ------
    ReleaseError
        If the clone is shallow, the working tree is not the commit, or a step fails.
    """
    require_full_clone(repository)
    key = release_key(repository, environ=environ)
    asked = Registry(registry, environ)
    digest = asked.find(name, key)
    if digest:
        _say(f"Nothing to build: {registry}/{name}:{key} is there")
    else:
        digest = _make(repository, asked, name, key, environ)
    return Delivered(key, digest)


def _make(repository: Path, registry: Registry, name: str, key: str, environ: Mapping[str, str]) -> str:
    """Digest of the image that is built and pushed here; of another run's, if that was faster."""
    if changed := unsaved(repository):
        says = f"{', '.join(changed[:3])}{' and more' * (len(changed) > 3)}: not as committed"
        raise ReleaseError(f"{says}, so the image would not be the commit's", "Run it in a clean checkout, or commit them")
    place = f"{registry.host}/{name}"
    with OrderedEnd() as run:
        _fetch(repository, run, environ)
        cached = next((each for each in earlier_keys(repository) if registry.find(name, each)), "")
        _build(repository, f"{place}:{key}", cached and f"{place}:{cached}", run, environ)
        if digest := registry.find(name, key):
            _say("Nothing to push: another run was faster")
            return digest
        status = run("docker", "push", "--quiet", f"{place}:{key}", environ=environ)
    digest = registry.find(name, key)  # whatever the status: a tag that is there may never change
    if digest is None:
        says = f"docker push ended with status {status}: its output is above" if status else "is not there after the push"
        raise ReleaseError(f"{place}:{key}: {says}", "Check that the repository exists, and that the login may push to it")
    return digest


def write_request(path: Path, repository: Path, delivered: Delivered, run_number: int | None) -> None:
    """Write what ``deploy`` reads from standard input.

    Without a run number it is the number of commits that led to this one: a later commit always has more, a revert too, and
    however branches were merged; and it does not start over when a CI project is made anew.
    """
    commit = git(repository, "rev-parse", "HEAD").strip()
    number = run_number or int(git(repository, "rev-list", "--count", "HEAD"))
    request = Request(delivered.digest, delivered.key, commit, number)
    path.write_text(json.dumps(asdict(request)) + "\n", encoding="utf-8")


def require_full_clone(repository: Path) -> None:
    """ReleaseError if commits are missing: the run number counts them, and the build looks among them for layers."""
    if git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ReleaseError("this is a shallow clone", FULL_CLONES)


def _fetch(repository: Path, run: OrderedEnd, environ: Mapping[str, str]) -> None:
    """Fetch the champion's bundle if it is not in the checkout; it arrives verified."""
    store = open_store(repository)
    digest = store.require_pointer().digest
    if digest in store.digests():
        return
    _say(f"Fetching bundle {digest[:12]}")
    with tempfile.TemporaryDirectory() as folder:
        python = sys.executable
        if not all(map(find_spec, OF_PULL)):
            python = f"{folder}/bin/python"
            run.require(sys.executable, "-m", "venv", folder)
            pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
            run.require(*pip, "-r", str(store_requirements()))
        here = str(Path(slipway.__file__).resolve().parents[1])
        status = run(python, "-m", "slipway", "pull", cwd=repository, environ={**environ, "PYTHONPATH": here})
    if status:
        raise ReleaseError(
            f"bundle {digest[:12]} is neither in the checkout nor could it be fetched: the output of slipway pull is above",
            "Set SLIPWAY_REMOTE and what logs in there, or commit the bundle: slipway promote DIGEST --in-git",
        )


def _build(repository: Path, image: str, cached: str, run: OrderedEnd, environ: Mapping[str, str]) -> None:
    """Build an image, from the layers of a `cached` one if there is one."""
    options = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--platform", environ.get("SLIPWAY_PLATFORM") or PLATFORMS[0]]
    for label, value in labels(open_store(repository)).items():
        options += ["--label", f"{label}={value}"]
    if cached:
        options += ["--cache-from", cached]
    _say(f"Building {image}")
    # Attestations hold the time, and would give every build another digest.
    environ = {**environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    run.require("docker", "build", *options, "--tag", image, ".", cwd=repository, environ=environ)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
