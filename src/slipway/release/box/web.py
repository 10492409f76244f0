"""HTTP to a release over its unix socket, and to the proxy: one small request and answer per connection."""

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from slipway.model.document import parsed_or_none

MOST_BYTES = 1 << 20
PROXY = ("127.0.0.1", 8099)  # where release/ec2/nginx.conf answers this machine alone


@dataclass(frozen=True)
class Answer:
    """Status and JSON body; the body is None when it is not JSON."""

    status: int
    document: Any


def ask(address: Path | tuple[str, int], path: str, body: object = None, key: str = "", seconds: float = 5) -> Answer:
    """Request `path`: GET, or POST with a JSON `body`.

    Parameters
    ----------
    address : Path or (host, port)
        Of a unix or a TCP socket.
    key : str
        API key, if the service requires one.
    seconds : float
        How long the whole answer may take: a slow release must not block the box.

    Raises
    ------
    OSError
        If nothing listens, the answer takes too long, or it is not HTTP.
    """
    headers = {"Connection": "close"} | ({"X-API-Key": key} if key else {})
    headers |= {} if body is None else {"Content-Type": "application/json"}
    try:
        with closing(_Connection(address, seconds)) as connection:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, parsed_or_none(answer.read(MOST_BYTES)))
    except (HTTPException, ValueError) as error:
        raise OSError(f"the answer is not HTTP ({type(error).__name__})") from error


class _Connection(HTTPConnection):
    """Also over a unix socket, which http.client lacks; takes at most `seconds` in total."""

    def __init__(self, address: Path | tuple[str, int], seconds: float) -> None:
        super().__init__("localhost")
        self._address = address
        self._seconds = seconds

    def connect(self) -> None:
        is_unix = isinstance(self._address, Path)
        self.sock = _Timed(socket.AF_UNIX if is_unix else socket.AF_INET)
        self.sock.deadline = time.monotonic() + self._seconds
        self.sock.settimeout(self._seconds)
        self.sock.connect(str(self._address) if isinstance(self._address, Path) else self._address)


class _Timed(socket.socket):
    """Everything must arrive by the deadline; a socket's timeout is per read."""

    deadline = 0.0

    def recv_into(self, *arguments: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)
        return super().recv_into(*arguments)


def in_flight(socket_path: str, table: Path = Path("/proc/net/unix")) -> int:
    """How many connections to a listening unix socket are being answered or wait to be accepted.

    A server's end of a connection is listed under the path that it listens at, in the network namespace of the
    client: here, because the proxy runs next to this program (unix(7); ``unix_seq_show`` in Linux).

    Parameters
    ----------
    socket_path : str
        As the server itself names it.
    """
    listening = 0x10000
    count = 0
    for line in table.read_text(errors="replace").splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[7] == socket_path and not int(words[3], 16) & listening:
            count += 1
    return count
