"""The date that a rehearsal's programs see: they start with loop/startup, which answers in place of Python's own clock."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STARTUP = Path(__file__).resolve().parent / "startup"


@dataclass(frozen=True)
class Clock:
    """A clock that goes as fast as the real one, from whatever moment it was set to last; `file` says how far it is ahead."""

    file: Path

    def environ(self, source: Path) -> dict[str, str]:
        """For programs that shall see it, with the Slipway of `source`."""
        return {"PYTHONPATH": os.pathsep.join([str(STARTUP), str(source)]), "REHEARSAL_CLOCK": str(self.file)}

    def set(self, moment: datetime) -> None:
        """Have it be this moment, in UTC."""
        ahead = moment - datetime.now(UTC).replace(tzinfo=None)
        new = self.file.with_suffix(".new")
        new.write_text(str(ahead.total_seconds()))
        os.replace(new, self.file)  # a reader never sees half of it
