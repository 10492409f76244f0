import pytest
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize

from slipway.serving.chunks import LONGEST_LINE, Chunks, Torn


@pytest.mark.parametrize(
    "sent, content, rest",
    [
        (b"0\r\n\r\n", b"", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
        (b"5\r\nhello\r\n0\r\n\r\nGET /", b"hello", b"GET /"),
        (b"A \r\n0123456789\r\n0\r\nDigest: x\r\nMore: y\r\n\r\n", b"0123456789", b""),
        (b"3\r\nabc\r\n6;note=1\r\n0\r\n\r\n0\r\n0\r\n\r\n", b"abc0\r\n\r\n0", b""),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_a_body_is_taken_apart_however_it_arrives(sent, content, rest, step):
    chunks, received, found = Chunks(), bytearray(), b""
    for start in range(0, len(sent), step):
        received += sent[start : start + step]
        found += chunks.decode(received)
    assert (found, bytes(received), chunks.is_complete) == (content, rest, True)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"5",
        b"5\r\n",
        b"5\r\nhell",
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"0\r\nA: b\r\n",
    ],
)
def test_what_has_not_ended_is_not_complete(sent):
    chunks = Chunks()
    chunks.decode(bytearray(sent))
    assert not chunks.is_complete


@pytest.mark.parametrize(
    "sent, error",
    [
        (b"\r\n", InvalidChunkSize),
        (b"zz\r\n", InvalidChunkSize),
        (b"-1\r\n", InvalidChunkSize),
        (b"0x5\r\n", InvalidChunkSize),
        (b"+5\r\n", InvalidChunkSize),
        (b"5_0\r\n", InvalidChunkSize),
        (b"f" * 17 + b"\r\n", InvalidChunkSize),
        (b"1" * (LONGEST_LINE + 1), InvalidChunkSize),
        (b"5;a\nhello\r\n", InvalidChunkSize),
        (b"5;a\rb\r\n", InvalidChunkSize),
        (b"0\r\nA: b\nGET /\r\n\r\n", InvalidChunkSize),
        (b"0\r\n" + b"A: b\r\n" * 10_000, InvalidChunkSize),
        (b"3\r\nabcd\r\n", ChunkMissingTerminator),
    ],
)
def test_what_is_not_a_body_in_chunks_is_refused(sent, error):
    with pytest.raises(error):
        Chunks().decode(bytearray(sent))


def test_a_body_that_broke_off_is_not_taken_for_a_short_one():
    with pytest.raises(ChunkMissingTerminator):
        Torn().read()
