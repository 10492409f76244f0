"""Several services on one box: their images, load on all of them at once, and the swap of one."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rehearsal.box import Box
from rehearsal.containers import Docker
from rehearsal.traffic import Traffic, traffic

RATE = 60  # requests a second for each service


def copy_image(docker: Docker, login: Path, source: str, target: str) -> None:
    """Copy an image, ``repository@digest``, to another repository; `login` is the folder of Docker's settings."""
    docker("--config", login, "pull", "--quiet", source)
    docker("tag", source, target)
    docker("--config", login, "push", target)
    docker("image", "rm", target)


@contextmanager
def load(services: Sequence[Box], row: dict) -> Iterator[list[Traffic]]:
    """Traffic on each service as long as the block lasts."""
    with ExitStack() as stack:
        yield [stack.enter_context(traffic("127.0.0.1", each.port, row, RATE, each.path)) for each in services]


def swap_and_go_back(service: Box, requests: Iterable[dict]) -> tuple[list[float], list[float]]:
    """Seconds of each release, and of the rollback after it."""
    swaps, rollbacks = [], []
    for request in requests:
        start = time.monotonic()
        service.release(request)
        swaps.append(time.monotonic() - start)
        start = time.monotonic()
        service.rollback()
        rollbacks.append(time.monotonic() - start)
    return swaps, rollbacks
