"""Programs of Debian's and Ubuntu's packages, unpacked below build/ where they are not installed: nobody needs to be root."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from environments import PLACE, NotInstalled

PACKAGES = {"wrk": ("wrk", "libluajit-5.1-2"), "nginx": ("nginx",)}
LISTS = ["-qq", "-o", "Dir::State::lists=lists", "-o", "Dir::Cache=cache"]
INSTALLED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@cache
def program(name: str) -> tuple[str, ...]:
    """How a command begins that runs wrk or nginx."""
    installed = shutil.which(name, path=INSTALLED)
    if installed:
        return (installed,)
    folder = PLACE / "debian" / name
    if not list(folder.glob(f"usr/*bin/{name}")):
        _unpack(PACKAGES[name], folder)
    libraries = ":".join(map(str, folder.glob("usr/lib/*-linux-gnu*")))
    return ("/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", str(next(folder.glob(f"usr/*bin/{name}"))))


def _unpack(packages: tuple[str, ...], folder: Path) -> None:
    for inner in ("lists/partial", "cache/archives/partial"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    for command in (["apt-get", *LISTS, "update"], ["apt-get", *LISTS, "download", *packages]):
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotInstalled(f"install {packages[0]}, or let apt-get download it") from error
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "--extract", str(package), str(folder)], check=True)
