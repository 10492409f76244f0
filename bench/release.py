"""The swap of the release program against stop-then-run, side by side under the same traffic.

    .venv/bin/python bench/release.py [SWAPS]

Needs a Docker engine. Prints for both: seconds from the start of the program until all traffic is on the new release,
and how many requests failed; and the seconds of a rollback.
"""

import json
import secrets
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "deploy"), str(ROOT / "tests")]

from bundles import ROWS, make_bundle  # noqa: E402
from images import build_release, checkout, push  # noqa: E402
from rehearsal.box import PROGRAM, Box, build_box, make_box  # noqa: E402
from rehearsal.containers import Docker  # noqa: E402
from rehearsal.registry import make_registry  # noqa: E402
from rehearsal.traffic import Traffic, traffic  # noqa: E402
from servers import free_port  # noqa: E402

RATE = 240
MEASURED = """
import subprocess, sys, time
print(time.time(), flush=True)
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
"""


def main() -> None:
    swaps = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    docker = Docker()
    with ExitStack() as stack:
        build_box(docker)
        registry = stack.enter_context(make_registry(docker, secrets.token_hex(16), free_port()))
        docker("login", "--username", "AWS", "--password-stdin", registry.host, input=registry.password)
        repository = f"{registry.host}/bench"
        digests = [make_image(docker, f"{repository}:{number}", number) for number in range(2)]
        box = stack.enter_context(make_box(docker, repository, (registry.host, "AWS", registry.password)))
        release(box, digests[0], 1)
        with traffic("127.0.0.1", box.port, ROWS[0], RATE) as found:
            swapped = [release(box, digests[number % 2], number) for number in range(2, 2 + swaps)]
            rolled = []
            for number in range(2 + swaps, 2 + 2 * swaps):
                rolled.append(switched(box, "", "rollback"))
                release(box, digests[number % 2], number)
        report("release program", swapped, found)
        with traffic("127.0.0.1", box.port, ROWS[0], RATE) as found:
            stopped = [stop_then_run(box) for _ in range(swaps)]
        report("stop, then run", stopped, found)
        print(f"rollback         median {statistics.median(rolled):.3f} s, longest {max(rolled):.3f} s")


def make_image(docker: Docker, tag: str, change: int) -> str:
    with tempfile.TemporaryDirectory() as place:
        make_bundle(checkout(Path(place)), "regression", weights=[[250.0 + change], [30.0], [23000.0], [1.0]])
        build_release(docker, Path(place), tag)
    return push(docker, tag)


def release(box: Box, digest: str, number: int) -> float:
    return switched(box, json.dumps({"digest": digest, "commit": f"{number:040x}", "run_number": number}))


def switched(box: Box, request: str, *arguments: str) -> float:
    """Seconds from the start of the program until it noted that all traffic is on the other release."""
    begun = float(box.run("python3", "-c", MEASURED, PROGRAM, *arguments, text=request).stdout)
    entry = json.loads(box.run("tail", "-n", "1", f"{box.state}/history.jsonl").stdout)
    return datetime.fromisoformat(entry["at"]).timestamp() - begun


def stop_then_run(box: Box) -> float:
    name, start = f"slipway-{box.live()}", time.monotonic()
    box.docker("stop", "--time", "40", name)
    box.docker("start", name)
    box.run("sh", "-c", "until curl -sf http://127.0.0.1:8099/readyz >/dev/null; do sleep 0.02; done")
    return time.monotonic() - start


def report(name: str, seconds: list[float], found: Traffic) -> None:
    print(
        f"{name:<16} median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s; "
        f"{len(found.requests):,} requests at {found.rate:.0f}/s, {len(found.failed):,} failed"
    )


if __name__ == "__main__":
    main()
