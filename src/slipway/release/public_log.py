"""Whether others read what a release prints."""

import os
from collections.abc import Mapping


def may_show_logs(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to print what an app logs: on GitHub only if PRIVATE_REPOSITORY is true, as anyone reads a public job's log."""
    return "GITHUB_ACTIONS" not in environ or environ.get("PRIVATE_REPOSITORY") == "true"
