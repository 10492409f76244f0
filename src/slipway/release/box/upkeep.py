"""What timers have the box do by itself: look for what needs a person, and ship prediction logs."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.box.bucket import bucket_at
from slipway.release.box.configuration import Configuration
from slipway.release.box.disk import usage
from slipway.release.box.instance import identify
from slipway.release.box.outage import examine, log_of, unlogged
from slipway.release.box.outage import findings as service_findings
from slipway.release.box.shipment import as_service, ship
from slipway.release.box.state import Box
from slipway.release.box.watch import RESTART, Watch, findings

Say = Callable[[str], None]
Tell = Callable[[str, Configuration, bool, str], bool]  # a service, its settings, whether it is good news, and a sentence


def watch(boxes: Sequence[Box], settings: Mapping[str, Configuration], say: Say, tell: Tell) -> bool:
    """Tell what begins and what is over; returns whether anything needs attention.

    What concerns the machine is told to all services, each address once; what concerns a service to that one.

    Parameters
    ----------
    settings : mapping of str to Configuration
        By service, without those that cannot be read.
    """
    shared = boxes[0].shared
    webhooks = {each.webhook: (name, each) for name, each in settings.items()}

    def tell_all(good: bool, text: str) -> bool:
        reached = [tell(name, each, good, text) for name, each in webhooks.values()]
        return all(reached)

    found = findings(os.statvfs(shared), RESTART.exists(), partial(usage, boxes))
    for line in found.values():
        say(line)
    Watch(shared / "watch.json", tell_all).look(found)
    ill = bool(found)
    for box in boxes:
        if box.service in settings:
            own = settings[box.service]
            found = service_findings(examine(box, own))
            for line in found.values():
                say(f"{box.service}: {line}")
            Watch(box.state / "watch.json", partial(tell, box.service, own)).look(found)
            ill |= bool(found)
    return ill


def ship_all(boxes: Sequence[Box], settings: Mapping[str, Configuration], environ: Mapping[str, str], say: Say) -> bool:
    """Ship the prediction logs of all services that have a place for them; returns whether all went well.

    One that fails keeps no other from being shipped.
    """
    sound = True
    for box in boxes:
        own = settings.get(box.service)
        if own and own.log_remote and (log := log_of(box, own)):
            try:
                sound &= _ship(log, box, own, environ, partial(_named, say, box.service))
            except (ReleaseError, OSError) as error:
                say(f"Result: FAILED: {box.service}: {error}")
                sound = False
    return sound


def _ship(log: Path, box: Box, own: Configuration, environ: Mapping[str, str], say: Say) -> bool:
    if lost := unlogged(log, box.root):
        raise ReleaseError(lost, "Mount it: see On a box in docs/prediction-log.md")
    bucket = bucket_at(own.log_remote, identify(environ), environ)

    def work() -> bool:
        try:
            if count := ship(Path(), bucket):
                say(f"shipped {count} files of the prediction log to {own.log_remote}")
        except ReleaseError as error:
            say(f"Result: FAILED: {error}")
            return False
        return True

    return as_service(log, work)


def _named(say: Say, service: str, line: str) -> None:
    say(f"{service}: {line}")
