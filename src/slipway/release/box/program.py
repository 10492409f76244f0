"""slipway-release: the program on the box.

slipway-release < request     make a release live: {"digest": "sha256:…", "key": "…", "commit": "…", "run_number": N}
slipway-release --dry-run < request
slipway-release status | history | rollback | drain | restart-count
slipway-release keys < file   replace the API keys of the running releases: one per line
slipway-release watch         call the webhook when the disk fills up or an update requires a restart
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from slipway.api_keys import MOST_BYTES as MOST_KEYS
from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box.configuration import FILE, Configuration, read_configuration
from slipway.release.box.engine import Engine
from slipway.release.box.execution import Execution
from slipway.release.box.history import History
from slipway.release.box.lock import cancel, exclusive
from slipway.release.box.plan import ENVIRONMENT
from slipway.release.box.request import MOST_BYTES, Request, read_request
from slipway.release.box.rotation import api_key, rotate
from slipway.release.box.state import Box
from slipway.release.box.swap import Swap
from slipway.release.box.watch import RESTART, Watch, findings

SHOWN = 20
COMMANDS = ("status", "history", "rollback", "drain", "restart-count", "keys", "watch")


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
    parser.add_argument("--dry-run", action="store_true", help="show the steps without doing them")
    asked = parser.parse_args(arguments)
    if asked.dry_run and asked.command:
        parser.error("--dry-run needs a request, not a command")
    start = time.monotonic()
    log, box = Log(), Box()
    configuration = None
    try:
        if asked.command == "history":
            return log.say("\n".join(history_lines(box, log)))
        configuration = read_configuration(FILE)
        if asked.command == "watch":
            return _watch(configuration, box, log)
        swap = make_swap(configuration, box, log)
        if asked.command == "status":
            return log.say("\n".join(status_lines(swap)))
        if asked.dry_run:
            return log.say(swap.plan(_request()))
        result = _act(swap, asked.command)
    except (SlipwayError, OSError) as error:
        log.heading(None)
        log.say(f"Result: FAILED: {error}")
        if asked.command != "drain":  # the timer tries again in a minute
            _tell(configuration, log, False, str(error))
        sys.exit(error.exit_code if isinstance(error, SlipwayError) else 1)
    log.say(f"Result: {result} ({time.monotonic() - start:.2f} s)")
    if asked.command != "drain":
        _tell(configuration, log, True, result)


def _act(swap: Swap, command: str | None) -> str:
    """Run a command that changes something; returns a sentence on the result."""
    if command is None:
        return swap.deploy(_request())
    if command == "keys":
        return rotate(swap.box, sys.stdin.buffer.read(MOST_KEYS + 1), Path(ENVIRONMENT))
    return {"rollback": swap.rollback, "drain": swap.drain, "restart-count": swap.restart_count}[command]()


def make_swap(configuration: Configuration, box: Box, log: Log) -> Swap:
    """The swap of this box, with its output in `log`."""
    execution = Execution(configuration, box, Engine(), api_key(Path(ENVIRONMENT), box), log.done)
    return Swap(execution, log.say, log.heading)


def status_lines(swap: Swap) -> list[str]:
    """The live release, the releases available for a rollback, and the rest."""
    box, configuration = swap.box, swap.execution.configuration
    engine = swap.execution.engine
    states = engine.containers(f"slipway.repository={configuration.repository}")
    chain = box.chain()
    lines = [f"repository  {configuration.repository}"]
    if not chain:
        lines.append("live        nothing yet" if box.live() is None else f"live        {box.live()}, without a record")
    for place, each in zip(("live", "previous", *("earlier" for _ in chain)), chain):
        ready = "ready" if swap.execution.ready(each.id) else states.get(each.id, "stopped")
        lines.append(f"{place:<10}  {each.id}  run {each.run_number}  {each.commit[:12]}  {each.digest[:19]}  {ready}")
    for left in swap.drainers():
        lines.append(f"draining    {left}" if left.requests else f"stray       {left.id}: the next release stops it")
    images, room = engine.images(configuration.repository), os.statvfs(box.state)
    lines.append(f"images      {len(images)} of {configuration.keep} to keep")
    lines.append(f"disk        {room.f_bavail * room.f_frsize / 1e9:.1f} GB free")
    return lines


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


def _watch(configuration: Configuration, box: Box, log: Log) -> None:
    """Ends with 1 if anything needs attention, so that systemd shows the unit as failed."""
    found = findings(os.statvfs(box.state), RESTART.exists())
    for line in found.values():
        log.say(line)
    Watch(box.state / "watch.json", partial(_tell, configuration, log)).look(found)
    sys.exit(bool(found))


def _request() -> Request:
    return read_request(sys.stdin.buffer.read(MOST_BYTES + 1))


def _tell(configuration: Configuration | None, log: Log, good: bool, text: str) -> bool:
    """Call the webhook, if there is one; returns whether it was reached. A webhook that is down is not a failure."""
    if configuration is None or not configuration.webhook:
        return True
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    content = json.dumps({"text": f"{configuration.service}: {text}", "ok": good}).encode()
    try:
        urlopen(Request(configuration.webhook, content, {"Content-Type": "application/json"}), timeout=5).close()
    except (OSError, ValueError, HTTPException) as error:
        log.say(f"warning: calling the webhook failed ({type(error).__name__})")
        return False
    return True


if __name__ == "__main__":
    main()
