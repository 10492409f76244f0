"""What one call costs, counted instead of timed, beside the last accepted result.

Counted are the opcodes that Python executes and the C functions that it calls, in all threads of a call, the most memory
that it takes, the objects that it leaves to the garbage collector, and the modules that a started service has loaded. The
model is linear and made by hand, of the six columns of the insurance table, so that no training changes a count. Calls are
made of the application, and one of gunicorn's worker over a connection. What ONNX Runtime, NumPy and msgspec do inside is
not counted, and neither is what other processes do. Compare counts of one version of Python.

    python bench/guard
    python bench/guard --accept    # after a change that is worth its price, or that made something better
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from calls import PARTS, ROOT, make_problem
from figures import Figures, Line, accept, accepted, compared, table

ACCEPTED = Path(__file__).with_name("accepted.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="write what is measured to accepted.json")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # in a process of its own
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        (options.folder / f"{options.part}.json").write_text(json.dumps(PARTS[options.part](options.folder)))
        return
    before = accepted(ACCEPTED)
    now = measured()
    if options.accept:
        accept(ACCEPTED, now)
    report(compared(before, now))


def report(lines: list[Line]) -> None:
    """The table on standard output, and what is worse on standard error, which GitHub Actions shows as warnings."""
    print(table(lines))
    mark = "::warning title=Costs more than accepted::" if "GITHUB_ACTIONS" in os.environ else "guard: "
    for line in lines:
        if line.is_worse:
            print(f"{mark}{line.name}: {line.verdict}", file=sys.stderr)


def measured() -> Figures:
    """Every figure; each part in a process of its own, where nothing else was imported before."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_problem(folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
        own = {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "0", "PROMETHEUS_MULTIPROC_DIR": name}
        for part in PARTS:
            command = [sys.executable, __file__, "--part", part, "--folder", name]
            subprocess.run(command, env=kept | own, check=True, stdout=subprocess.DEVNULL)  # the access log
            figures |= json.loads((folder / f"{part}.json").read_text())
    return figures


if __name__ == "__main__":
    main()
