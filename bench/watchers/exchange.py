"""What a tool is given, and what it gives back: CPU seconds of its process, user and system, and its peak of memory."""

import json
import os
import resource
import sys
import time


def given() -> dict:
    """Paths of one run, from the command line."""
    return json.loads(sys.argv[1])


def tell(began: float, imported: float, fitted: float, page: object, rows: int) -> None:
    """Print what was spent until now: on imports, on learning the reference where that is a step of its own, on the check."""
    found = {
        "import": imported - began,
        "reference": fitted - imported,
        "check": time.process_time() - fitted,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "page": os.path.getsize(str(page)) / 1e3 if page else 0,
        "rows": rows,
    }
    print(json.dumps(found))
