"""Known holes in the locked libraries: how far each reaches, from what pip-audit found."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import ReleaseError

SERVING = "requirements.txt"
REACH = {  # lock → what has its libraries; a hole reaches as far as the first lock here that names its library
    SERVING: "serving: the image of every release has it",
    "requirements-train.txt": "training",
    "requirements-release.txt": "slipway pull and push in workflows",
    "requirements-test.txt": "tests",
    "requirements-dev.txt": "development and tests",
    "requirements-publish.txt": "publishing the package",
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


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


def holes(report: bytes, folder: Path) -> list[Hole]:
    """The holes in the locks of `folder`, those of serving first.

    Parameters
    ----------
    report : bytes
        What ``pip-audit --format json`` wrote about these locks.

    Raises
    ------
    ReleaseError
        If it is not such a report.
    """
    locks = {lock: _pins(folder / lock) for lock in REACH if (folder / lock).exists()}
    try:
        found = [
            Hole(each["name"], each["version"], hole["id"], ", ".join(hole["fix_versions"]), _reach(each, locks))
            for each in json.loads(report)["dependencies"]
            for hole in each.get("vulns", ())
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"the report of pip-audit is not valid ({type(error).__name__})") from error
    return sorted(found, key=lambda hole: (list(REACH).index(hole.lock), hole.name, hole.id))


def audit(report: Path, folder: Path) -> list[str]:
    """Lines about the holes that do not reach serving, or about an audit that could not be made: neither stops a release.

    Raises
    ------
    ReleaseError
        If a hole reaches serving.
    """
    try:
        found = holes(report.read_bytes(), folder)
    except FileNotFoundError:
        return ["Not audited: pip-audit wrote no report, because the database of vulnerabilities was not reached"]
    serving = [str(hole) for hole in found if hole.lock == SERVING]
    if serving:
        cure = (
            "Run make lock and release. Does a hole not concern you? Add its id to ACCEPTED in the Makefile, with the reason"
        )
        raise ReleaseError("known holes in what serves:\n" + "\n".join(serving), cure)
    return [str(hole) for hole in found] or ["No known holes in the locked libraries"]


def _pins(path: Path) -> set[tuple[str, str]]:
    return {(_normal(name), version) for name, version in PIN.findall(path.read_text(encoding="utf-8"))}


def _reach(each: Mapping[str, str], locks: Mapping[str, set[tuple[str, str]]]) -> str:
    """The first lock that names a library; what none names is taken for serving."""
    pin = (_normal(each["name"]), each["version"])
    return next((lock for lock, pins in locks.items() if pin in pins), SERVING)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
