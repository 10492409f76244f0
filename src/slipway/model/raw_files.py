"""Where the raw files of the prediction log are, and their names. A box ships them by these alone."""

from pathlib import Path

FOLDER = "log"  # its usual name beside slipway.yaml, and in the remote store
RAW = "raw"
OPEN, CLOSED = ".jsonl.open", ".jsonl"


def make_folder(root: Path) -> None:
    """Make the folder of a log. What people sent must not get into git, so a new one says that itself."""
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True)
        (root / ".gitignore").write_text("*\n")
