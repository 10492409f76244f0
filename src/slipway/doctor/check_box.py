"""The box: is a machine that bootstrap set up still in order?"""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from slipway.doctor import check_log
from slipway.doctor.check_log import BoxLog
from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.errors import ReleaseError
from slipway.release.box.configuration import read_configuration
from slipway.release.box.engine import Engine
from slipway.release.box.services import RUNNER, installed
from slipway.release.box.state import SERVICES, Box
from slipway.release.box.web import ask
from slipway.sections import Log

ROOM = 2_000_000_000  # bytes: an image has about 400 MB, and a pull needs it twice for a moment
RULE = 'runner-{} ALL=(root) NOPASSWD: /usr/local/sbin/slipway-release ""'
BOOTSTRAP = "Run the bootstrap on the box again (docs/ec2.md)"


@dataclass(frozen=True)
class Service:
    """The state of one service.

    Parameters
    ----------
    name : str
    settings : str
        What is wrong with its release.toml; empty for nothing.
    live : str or None
        Id of the release that active.sock leads to; None before the first. `silent` says why it does not answer.
    log : BoxLog
    """

    name: str
    settings: str = ""
    live: str | None = None
    silent: str = ""
    log: BoxLog = field(default_factory=BoxLog)


@dataclass(frozen=True)
class Facts:
    """The state of the machine; an empty string means that something is in order, unless stated otherwise.

    Parameters
    ----------
    services : tuple of Service
    engine : str
        What is wrong with Docker.
    survives : bool
        Whether containers outlive a restart of Docker; only of interest when it answers.
    program, proxy : bool
        Whether the release program is there, root's and executable; whether nginx has its configuration.
    free : int
        Bytes free where images are kept.
    rules : tuple of str
        All lines about users of runners in /etc/sudoers.d.
    in_docker : tuple of str
        The users of runners that are in group ``docker``.
    """

    services: tuple[Service, ...]
    engine: str = ""
    survives: bool = True
    program: bool = True
    proxy: bool = True
    free: int = ROOM
    rules: tuple[str, ...] = ()
    in_docker: tuple[str, ...] = ()


def gather(root: Path, engine: Engine = Engine()) -> Facts | None:
    """Inspect the machine with the file system root `root`; None if it is not a box.

    Raises
    ------
    PermissionError
        If only root can read it.
    """
    folder = root / SERVICES
    if not folder.is_dir():
        return None
    os.listdir(folder)  # asks whether it may be read
    images = _at(root, Path("/var/lib/docker"))
    return Facts(
        services=tuple(map(_service, installed(root))),
        engine=_said(lambda: engine.run(("version", "--format", "{{.Server.Version}}"), 10)),
        survives=_survives(engine),
        program=_is_roots_program(_at(root, Path("/usr/local/sbin/slipway-release"))),
        proxy=_at(root, Path("/etc/nginx/conf.d/slipway.conf")).is_file(),
        free=shutil.disk_usage(images if images.is_dir() else root).free,
        rules=_rules(_at(root, Path("/etc/sudoers.d"))),
        in_docker=_in_docker(_at(root, Path("/etc"))),
    )


def _service(box: Box) -> Service:
    live = _live(box)
    try:
        log = check_log.gather(box, read_configuration(box.configuration))
    except ReleaseError as error:
        return Service(box.service, str(error), *live)
    return Service(box.service, "", *live, log)


def _at(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _said(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except ReleaseError as error:
        return str(error)
    return ""


def _survives(engine: Engine) -> bool:
    try:
        return engine.run(("info", "--format", "{{.LiveRestoreEnabled}}"), 10).strip() == "true"
    except ReleaseError:
        return False


def _is_roots_program(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_uid == 0 and not found.st_mode & 0o022 and os.access(path, os.X_OK)


def _live(box: Box) -> tuple[str | None, str]:
    """Id of the live release, and what is wrong with it."""
    try:
        id = box.live()
    except ReleaseError as error:
        return "?", str(error)
    if id is None:
        return None, ""
    try:
        if not stat.S_ISSOCK(box.active.stat().st_mode):
            return id, "active.sock does not point to a socket"
        answer = ask(box.active, "/readyz")
    except OSError as error:
        return id, f"no answer ({error.strerror or error})"
    return id, "" if answer.status == 200 else f"/readyz answers {answer.status}"


def _rules(folder: Path) -> tuple[str, ...]:
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("*")) if path.is_file()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return tuple(line for line in lines if line.startswith((RUNNER, "runner ")))


def _in_docker(etc: Path) -> tuple[str, ...]:
    """By /etc/group, or as a user's own group in /etc/passwd."""
    groups = [line.split(":") for line in _lines(etc / "group")]
    users = [line.split(":") for line in _lines(etc / "passwd")]
    docker = [each for each in groups if each[0] == "docker" and len(each) > 3]
    runners = {each[0]: each[3] for each in users if each[0].startswith(RUNNER) and len(each) > 3}
    return tuple(name for name, own in runners.items() if any(name in each[3].split(",") or each[2] == own for each in docker))


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def check(facts: Facts | None, asked: Log | None = None) -> list[Finding]:
    """Judge the facts; None: this is no box. `asked` is the log that slipway.yaml asks for, None if there is none here."""
    if facts is None:
        return [Finding("box", SKIPPED, "this machine is not a box: run slipway doctor there, as root")]
    return [
        *map(settings, facts.services),
        docker(facts),
        Finding("program", OK, "slipway-release is installed, and only root can change it")
        if facts.program
        else Finding("program", FAILED, "/usr/local/sbin/slipway-release is missing, or not owned by root", BOOTSTRAP),
        Finding("nginx", OK, "has its configuration")
        if facts.proxy
        else Finding("nginx", FAILED, "/etc/nginx/conf.d/slipway.conf is missing", BOOTSTRAP),
        *map(live, facts.services),
        *(each for service in facts.services for each in check_log.check_service(service.name, service.log, asked)),
        room(facts),
        sudo(facts),
        docker_group(facts),
    ]


def settings(service: Service) -> Finding:
    """Whether a service's release.toml is valid."""
    what = f"settings {service.name}"
    return Finding(what, FAILED, service.settings) if service.settings else Finding(what, OK, "release.toml is valid")


def docker(facts: Facts) -> Finding:
    """Whether Docker answers, and releases outlive a restart of it."""
    if facts.engine:
        return Finding("docker", FAILED, facts.engine)
    if not facts.survives:
        return Finding("docker", FAILED, "live-restore is off: a restart of Docker interrupts the service", BOOTSTRAP)
    return Finding("docker", OK, "answers; releases keep running when it restarts")


def live(service: Service) -> Finding:
    """Whether the live release of a service answers."""
    what = f"release {service.name}"
    if service.live is None:
        return Finding(what, MISSING, "no live release yet", "Push to main, or run the workflow")
    if service.silent:
        return Finding(what, FAILED, f"{service.live}: {service.silent}", "See slipway-release status")
    return Finding(what, OK, f"{service.live} is ready")


def room(facts: Facts) -> Finding:
    """Whether there is space for the next image."""
    gigabytes = f"{facts.free / 1e9:.1f} GB free"
    if facts.free < ROOM:
        cure = "Free disk space: docker system df shows what uses it; keep in release.toml is the number of images kept"
        return Finding("disk", FAILED, f"{gigabytes}, but the next image needs up to {ROOM / 1e9:.0f} GB", cure)
    return Finding("disk", OK, gigabytes)


def sudo(facts: Facts) -> Finding:
    """Whether each runner can run the release program as root, and nothing else."""
    wanted = [RULE.format(service.name) for service in facts.services]
    more = [rule for rule in facts.rules if rule not in wanted]
    if more:
        says = f"a runner can run more than slipway-release as root: {more[0]}"
        return Finding("sudo", FAILED, says, "Remove that line from /etc/sudoers.d")
    missing = [rule.split()[0] for rule in wanted if rule not in facts.rules]
    if missing:
        return Finding("sudo", FAILED, f"{', '.join(missing)} cannot run slipway-release as root", BOOTSTRAP)
    return Finding("sudo", OK, "each runner can run slipway-release as root, and nothing else")


def docker_group(facts: Facts) -> Finding:
    """Whether no runner has access to the engine."""
    if facts.in_docker:
        name = facts.in_docker[0]
        says = f"user {name} is in group docker: every job can become root"
        return Finding("runner", FAILED, says, f"gpasswd --delete {name} docker, then restart slipway-{name}")
    return Finding("runner", OK, "no runner is in group docker")
