"""The prediction log: is it written where slipway.yaml asks for one, and shipped?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.doctor.finding import FAILED, MISSING, OK, Finding
from slipway.errors import ProblemError
from slipway.model.pseudonyms import KEY, pseudonyms_of
from slipway.release.box.configuration import Configuration
from slipway.release.box.outage import log_of, unlogged
from slipway.release.box.rotation import variables
from slipway.release.box.state import USER, Box
from slipway.sections import Log

BOOTSTRAP = "Run the bootstrap with LOG_SIZE (docs/prediction-log.md, On a box), then release"


@dataclass(frozen=True)
class BoxLog:
    """The log of a service on a box.

    Parameters
    ----------
    folder : str
        As log_mount has it; empty for none.
    trouble : str
        Why releases cannot write there; empty if they can.
    remote : str
        Where it is shipped; empty for nowhere.
    environ : mapping of str to str
        What releases are started with; secrets are in it.
    """

    folder: str = ""
    trouble: str = ""
    remote: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def gather(box: Box, configuration: Configuration) -> BoxLog:
    """Look at the log of a service; ReleaseError if there is no service.env."""
    folder = log_of(box, configuration)
    if folder is None:
        return BoxLog()
    return BoxLog(configuration.log_mount, _trouble(folder, box.root), configuration.log_remote, variables(box.environment))


def _trouble(folder: Path, root: Path) -> str:
    if lost := unlogged(folder, root):
        return lost
    owner = folder.stat().st_uid
    return "" if owner == USER else f"{folder} belongs to user {owner}, so releases cannot write there"


def check_here(log: Log, environ: Mapping[str, str]) -> list[Finding]:
    """Whether this machine can write the log, and read labels, with the columns that slipway.yaml hashes."""
    return [Finding("log", MISSING, said, cure, now=True) for said, cure in _unkeyed(log, environ)]


def check_service(name: str, found: BoxLog, asked: Log | None) -> list[Finding]:
    """Judge the log of a service; `asked` is what slipway.yaml says, None if that is not on this machine."""
    what = f"log {name}"
    wanted = asked is not None and asked.to == "files"
    if not found.folder:
        says = "slipway.yaml asks for a prediction log, but log_mount is empty: nothing is logged"
        return [Finding(what, MISSING, says, BOOTSTRAP)] if wanted else []
    if found.trouble:
        return [Finding(what, FAILED, found.trouble, "See systemctl list-units --type mount --all 'var-lib-slipway*'")]
    if asked and (unkeyed := _unkeyed(asked, found.environ)):
        says, _ = unkeyed[0]
        return [Finding(what, FAILED, says, f"Write {KEY}=… into service.env; without it no release starts")]
    if not found.remote:
        return [Finding(what, MISSING, "is not shipped: log_remote is empty", "Set it to remote of slipway.yaml")]
    return [Finding(what, OK, f"releases can write it; it is shipped to {found.remote}")]


def _unkeyed(log: Log, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    try:
        pseudonyms_of(log, environ)
    except ProblemError as error:
        return [(error.cause, error.cure)]
    return []
