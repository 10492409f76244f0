"""The services of a box: which there are, whose a call is, and whether the limits of all fit into its memory."""

import pwd
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.box.configuration import Configuration
from slipway.release.box.state import SERVICES, SETTINGS, Box

RUNNER = "runner-"  # the user of a service's Actions runner is this and the service's name
SYSTEM = 700  # MiB for the system, Docker, nginx and runners with a job, estimated
MEMORY = Path("/proc/meminfo")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,23}[a-z0-9])?")  # as the bootstrap makes them


def installed(root: Path = Path("/")) -> list[Box]:
    """All services, by name: a link, or a folder with another name such as ``churn.bak``, is none."""
    folders = [path.parent for path in sorted((root / SERVICES).glob(f"*/{SETTINGS}"))]
    return [Box(each.name, root) for each in folders if NAME.fullmatch(each.name) and not each.is_symlink()]


def caller(environ: Mapping[str, str]) -> str:
    """Name of the user who called this program through sudo; empty if it was not called so.

    sudo sets SUDO_UID itself, whatever the caller's environment says.
    """
    uid = environ.get("SUDO_UID", "")
    if not uid:
        return ""
    try:
        return pwd.getpwuid(int(uid)).pw_name
    except (KeyError, ValueError) as error:
        raise ReleaseError(f"the calling user has no name (SUDO_UID={uid})", "Call it as a user of this box") from error


def allowed(found: Sequence[Box], named: str | None, user: str) -> list[Box]:
    """The services that a call may be about: a runner's own, the one that is named, or all.

    Parameters
    ----------
    named : str or None
        As an argument says; a runner can give none.
    user : str
        See `caller`.

    Raises
    ------
    ReleaseError
        If there is no such service, or it is not the runner's.
    """
    if user.startswith(RUNNER):
        own = user.removeprefix(RUNNER)
        if named not in (None, own):
            raise ReleaseError(f"{user} can only release {own}, not {named}")
        named = own
    if not found:
        raise ReleaseError(f"/{SERVICES}: no service", "Run it as root on a box that the bootstrap set up (docs/ec2.md)")
    if named is None:
        return list(found)
    boxes = [each for each in found if each.service == named]
    if not boxes:
        raise ReleaseError(f"this box has no service {named}", f"Its services: {_listed(found)}")
    return boxes


def only(found: Sequence[Box]) -> Box:
    """The one service; ReleaseError if there are several, because then one must be named."""
    if len(found) > 1:
        raise ReleaseError(f"this box has several services: {_listed(found)}", f"Name one: --service {found[0].service}")
    return found[0]


def require_room(service: str, all: Mapping[str, Configuration], available: int) -> None:
    """On a shared box, every release must fit at its limit of memory while one service is being swapped.

    Every service has its live release; the swapped one also has its new release, and those that still drain.

    Parameters
    ----------
    all : mapping of str to Configuration
        By service.
    available : int
        Memory of the machine in MiB; 700 MiB of it are left to the system.

    Raises
    ------
    ReleaseError
        With the sum.
    """
    if len(all) < 2:
        return
    own, room = all[service], available - SYSTEM
    needed = memory_needed(service, all)
    if needed > room:
        lives = " + ".join(f"{name} {each.mebibytes}" for name, each in all.items())
        raise ReleaseError(
            f"{service} does not fit: {lives} and {1 + own.draining} × {own.mebibytes} for its swap need {needed} MiB, but "
            f"this machine has {room} MiB ({available} less {SYSTEM} for the system)",
            "Lower memory or draining in release.toml, or choose a machine with more memory",
        )


def limits(boxes: Sequence[Box], known: Mapping[str, Configuration]) -> dict[str, Configuration]:
    """Settings by service, for the sum of memory: those that cannot be read count with the default."""
    return {each.service: Configuration(repository="") for each in boxes} | dict(known)


def memory_needed(service: str, all: Mapping[str, Configuration]) -> int:
    """MiB that all releases need at their limits while `service` is being swapped."""
    return sum(each.mebibytes for each in all.values()) + (1 + all[service].draining) * all[service].mebibytes


def memory_of(table: Path = MEMORY) -> int:
    """Memory of the machine in MiB (proc(5), ``MemTotal``)."""
    found = re.search(r"^MemTotal: +([0-9]+) kB$", table.read_text(), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def places(all: Mapping[str, Configuration]) -> list[str]:
    """A line for each service, ``NAME HOST PREFIX EMAIL REPOSITORY`` with - for empty, as `slipway-site` reads them.

    Raises
    ------
    ReleaseError
        If two answer at the same place, or share a repository: then neither could tell its releases from the other's.
    """
    taken: dict[object, str] = {}
    for name, each in all.items():
        for key, what in (((each.host, each.prefix), "host and prefix"), (each.repository, "repository")):
            if key in taken:
                raise ReleaseError(f"{taken[key]} and {name} have the same {what}", "Change release.toml of one of them")
            taken[key] = name
    return [
        " ".join((name, *(value or "-" for value in (each.host, each.prefix, each.email)), each.repository))
        for name, each in all.items()
    ]


def sharing(all: Mapping[str, Configuration]) -> dict[str, str]:
    """For every service whose repository another one has too, that other one."""
    return {
        name: other for name, own in all.items() for other in all if other != name and all[other].repository == own.repository
    }


def require_own_repository(service: str, all: Mapping[str, Configuration]) -> None:
    """A service finds its releases by their repository, and would stop those of another that has the same.

    Raises
    ------
    ReleaseError
        With the name of the other.
    """
    if other := sharing(all).get(service):
        cure = f"Change release.toml of one of them, or move the folder of the wrong one out of /{SERVICES}"
        raise ReleaseError(f"{service} and {other} have the same repository, so nothing was started or stopped", cure)


def _listed(found: Sequence[Box]) -> str:
    return ", ".join(each.service for each in found)
