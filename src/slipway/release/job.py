"""What a release knows of the job that runs it."""

import os
from collections.abc import Mapping


def may_show_logs(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether lines of an app may be printed: not on GitHub, unless PRIVATE_REPOSITORY is true. Anyone reads a public job's log."""
    return "GITHUB_ACTIONS" not in environ or environ.get("PRIVATE_REPOSITORY") == "true"
