"""HTTP to a release over its unix socket, and to the proxy: one small request, one answer, nothing kept open."""

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 20
PROXY = ("127.0.0.1", 8099)  # where deploy/ec2/nginx.conf answers this machine alone


@dataclass(frozen=True)
class Answer:
    """Status and JSON body; the body is None when it is not JSON."""

    status: int
    document: Any


def ask(address: Path | tuple[str, int], path: str, body: object = None, key: str = "", seconds: float = 5) -> Answer:
    """Ask for `path`: GET, or POST with a JSON `body`.

    Parameters
    ----------
    address : Path or (host, port)
        Of a unix or a TCP socket.
    key : str
        API key, when the service wants one.
    seconds : float
        How long each step (connect, send, receive) may take.

    Raises
    ------
    OSError
        When nobody listens, the answer takes too long, or it is not HTTP.
    """
    connection = _Unix(address, seconds) if isinstance(address, Path) else HTTPConnection(*address, timeout=seconds)
    headers = {"Connection": "close"} | ({"X-API-Key": key} if key else {})
    headers |= {} if body is None else {"Content-Type": "application/json"}
    try:
        with closing(connection):
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, _parsed(answer.read(MOST_BYTES)))
    except HTTPException as error:
        raise OSError(f"the answer is not HTTP ({type(error).__name__})") from error


class _Unix(HTTPConnection):
    """A connection to a unix socket, which http.client has not."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def in_flight(socket_path: str, table: Path = Path("/proc/net/unix")) -> int:
    """How many connections to a listening unix socket are being answered, or wait to be accepted.

    A server's end of a connection is listed under the path that it listens at, in the network namespace of who
    connected: here, because the proxy runs beside this program (unix(7); ``unix_seq_show`` in Linux).

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
