"""A box whose program dies at each step of shipping: python shipments.py BUCKET ENDPOINT FOLDER, prints the logs."""

import http.client
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import killed
from slipway.model.event import CLOSED, OPEN, RAW
from slipway.release.box.bucket import Bucket
from slipway.release.box.instance import Credentials
from slipway.release.box.shipment import ship
from transfers import dies

OWN = Credentials("AKIATESTTESTTESTTEST", "test")
FOLDER = f"{RAW}/date=2026-11-20/bundle=8821177e2697"
FILES = {
    f"{FOLDER}/r1-aa-1{CLOSED}": b"one\n",
    f"{FOLDER}/r1-aa-2{CLOSED}": b"two\n" * 9_000,
    f"{FOLDER}/r1-bb-1{OPEN}": b"three\n",
}
# What is in the bucket in the end, below log/: the file of the process that was killed, too.
SHIPPED = {name.removesuffix(OPEN) + CLOSED if name.endswith(OPEN) else name: content for name, content in FILES.items()}


def fill(log: Path) -> Path:
    """A log with two closed files, and one of a process that was killed."""
    for name, content in FILES.items():
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_bytes(content)
    return log


def reach(bucket: str, prefix: str, endpoint: str) -> Bucket:
    return Bucket(bucket, prefix, "us-east-1", OWN, endpoint)


def start(*arguments: object) -> subprocess.Popen:
    """This program, in a process of its own."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-B", __file__, *map(str, arguments)]
    return subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill(bucket: str, endpoint: str, folder: str) -> None:
    """Ship a new log each time, and die a step later: also before and after each sending."""
    ship(fill(Path(folder, "0")), reach(bucket, "0/", endpoint))  # what is loaded at the first run is loaded once
    deaths, send = [killed.Death(folder, 0, signal.SIGKILL)], http.client.HTTPConnection.send
    sys.addaudithook(lambda event, arguments: deaths[0].audit(event, arguments))
    for step in itertools.count(1):
        log = fill(Path(folder, str(step)))
        death = deaths[0] = killed.Death(str(log), step, signal.SIGKILL)

        def halting(connection, data, death=death):
            death.step()
            send(connection, data)
            death.step()

        def work(log=log, step=step, halting=halting):
            http.client.HTTPConnection.send = halting
            ship(log, reach(bucket, f"{step}/", endpoint))

        print(log, flush=True)
        if not dies(death, work):
            return


if __name__ == "__main__":
    kill(*sys.argv[1:])
