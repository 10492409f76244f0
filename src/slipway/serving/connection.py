"""One connection to a client: what has arrived, the request that it makes, and what is left to send.

Nothing here waits for the client. gunicorn parses a head that is not plain and frames the answer; it takes a connection
for a socket to read from and to write to.
"""

import io
import socket
import time
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from gunicorn.http import get_parser
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, LimitRequestHeaders, NoMoreData
from gunicorn.http.wsgi import Response

from slipway.serving.chunks import Chunks, Torn
from slipway.serving.plain_head import Heads

PIECE = 1 << 16
LONGEST_HEAD = 1 << 15
IN_MEMORY = 1 << 16  # of a body; a longer one goes to a file without a name
HEAD_SECONDS = 10
PIECE_SECONDS = 30  # for each piece of a body, or of an answer
SLICE_SECONDS = 0.1  # for making an answer, before others have their turn


class Connection:
    """A client that was accepted; one thread at a time works with it.

    Parameters
    ----------
    heads : Heads
    sock : socket
    client, server
        Addresses, as the socket tells them.
    largest : int
        Bytes of a body that the application does not refuse unread.
    """

    def __init__(self, heads: Heads, sock: socket.socket, client: Any, server: Any, largest: int) -> None:
        sock.setblocking(False)
        self.sock, self.client, self.server = sock, client, server
        self.deadline = time.monotonic() + HEAD_SECONDS
        self.request: Any = None  # a PlainRequest or gunicorn's, which has no types; None between two of them
        self.response: Any = None  # gunicorn's Response, until the next request
        self._largest = largest
        self._heads = heads
        self._parser: Any = None  # gunicorn's, once a head is not plain
        self._received = bytearray()
        self._is_ended = False
        self._body: IO[bytes] | None = None  # before any of it is here
        self._length = 0  # of the body as far as it is here
        self._left = 0  # of a body that does not come in chunks
        self._chunks: Chunks | None = None
        self._unsent = bytearray()
        self._answer: Iterable[bytes] | None = None
        self._pieces: Iterator[bytes] | None = None

    @property
    def is_idle(self) -> bool:
        """No part of a request has arrived."""
        return self.request is None and not self._received

    @property
    def is_short(self) -> bool:
        """The body fits in memory."""
        return self._length <= IN_MEMORY

    @property
    def is_whole(self) -> bool:
        """All of the request has arrived."""
        return self._chunks.is_complete if self._chunks else not self._left

    @property
    def is_read(self) -> bool:
        """Nothing else has arrived than a whole request."""
        return self.is_whole and not self._received

    @property
    def is_made(self) -> bool:
        """The answer is complete, though perhaps not yet sent."""
        return self._pieces is None

    @property
    def is_blocked(self) -> bool:
        """The client has to take some of the answer first."""
        return self.is_made or len(self._unsent) >= PIECE

    @property
    def on_disk(self) -> int:
        """Bytes of the body in a file: here, or in the application's copy until its answer is sent."""
        return 0 if self.is_short else self._length

    @property
    def in_memory(self) -> int:
        """Bytes of the request, and of the answer that the client has not taken yet."""
        return len(self._received) + (self._length if self.is_short else 0) + len(self._unsent)

    def receive(self) -> bool:
        """Take what has arrived; whether there is a request to answer, as `is_ready` says."""
        try:
            data = self.sock.recv(PIECE)
        except BlockingIOError:
            return False
        except OSError as error:
            raise NoMoreData from error
        if data and self.is_idle:
            self.deadline = time.monotonic() + HEAD_SECONDS
        self._is_ended = not data
        self._received += data
        return self.is_ready()

    def is_ready(self) -> bool:
        """Whether there is a request to answer: all of it, or as much as ever comes.

        Raises
        ------
        NoMoreData
            When the client left.
        gunicorn.http.errors.ParseException
            When it is not HTTP.
        OSError
            When there is no room for the body.
        """
        if self.request is None and not self._parse():
            return False
        if self._left <= self._largest:
            self._store()
        return self._is_ended or self.is_whole or self._length + self._left > self._largest

    def _parse(self) -> bool:
        if b"\r\n\r\n" not in self._received and len(self._received) <= LONGEST_HEAD:
            if self._is_ended:
                raise NoMoreData
            return False
        if plain := self._heads.read(self._received, self.client):
            del self._received[: plain.size]
            self.request, self._chunks, self._left = plain, None, plain.length
        else:
            self._parse_with_rules()
        self.deadline = time.monotonic() + PIECE_SECONDS
        return True

    def _parse_with_rules(self) -> None:
        self._parser = self._parser or get_parser(self._heads.cfg, self, self.client)
        try:
            self.request = next(self._parser)
        except NoMoreData as error:
            raise LimitRequestHeaders(f"no end within {LONGEST_HEAD} bytes") from error
        self._received[:0] = self._parser.unreader.take_buffered()
        reader, self.request.body = self.request.body.reader, io.BytesIO()  # read here, not by gunicorn
        self._chunks = None if hasattr(reader, "length") else Chunks()
        self._left = 0 if self._chunks else reader.length
        if self.request._expected_100_continue:  # gunicorn would say so when the body is here
            self.request._expected_100_continue = False
            if self._left <= self._largest:
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _store(self) -> None:
        """Move what belongs to the body to where the application reads it."""
        if self._chunks:
            try:
                content: bytes | bytearray = self._chunks.decode(self._received)
            except (InvalidChunkSize, ChunkMissingTerminator):
                self._is_ended, content = True, b""
        else:
            content = self._received[: self._left]
            del self._received[: self._left]
            self._left -= len(content)
        self._keep(content)
        if (self._length + len(content)) // PIECE > self._length // PIECE:
            self.deadline = time.monotonic() + PIECE_SECONDS
        self._length += len(content)

    def _keep(self, content: bytes | bytearray) -> None:
        if self._body is None:
            if self.is_whole and len(content) <= IN_MEMORY:
                self._body = io.BytesIO(content)
                return
            self._body = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with the connection
        self._body.write(content)

    def body(self) -> "Connection | Torn":
        """What the application reads; it finds out itself when a length was announced and less is there."""
        if self._chunks and self._is_ended and not self.is_whole:
            return Torn()
        if self._body is not None:
            self._body.seek(0)
        return self

    def read(self, size: int = -1) -> bytes:
        """For the application: the next bytes of the body, once; their room is free when the last are read."""
        if self._body is None:
            return b""
        data = self._body.read(size)
        if self.on_disk and self._body.tell() >= self._length:
            self._body.truncate(0)
        return data

    def recv(self, size: int) -> bytes:
        """For gunicorn: what has arrived."""
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def answer(self, response: Response, pieces: Iterable[bytes]) -> None:
        """What to send from now on."""
        self.response, self._answer, self._pieces = response, pieces, iter(pieces)

    def proceed(self) -> bool:
        """Make and send the answer as far as the client takes it, and for a while; whether all is sent."""
        end = time.monotonic() + SLICE_SECONDS
        while self._pieces is not None:
            if len(self._unsent) >= PIECE and not self.flush():
                return False
            piece = next(self._pieces, None)
            if piece is None:
                self.response.close()
                self._pieces = None
            else:
                self.response.write(piece)
                if time.monotonic() > end:
                    return False
        return self.flush()

    def sendall(self, data: bytes) -> None:
        """For gunicorn: send later, head and body together."""
        self._unsent += data

    def gettimeout(self) -> float:
        """For gunicorn: nothing here blocks."""
        return 0.0

    def flush(self) -> bool:
        """Send as much as the client takes; whether nothing is left."""
        while self._unsent:
            try:
                sent = self.sock.send(self._unsent)
            except BlockingIOError:
                return False
            del self._unsent[:sent]
            self.deadline = time.monotonic() + PIECE_SECONDS
        return True

    def end_answer(self) -> None:
        """Tell the application that its answer is sent, or given up."""
        answer, self._answer, self._pieces = self._answer, None, None
        if answer is not None and hasattr(answer, "close"):
            answer.close()

    def renew(self, seconds: float) -> None:
        """Wait for the next request on the same connection."""
        self._free()
        self.request = self.response = None
        self._length = 0
        self.deadline = time.monotonic() + seconds

    def linger(self, seconds: float) -> None:
        """End our side; the client may have to read the answer before it stops sending."""
        self.flush()
        self.deadline = time.monotonic() + seconds
        self.sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Pass over what still arrives; whether the client has ended too."""
        try:
            return not self.sock.recv(PIECE)
        except BlockingIOError:
            return False

    def close(self) -> None:
        """End it."""
        self._free()
        self.sock.close()

    def _free(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
