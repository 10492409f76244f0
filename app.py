"""WSGI entry: ``gunicorn app:app``, or ``python app.py`` for the same server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from slipway.errors import SlipwayError
from slipway.serving import create_app

if __name__ == "__main__":
    from slipway.serving.server import run

    try:
        run("app:app")
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
else:
    app = create_app()
