"""The look that the report shares with every page of the service."""

from pathlib import Path

LOOK = Path(__file__).parent / "look.css"
