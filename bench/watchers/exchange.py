"""What a tool is given, and what it gives back: CPU seconds of its process, user and system, and its peak of memory."""

import json
import os
import sys
import time
from pathlib import Path


def given() -> dict:
    """Paths of one run, from the command line."""
    return json.loads(sys.argv[1])


def tell(began: float, imported: float, fitted: float, page: object, rows: int) -> None:
    """Print what was spent until now: on imports, on learning the reference where that is a step of its own, on the check."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    found = {
        "import": imported - began,
        "reference": fitted - imported,
        "check": time.process_time() - fitted,
        "memory": int(status["VmHWM"].split()[0]) / 1024,  # getrusage would have the memory of the process that started this
        "page": os.path.getsize(str(page)) / 1e3 if page else 0,
        "rows": rows,
    }
    print(json.dumps(found))
