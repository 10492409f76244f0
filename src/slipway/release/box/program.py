"""slipway-release: the program on the box.

slipway-release < request     make a release live: {"digest": "sha256:…", "key": "…", "commit": "…", "run_number": N}
slipway-release --dry-run < request
slipway-release status | history | rollback | restart-count
slipway-release keys < file   replace the API keys of a service's running releases: one per line
slipway-release drain         stop idle releases of all services
slipway-release watch         call the webhooks when something needs attention, and when that is over
slipway-release ship          ship the prediction logs of all services
slipway-release services      list name, host, prefix, address for mails and repository of all services

A runner acts for its own service. Root names one with --service if the box has several.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence

from slipway.api_keys import MOST_BYTES as MOST_KEYS
from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box.configuration import Configuration, read_configuration
from slipway.release.box.disk import require_disk
from slipway.release.box.engine import Engine
from slipway.release.box.execution import Execution
from slipway.release.box.history import History
from slipway.release.box.lock import Busy, cancel, exclusive
from slipway.release.box.rotation import api_key, rotate
from slipway.release.box.services import (
    allowed,
    caller,
    installed,
    limits,
    memory_needed,
    memory_of,
    only,
    places,
    require_own_repository,
    require_room,
    sharing,
)
from slipway.release.box.state import Box
from slipway.release.box.swap import Swap
from slipway.release.box.upkeep import ship_all, watch
from slipway.release.request import MOST_BYTES, Request, read_request
from slipway.webhook import post

SHOWN = 20
COMMANDS = ("status", "history", "rollback", "drain", "restart-count", "keys", "watch", "ship", "services")


class Log:
    """Lines on standard output; if that is not a terminal, in groups that GitHub's log folds."""

    def __init__(self) -> None:
        self._folds = not sys.stdout.isatty()
        self._open = False

    def say(self, line: str) -> None:
        """Print a line. If nobody reads it any more, the log goes silent, so that the old release can still be restored."""
        try:
            print(line, flush=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):  # a cancelled job cannot signal root, but ends the reader
                cancel()

    def heading(self, name: str | None) -> None:
        if self._open and self._folds:
            self.say("::endgroup::")
        self._open = name is not None
        if name is not None:
            self.say(f"::group::{name}" if self._folds else name)

    def done(self, step: object, seconds: float) -> None:
        self.say(f"  {seconds:6.2f} s  {step}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; it ends the process."""
    parser = argparse.ArgumentParser(prog="slipway-release", description="Make a release live on this box.")
    parser.add_argument("command", nargs="?", choices=COMMANDS, help="default: read a request from standard input")
    parser.add_argument("--service", metavar="NAME", help="one of the services of this box")
    parser.add_argument("--dry-run", action="store_true", help="show the steps without doing them")
    asked = parser.parse_args(arguments)
    if asked.dry_run and asked.command:
        parser.error("--dry-run needs a request, not a command")
    log = Log()
    try:
        found = installed()
        boxes = allowed(found, asked.service, caller(os.environ))
        if asked.command in LISTS:
            return log.say(LISTS[asked.command](boxes, log))
        if asked.command == "watch":
            return _watch(boxes, log)
        if asked.command == "ship":
            sys.exit(not ship_all(boxes, _configurations(boxes, log), os.environ, log.say))
        if asked.command == "drain":
            return _drain(boxes, found, log)
        box = only(boxes)
        if asked.dry_run:
            require_own_repository(box.service, _configurations(found, log))
            return log.say(make_swap(box, log).plan(_request()))
    except (SlipwayError, OSError) as error:
        log.say(f"Result: FAILED: {error}")
        sys.exit(error.exit_code if isinstance(error, SlipwayError) else 1)
    _change(box, [each for each in found if each != box], asked.command, log)


def _change(box: Box, others: Sequence[Box], command: str | None, log: Log) -> None:
    """Release, roll back or restart the count, and tell the result; ends the process if that fails."""
    start = time.monotonic()
    configuration = None
    try:
        configuration = read_configuration(box.configuration)
        if command is None:
            result = _release(box, configuration, others, log)
        elif command == "keys":
            result = rotate(box, sys.stdin.buffer.read(MOST_KEYS + 1))
        else:
            if command == "rollback":
                require_own_repository(box.service, _configurations(others, log) | {box.service: configuration})
            swap = make_swap(box, log)
            result = {"rollback": swap.rollback, "restart-count": swap.restart_count}[command]()
    except (SlipwayError, OSError) as error:
        log.heading(None)
        log.say(f"Result: FAILED: {error}")
        _tell(configuration, box.service, log, False, str(error))
        sys.exit(error.exit_code if isinstance(error, SlipwayError) else 1)
    log.say(f"Result: {result} ({time.monotonic() - start:.2f} s)")
    _tell(configuration, box.service, log, True, result)


def _release(box: Box, configuration: Configuration, others: Sequence[Box], log: Log) -> str:
    """Make the request live, if it fits on the box; a neighbour that shares its repository with another is not drained."""
    neighbours = _configurations(others, log)
    all = {**neighbours, box.service: configuration}
    require_own_repository(box.service, all)
    require_room(box.service, limits(others, all), memory_of())
    shared = sharing(all)
    for name, other in shared.items():
        log.say(f"warning: {name} is not drained: {other} has the same repository")
    clear = {name: each for name, each in neighbours.items() if name not in shared}
    swap, asked = make_swap(box, log, clear), _request()
    if others:
        require_disk(os.statvfs(box.shared), lambda: asked.digest in swap.execution.engine.images(configuration.repository))
    return swap.deploy(asked)


def make_swap(box: Box, log: Log, others: Mapping[str, Configuration] | None = None) -> Swap:
    """The swap of a service, with its output in `log`; that of the `others` is nobody's business here."""
    execution = Execution(read_configuration(box.configuration), box, Engine(), api_key(box), log.done)
    neighbours = tuple(
        Swap(Execution(settings, Box(name, box.root), Engine()), lambda line: None, shared=True)
        for name, settings in (others or {}).items()
    )
    return Swap(execution, log.say, log.heading, len(installed(box.root)) > 1, neighbours)


def _configurations(boxes: Sequence[Box], log: Log) -> dict[str, Configuration]:
    """Settings by service, without those that cannot be read: a broken neighbour keeps nobody from releasing."""
    found = {}
    for each in boxes:
        try:
            found[each.service] = read_configuration(each.configuration)
        except ReleaseError:
            cure = f"sudo slipway-release status --service {each.service}"
            log.say(f"warning: the settings of {each.service} cannot be read. Run: {cure}")
    return found


def _status(boxes: Sequence[Box], log: Log) -> str:
    """A broken service does not affect what is shown of the others, but the exit code."""
    parts, known, failed = [], {}, False
    for each in boxes:
        try:
            swap = make_swap(each, log)
            known[each.service] = swap.execution.configuration
            parts.append(status_lines(swap))
        except (SlipwayError, OSError) as error:
            parts.append([f"service     {each.service}", f"Result: FAILED: {error}"])
            failed = True
    if len(boxes) > 1:
        all = limits(boxes, known)
        needed = max(memory_needed(name, all) for name in all)
        parts.append([f"memory      {needed} MiB at the limits of all releases and one swap, of {memory_of()} MiB"])
    room = os.statvfs(boxes[0].shared)
    parts[-1].append(f"disk        {room.f_bavail * room.f_frsize / 1e9:.1f} GB free")
    text = "\n\n".join("\n".join(lines) for lines in parts)
    if failed:
        log.say(text)
        sys.exit(ReleaseError.exit_code)
    return text


def status_lines(swap: Swap) -> list[str]:
    """The live release, the releases available for a rollback, and the rest."""
    box, configuration = swap.box, swap.execution.configuration
    engine = swap.execution.engine
    states = engine.containers(f"slipway.repository={configuration.repository}")
    chain = box.chain()
    lines = [f"service     {box.service}", f"repository  {configuration.repository}"]
    if not chain:
        lines.append("live        nothing yet" if box.live() is None else f"live        {box.live()}, without a record")
    for place, each in zip(("live", "previous", *("earlier" for _ in chain)), chain):
        ready = "ready" if swap.execution.ready(each.id) else states.get(each.id, "stopped")
        lines.append(f"{place:<10}  {each.id}  run {each.run_number}  {each.commit[:12]}  {each.digest[:19]}  {ready}")
    for left in swap.drainers():
        lines.append(f"draining    {left}" if left.requests else f"stray       {left.id}: the next release stops it")
    lines.append(f"images      {len(engine.images(configuration.repository))} of {configuration.keep} to keep")
    return lines


def _history(boxes: Sequence[Box], log: Log) -> str:
    parts = [([f"service     {each.service}"] if len(boxes) > 1 else []) + history_lines(each, log) for each in boxes]
    return "\n\n".join("\n".join(lines) for lines in parts)


def history_lines(box: Box, log: Log) -> list[str]:
    """The last events, the newest last; unless a run is in progress, with those that a killed run did not record."""
    history = History(box.history, log.say)
    try:
        with exclusive(box, 0):
            id = box.live()
            history.complete(box.record(id) if id else None)
    except ReleaseError:  # a run is in progress, or this is not root: show what is recorded
        pass
    entries = history.entries()[-SHOWN:]
    return [
        f"{each.get('at', '')}  {str(each.get('event', '')):<8}  {each.get('release', '')}  run {each.get('run_number', '')}  "
        f"{str(each.get('commit', ''))[:12]}  {str(each.get('digest', ''))[:19]}  {each.get('reason', '')}".rstrip()
        for each in entries
    ] or ["nothing yet"]


def _services(boxes: Sequence[Box], log: Log) -> str:
    return "\n".join(places({each.service: read_configuration(each.configuration) for each in boxes}))


LISTS = {"status": _status, "history": _history, "services": _services}


def _drain(boxes: Sequence[Box], found: Sequence[Box], log: Log) -> None:
    """Stop what has drained, service by service; a broken one does not affect the others, but the exit code."""
    left, failed, all = [], False, _configurations(found, log)
    for each in boxes:
        try:
            require_own_repository(each.service, all)
            left += make_swap(each, log).drain()
        except Busy:
            return log.say("Result: another run is in progress, which does the same")
        except (SlipwayError, OSError) as error:
            log.heading(None)
            log.say(f"Result: FAILED: {each.service}: {error}")
            failed = True
    log.say(f"Result: draining: {', '.join(left) or 'none'}")
    if failed:
        sys.exit(ReleaseError.exit_code)


def _watch(boxes: Sequence[Box], log: Log) -> None:
    """Ends with 1 if anything needs attention, so that systemd shows the unit as failed."""
    all = _configurations(boxes, log)
    for name, other in sharing(all).items():
        log.say(f"warning: {name} cannot be released or drained: {other} has the same repository")
    sys.exit(watch(boxes, all, log.say, lambda name, own, good, text: _tell(own, name, log, good, text)))


def _request() -> Request:
    return read_request(sys.stdin.buffer.read(MOST_BYTES + 1))


def _tell(configuration: Configuration | None, service: str, log: Log, good: bool, text: str) -> bool:
    """Call the webhook, if there is one; returns whether it was reached. A webhook that is down is not a failure."""
    if configuration is None or not configuration.webhook:
        return True
    if reason := post(configuration.webhook, f"{service}: {text}", good):
        log.say(f"warning: calling the webhook failed ({reason})")
        return False
    return True


if __name__ == "__main__":
    main()
