"""When a person is told: each channel once, when the outcome is another than it was told last.

What a channel was told is kept in alerts.json, so a message that did not arrive is sent after the next look, also if
nothing changed since. Two looks at the same moment may both tell; nothing is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from slipway.errors import StoreError
from slipway.monitoring.channels import Channel
from slipway.monitoring.message import Message
from slipway.monitoring.partitions import TOP, Log
from slipway.store.atomic import replace, unwritable

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store

NOTE = "alerts.json"
UNTOLD = "quiet"  # what nobody has to be told at first


@dataclass(frozen=True)
class Note:
    """What each channel was told last: outcome by name, in the folder of the log and, if there is one, in the remote store.

    The remote one counts: looks may be taken by one machine today, and by another tomorrow.
    """

    log: Log
    remote: "S3Store | None"

    @property
    def path(self) -> Path:
        return self.log.root / NOTE

    def read(self) -> Mapping[str, str]:
        """Nothing when there is none, or when it is damaged."""
        try:
            return msgspec.json.decode(self._content(), type=dict[str, str])
        except msgspec.DecodeError:
            return {}

    def _content(self) -> bytes:
        name = TOP + NOTE
        if self.remote and name in self.remote.sizes(name):
            return self.remote.read(name)
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read ({error.strerror})") from error

    def write(self, told: Mapping[str, str]) -> None:
        content = msgspec.json.encode(told, order="sorted")
        if self.remote:
            self.remote.write(TOP + NOTE, content, sha256(content).hexdigest())
        try:
            replace(self.path, content)
        except OSError as error:
            raise unwritable(self.path, error) from error


def tell(message: Message, channels: Sequence[Channel], note: Note) -> list[str]:
    """Send the message where its outcome was not told yet.

    Parameters
    ----------
    message : Message
    channels : sequence of Channel
    note : Note
        Changed when a message arrived; after each, for a later one may take its time.

    Returns
    -------
    list of str
        What went wrong, in sentences: none of it makes a look fail.
    """
    failed: list[str] = []
    try:
        told = dict(note.read()) if channels else {}
        for channel in channels:
            if told.get(channel.name, UNTOLD) == message.outcome:
                continue
            if reason := channel.send(message):
                failed.append(f"{channel.name}: the message did not arrive ({reason}); it is sent again after the next run")
            else:
                told[channel.name] = message.outcome
                note.write(told)
    except StoreError as error:
        failed.append(f"nobody knows whom the messages reached: {error}")
    return failed
