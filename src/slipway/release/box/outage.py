"""What is wrong with one service of a box, seen from outside its releases: facts, and what follows from them."""

import os
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.box.configuration import Configuration
from slipway.release.box.shipment import closed
from slipway.release.box.state import Box
from slipway.release.box.web import PROXY, ask

MOST = 0.85  # share of the log's file system; at 0.95 a release drops rows
DAY = 86_400
LEAST_DAYS = 14  # certbot renews a certificate 30 days before its end
PAUSE = 5.0  # seconds between two tries
CERTIFICATE = "etc/letsencrypt/live/{}/fullchain.pem"  # as nginx-tls.conf has it


@dataclass(frozen=True)
class Condition:
    """The state of one service.

    Parameters
    ----------
    silent : str
        Why it does not answer; empty if it does, or nothing was released yet.
    unlogged : str
        Why nothing can be logged although there should be a log; else empty.
    used : float
        Share of the log's file system that is full; 0 without a log.
    host : str
        Its domain name; empty for none.
    days : float or None
        Until the certificate of that name ends; None if there is none, or it cannot be read.
    waiting : float
        Seconds for which the oldest file to be shipped has been whole; 0 if none waits, or nothing is to be shipped.
    """

    silent: str = ""
    unlogged: str = ""
    used: float = 0.0
    host: str = ""
    days: float | None = None
    waiting: float = 0.0


def examine(box: Box, configuration: Configuration, proxy: tuple[str, int] = PROXY) -> Condition:
    """Look at a service."""
    lost, used, waited = "", 0.0, 0.0
    if log := log_of(box, configuration):
        try:
            if not (lost := unlogged(log, box.root)):
                used = full(os.statvfs(log))
                waited = waiting(log, time.time()) if configuration.log_remote else 0.0
        except OSError as error:  # of a file system that is damaged
            lost = f"{log}: {error.strerror}"
    return Condition(
        silent=silent(box, proxy),
        unlogged=lost,
        used=used,
        host=configuration.host,
        days=certificate_days(box.root / CERTIFICATE.format(configuration.host)) if configuration.host else None,
        waiting=waited,
    )


def findings(condition: Condition) -> dict[str, str]:
    """What needs attention: a sentence by name."""
    found = {}
    if condition.silent:
        found["service"] = f"the service does not answer: {condition.silent}"
    if condition.unlogged:
        found["log"] = f"predictions are not logged: {condition.unlogged}"
    if condition.used > MOST:
        found["log room"] = (
            f"the file system of the prediction log is {condition.used:.0%} full; releases drop rows from 95% on. "
            "See journalctl -u slipway-ship, or give the log more room (docs/prediction-log.md)"
        )
    if condition.days is not None and condition.days < LEAST_DAYS:
        end = f"ends in {condition.days:.0f} days" if condition.days > 0 else "has ended"
        found["certificate"] = f"the certificate of {condition.host} {end}. Try certbot renew --dry-run"
    if condition.waiting > DAY:
        found["shipping"] = (
            f"files of the prediction log have been waiting for {condition.waiting / 3_600:.0f} hours to be shipped. "
            "Run slipway-release ship, which says why"
        )
    return found


def log_of(box: Box, configuration: Configuration) -> Path | None:
    """The folder of a service's prediction log; None if it has none."""
    return box.root / configuration.log_mount.lstrip("/") if configuration.log_mount else None


def unlogged(log: Path, root: Path = Path("/")) -> str:
    """Why releases cannot, or should not, write to the folder `log`; empty if they can."""
    try:
        if os.stat(log).st_dev != os.stat(root).st_dev:
            return ""
    except OSError as error:
        return f"{log}, which log_mount names, cannot be read ({error.strerror})"
    return f"{log}, which log_mount names, is on the disk of the system: its own file system is not mounted"


def full(disk: os.statvfs_result) -> float:
    """The share of a file system that is in use; 0 for one that has no size."""
    return 1 - disk.f_bavail / disk.f_blocks if disk.f_blocks else 0.0


def silent(box: Box, proxy: tuple[str, int], pause: Callable[[float], None] = time.sleep) -> str:
    """Why the live release does not answer through nginx, at the second try, too."""
    try:
        if box.live() is None:
            return ""
    except ReleaseError as error:
        return str(error)
    if _refusal(proxy, f"/{box.service}/readyz"):
        pause(PAUSE)
        if said := _refusal(proxy, f"/{box.service}/readyz"):
            if own := _refusal(box.active, "/readyz"):
                return f"its release: {own}. See slipway-release status, and docker logs"
            return f"nginx: {said}. See systemctl status nginx"
    return ""


def _refusal(address: Path | tuple[str, int], path: str) -> str:
    """Why this is not answered with 200; empty if it is."""
    try:
        status = ask(address, path).status
    except OSError as error:
        return f"no answer ({error.strerror or error})"
    return "" if status == 200 else f"/readyz answers {status}"


def certificate_days(path: Path) -> float | None:
    """Days until a certificate ends, as openssl reads it; None if that cannot."""
    try:
        asked = ["openssl", "x509", "-noout", "-enddate", "-in", str(path)]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        return (ssl.cert_time_to_seconds(said.strip().removeprefix("notAfter=")) - time.time()) / DAY
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def waiting(log: Path, now: float) -> float:
    """Seconds since the last line of the oldest file that is to be shipped; 0 if there is none."""
    ages = [0.0]
    for path in closed(log):
        try:
            ages.append(now - path.lstat().st_mtime)
        except FileNotFoundError:  # it is being shipped
            continue
    return max(ages)
