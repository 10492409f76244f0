"""What a load balancer does with a request: one target, one try.

It never repeats a request: a target that refuses, resets or closes is 502 for the client, one that is silent 504, no target
at all 503. Connections to clients and to targets are kept; an idle one to a target is used again for at most `IDLE` seconds.

A real one passes requests and answers on piece by piece; here they are read as a whole first. It closes clients that are
idle; here they may stay. An answer needs a length or chunks here: one that ends with its connection is 502.
"""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from rehearsal.target_group import Target, TargetGroup

IDLE = 60
CONNECT = 10
LARGEST_HEAD = 1 << 16
OWN = (b"connection", b"keep-alive", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port")
BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError)


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, the headers as they came, and the body with the marks of its chunks."""

    first: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")

    @property
    def keeps(self) -> bool:
        """Whether its sender keeps the connection."""
        return b"HTTP/1.1" in self.first and self.header(b"connection").lower() != b"close"

    def rendered(self, *more: tuple[bytes, bytes]) -> bytes:
        """As bytes, with other headers about the connection."""
        kept = [(key, value) for key, value in self.headers if key.lower() not in OWN]
        lines = [self.first, *(key + b": " + value for key, value in (*kept, *more))]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


async def read_message(reader: asyncio.StreamReader, answer_to: bytes = b"") -> Message | None:
    """A message; None if the sender closed before it began one. `answer_to`: the method, if it is an answer."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head[:-4].split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    bare = Message(first, tuple((key, value.strip()) for key, _, value in pairs), b"")
    if answer_to == b"HEAD" or (answer_to and first.split(b" ")[1] in (b"204", b"304")):
        return bare
    if bare.header(b"transfer-encoding").lower() == b"chunked":
        return Message(first, bare.headers, await _chunks(reader))
    length = bare.header(b"content-length") or (b"" if answer_to else b"0")
    return Message(first, bare.headers, await reader.readexactly(int(length)))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while True:
        size = await reader.readuntil(b"\r\n")
        parts += [size, await reader.readexactly(int(size.split(b";")[0], 16) + 2)]
        if int(size.split(b";")[0], 16) == 0:
            return b"".join(parts)


class Proxy:
    """Passes requests on to the targets of a group."""

    def __init__(self, group: TargetGroup) -> None:
        self._group = group
        self._idle: dict[str, list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]]] = defaultdict(list)
        self._busy: dict[str, set[asyncio.StreamWriter]] = defaultdict(set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a client until it closes its connection."""
        try:
            host = writer.get_extra_info("peername")[0].encode()
            while (request := await read_message(reader)) is not None:
                writer.write(await self._answer(request, host))
                await writer.drain()
                if not request.keeps:
                    break
        except BROKEN:
            pass  # the client is gone, or sent no HTTP
        finally:
            writer.close()

    def forget(self, address: str, cut: bool) -> None:
        """Close what is idle to a target; with `cut`, also what it has not answered."""
        for _, _, writer in self._idle.pop(address, []):
            writer.close()
        for writer in self._busy[address] if cut else ():
            writer.transport.abort()

    async def _answer(self, request: Message, client: bytes) -> bytes:
        target = self._group.choose(time.monotonic())
        if target is None:
            return refusal(b"503 Service Unavailable")
        target.outstanding += 1
        try:
            answer = await self._ask(target, request, client)
        except TimeoutError:
            return refusal(b"504 Gateway Timeout")
        except BROKEN:
            return refusal(b"502 Bad Gateway")
        finally:
            target.outstanding -= 1
        return answer.rendered((b"Connection", b"keep-alive" if request.keeps else b"close"))

    async def _ask(self, target: Target, request: Message, client: bytes) -> Message:
        reader, writer = await self._connection(target.address)
        self._busy[target.address].add(writer)
        kept = False
        try:
            sender = b", ".join(filter(None, (request.header(b"x-forwarded-for"), client)))
            writer.write(request.rendered((b"X-Forwarded-For", sender), (b"X-Forwarded-Proto", b"https")))
            await writer.drain()
            answer = await asyncio.wait_for(read_message(reader, request.first.split(b" ")[0]), IDLE)
            if answer is None:
                raise ConnectionResetError("closed without an answer")
            kept = answer.keeps and target.left is None
            return answer
        finally:
            self._busy[target.address].discard(writer)
            if kept:
                self._idle[target.address].append((time.monotonic(), reader, writer))
            else:
                writer.close()

    async def _connection(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that is idle and that the target has not closed, or a new one."""
        while self._idle[address]:
            since, reader, writer = self._idle[address].pop()
            if not reader.at_eof() and time.monotonic() - since < IDLE:
                return reader, writer
            writer.close()
        host, _, port = address.rpartition(":")
        return await asyncio.wait_for(asyncio.open_connection(host, int(port), limit=LARGEST_HEAD), CONNECT)


def refusal(status: bytes) -> bytes:
    """What the load balancer answers by itself."""
    return b"HTTP/1.1 " + status + b"\r\nServer: load-balancer\r\nContent-Length: 0\r\n\r\n"
