"""HTTP to a release over its unix socket, and to the proxy: one small request, one answer, nothing kept open."""

import json
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.model.document import parse

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
        How long the answer may take: a release that trickles must not hold up the box.

    Raises
    ------
    OSError
        When nobody listens, the answer takes too long, or it is no HTTP.
    """
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.0", "Host: localhost"]
    lines += [f"X-API-Key: {key}"] if key else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if body is not None else []
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    deadline = time.monotonic() + seconds
    with socket.socket(family) as connection:
        connection.settimeout(seconds)
        connection.connect(str(address) if isinstance(address, Path) else address)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        answer = b""
        while (block := connection.recv(65_536)) and len(answer) < MOST_BYTES:
            answer += block
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError("timed out")
            connection.settimeout(left)
    head, _, rest = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not re.fullmatch(rb"[0-9]{3}", words[1]):
        raise OSError("the answer is no HTTP")
    try:
        return Answer(int(words[1]), parse(rest))
    except ValueError:
        return Answer(int(words[1]), None)


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
