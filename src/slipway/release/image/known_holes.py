"""Known holes in the locked libraries: how far each reaches."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.image.advisories import advisories

SERVING = "requirements.txt"
REACH = {  # lock → what has its libraries; a hole reaches as far as the first lock here that names its library
    SERVING: "serving: the image of every release has it",
    "requirements-train.txt": "training",
    "requirements-release.txt": "slipway pull and push in workflows",
    "requirements-sql.txt": "source: sql",
    "requirements-spark.txt": "Spark",
    "requirements-redis.txt": "slipway consume redis://",
    "requirements-kafka.txt": "slipway consume kafka://",
    "requirements-test.txt": "tests",
    "requirements-dev.txt": "development and tests",
    "requirements-publish.txt": "publishing the package",
    "deploy/compose/mlflow/requirements.txt": "the MLflow server of deploy/compose, and tests",
    "tests/serving/protocols/requirements.txt": "tests with KServe's and Triton's clients",
}
CURE = (
    "Update the lock (make lock here, slipway upgrade in a repository that slipway new made) and push. "
    "Does a hole not concern the service? Add its id to ACCEPTED in the Makefile, with the reason"
)
PIN = re.compile(r"^([A-Za-z0-9._-]+) *(?:\[[^]\n]*\])? *== *([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Hole:
    """A known vulnerability of a locked library; `lock` names the lock that decides how far it reaches."""

    name: str
    version: str
    id: str
    fixed: str
    lock: str

    def __str__(self) -> str:
        cure = f"fixed in {self.fixed}" if self.fixed else "no version fixes it yet"
        return f"{self.name} {self.version}: {self.id}, {cure}. Reach: {REACH[self.lock]}"


def holes(folder: Path, accepted: Collection[str], service: str) -> list[Hole]:
    """The holes in the locks of `folder`, without those that are accepted by one of their ids; those of serving first."""
    locks = {lock: _pins(folder / lock) for lock in REACH if (folder / lock).exists()}
    if not locks:
        raise ReleaseError(f"{folder.resolve()}: no lock was found", "Run make audit at the top of the repository")
    pins = sorted(set().union(*locks.values()))
    found = [
        Hole(name, version, hole.ids[0], ", ".join(hole.fixed), _reach((name, version), locks))
        for (name, version), known in zip(pins, advisories(pins, service))
        for hole in known
        if not set(accepted) & set(hole.ids)
    ]
    return sorted(found, key=lambda hole: (list(REACH).index(hole.lock), hole.name, hole.id))


def audit(folder: Path, accepted: Collection[str], service: str) -> list[str]:
    """Lines about the holes that do not reach serving: they stop no release.

    Raises
    ------
    ReleaseError
        If a hole reaches serving, or there is no lock.
    Unanswered
        If the database of vulnerabilities cannot be asked.
    """
    found = holes(folder, accepted, service)
    serving = [str(hole) for hole in found if hole.lock == SERVING]
    if serving:
        raise ReleaseError("known holes in what serves:\n" + "\n".join(serving), CURE)
    return [str(hole) for hole in found] or ["No known holes in the locked libraries"]


def _pins(path: Path) -> set[tuple[str, str]]:
    return {(_normal(name), version) for name, version in PIN.findall(path.read_text(encoding="utf-8"))}


def _reach(pin: tuple[str, str], locks: Mapping[str, Collection[tuple[str, str]]]) -> str:
    return next(lock for lock, pins in locks.items() if pin in pins)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
