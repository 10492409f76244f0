"""gunicorn reads this file by itself when it starts in this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from slipway.serving.gunicorn_conf import *  # noqa: F403
