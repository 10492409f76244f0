"""A body in chunks (RFC 9112, section 7.1), taken apart as it arrives."""

from typing import NoReturn

from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize

HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")
LONGEST_LINE = 4096
LONGEST_TRAILERS = 1 << 15


class Chunks:
    """How far a body in chunks has arrived."""

    def __init__(self) -> None:
        self.is_complete = False
        self._left: int | None = None  # of a chunk, with its line end; None before its size is known
        self._trailers = 0  # bytes of them; 0 before the last chunk

    def decode(self, received: bytearray) -> bytes:
        """Take from `received` what belongs to the body; its content without sizes and trailers.

        Raises
        ------
        InvalidChunkSize, ChunkMissingTerminator
            When it is not a body in chunks.
        """
        content = bytearray()
        while not self.is_complete:
            if self._left is not None:
                if not self._take(self._left, received, content):
                    break
            else:
                line, end, _ = received.partition(b"\r\n")
                if not end:
                    if len(received) > LONGEST_LINE:
                        raise InvalidChunkSize(b"a line without an end")
                    break
                del received[: len(line) + 2]
                self._read(bytes(line))
        return bytes(content)

    def _take(self, left: int, received: bytearray, content: bytearray) -> bool:
        """Content of the chunk, of which so many bytes are left; whether the chunk is complete."""
        if left > 2:
            piece = received[: left - 2]
            del received[: len(piece)]
            content += piece
            self._left = left = left - len(piece)
        if left > 2 or len(received) < 2:
            return False
        if received[:2] != b"\r\n":
            raise ChunkMissingTerminator(bytes(received[:2]))
        del received[:2]
        self._left = None
        return True

    def _read(self, line: bytes) -> None:
        """The size of a chunk, or a trailer, which nobody reads."""
        if b"\r" in line or b"\n" in line:  # a proxy may end the line there, and read a request that is hidden in the rest
            raise InvalidChunkSize(b"a bare CR or LF")
        if self._trailers:
            self._trailers += len(line)
            self.is_complete = not line
            if self._trailers > LONGEST_TRAILERS:
                raise InvalidChunkSize(b"too many trailers")
            return
        size = line.partition(b";")[0].rstrip(b" \t")
        if not size or len(size) > 16 or not HEXADECIMAL.issuperset(size):
            raise InvalidChunkSize(size)
        length = int(size, 16)
        if length:
            self._left = length + 2
        else:
            self._trailers = 1


class Torn:
    """What the application reads of a body in chunks that broke off: it has no length that could tell."""

    def read(self, size: int = -1) -> NoReturn:
        raise ChunkMissingTerminator(b"")
