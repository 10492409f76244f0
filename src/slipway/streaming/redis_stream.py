"""Redis Streams. An answer is written and its message acknowledged in one step of the server, or neither is."""

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from slipway.errors import ProblemError, StreamError
from slipway.streaming.stream import Away, Message, Names, Reply

FIELD = b"row"
BLOCK_MILLISECONDS = 1_000
TIMEOUT_SECONDS = 10
LEFT_BEHIND_SECONDS = 10  # a message that was read so long ago and is not acknowledged: its consumer is gone, or very slow
LOOK_SECONDS = 5
PASSING = (redis.ConnectionError, redis.TimeoutError, MasterDownError, ClusterDownError, OutOfMemoryError, ReadOnlyError)
# The disk is full; too few replicas; a failover; somebody's script takes long. The others have classes, but not in a script.
PASSING_WORDS = ("MISCONF", "NOREPLICAS", "UNBLOCKED", "BUSY ", "OOM", "READONLY", "MASTERDOWN")
IN_A_SCRIPT = re.compile(r"Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-?")  # Redis 6 puts it first
GONE = ("NOGROUP", "no such key")  # the group; with the stream
FORGOTTEN_SECONDS = 3_600  # a consumer that has not read for so long and left nothing behind is removed: it was killed
LARGEST = 8 << 20  # bytes of one call of the script, or one message; nobody else is served meanwhile
# What the reading rests on; none of it can be set by the URL.
OURS: Mapping[str, Any] = {
    "socket_timeout": TIMEOUT_SECONDS,
    "decode_responses": False,
    "encoding": "utf-8",
    "protocol": 2,
    "retry": Retry(NoBackoff(), 0),
}

# The message may have been claimed and answered by another consumer meanwhile, or by this one before its connection broke.
# It is acknowledged last: what a script wrote is not undone when a later command of it fails.
SETTLE = """
local at = 2
while at <= #ARGV do
  local id, width = ARGV[at], tonumber(ARGV[at + 2])
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1) == 1 then
    redis.call('XADD', KEYS[tonumber(ARGV[at + 1])], '*', unpack(ARGV, at + 3, at + 2 + width))
    redis.call('XACK', KEYS[1], ARGV[1], id)
  end
  at = at + 3 + width
end
"""
# Removing a consumer drops what is pending under its name, so nothing may come between the look and the removal.
LEAVE = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
"""
ANSWERS, DEAD = 2, 3  # which of the script's keys


class RedisStream:
    """A consumer of a group. The group is made when it is absent, and begins with the oldest entry.

    Parameters
    ----------
    url : str
        As redis-py takes it.
    names : Names

    Raises
    ------
    ProblemError
        When the URL is not valid, or sets one of `OURS`.
    """

    def __init__(self, url: str, names: Names) -> None:
        if taken := sorted({*OURS, "legacy_responses"} & parse_qs(urlsplit(url).query).keys()):
            raise ProblemError(f"the URL cannot set {taken[0]}", "Leave it out")
        try:
            self._client: Any = redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_SECONDS, **OURS)
            self._client.connection_pool.make_connection()  # looks at the options, and connects to nothing
        except (ValueError, TypeError, RedisError):  # what it says may quote a password
            raise ProblemError("the URL of Redis is not valid", "Write it as redis://HOST:6379/0") from None
        self._names = names
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._settle, self._leave = (self._client.register_script(script) for script in (SETTLE, LEAVE))
        self._has_group = False
        self._looked, self._cursor = float("-inf"), b"0-0"

    def read(self, most: int) -> Sequence[Message]:
        """The next entries, those first that a consumer left behind."""
        with self._told():
            self._require_group()
            found = self._left_behind(most)
            if not found:
                streams = {self._names.source: ">"}
                options = {"count": most, "block": BLOCK_MILLISECONDS}
                read = self._client.xreadgroup(self._names.group, self._consumer, streams, **options)
                found = read[0][1] if read else []
        return [Message(entry.decode(), fields.get(FIELD)) for entry, fields in found]

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write and acknowledge at once; of a message that was settled before, nothing is written again."""
        with self._told():
            self._require_group()
            keys = [self._names.source, self._names.answers, self._names.dead]
            for arguments in _calls(replies):
                self._settle(keys=keys, args=[self._names.group, *arguments])

    def waiting(self) -> int | None:
        """What the group has neither read nor acknowledged."""
        with self._told():
            self._require_group()
            groups = {group["name"]: group for group in self._client.xinfo_groups(self._names.source)}
        found = groups.get(self._names.group.encode(), {})
        return None if found.get("lag") is None else int(found["lag"]) + int(found["pending"])

    def close(self) -> None:
        """Remove this consumer, unless the group still has messages under its name: those are claimed by that name."""
        with suppress(RedisError):
            self._remove(self._consumer)
        self._client.close()

    def _require_group(self) -> None:
        if not self._has_group:
            with _unless_there():
                self._client.xgroup_create(self._names.source, self._names.group, id="0", mkstream=True)
            self._has_group = True
            for each in self._client.xinfo_consumers(self._names.source, self._names.group):
                if each["pending"] == 0 and each["idle"] > 1000 * FORGOTTEN_SECONDS:
                    self._remove(each["name"])

    def _remove(self, consumer: str | bytes) -> None:
        self._leave(keys=[self._names.source], args=[self._names.group, consumer])

    def _left_behind(self, most: int) -> list[Any]:
        """Entries whose consumer is gone, claimed by this one; looked for now and then."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return []
        idle = LEFT_BEHIND_SECONDS * 1000
        source, group = self._names.source, self._names.group
        self._cursor, found, *_ = self._client.xautoclaim(source, group, self._consumer, idle, self._cursor, count=most)
        if self._cursor == b"0-0":
            self._looked = now
        return [each for each in found if each[0]]  # Redis 6 has nothing for an entry that was trimmed

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors as Away, or as StreamError where waiting is no cure."""
        try:
            yield
        except AuthenticationError as error:
            raise StreamError(
                f"Redis refused the login ({error})", "Set SLIPWAY_STREAM to the URL with its password"
            ) from None
        except MovedError as error:
            raise StreamError(
                f"Redis: another node of the cluster has the streams, {error.host}:{error.port}", "Name that node in the URL"
            ) from error
        except (*PASSING, ResponseError) as error:
            says = IN_A_SCRIPT.sub("", str(error)).strip().rstrip(".")
            if says.startswith(GONE):
                self._has_group = False
                raise Away("the group is gone and is made anew") from error
            if isinstance(error, PASSING) or says.startswith(PASSING_WORDS):
                with suppress(RedisError, OSError):
                    self._client.connection_pool.disconnect()  # the name may stand for another server by now
                raise Away(says) from error
            raise StreamError(f"Redis: {says}", "Check the names of the streams, and the rights of the user") from error


def _calls(replies: Sequence[Reply]) -> Iterator[list[Any]]:
    """The arguments of the script, for as many calls as it takes."""
    arguments: list[Any] = []
    size = 0
    for message, document, refused in replies:
        fields = [b"id", message.id, b"problem" if refused else b"answer", document]
        if refused and message.body is not None:
            fields += [FIELD, message.body]
        long = sum(map(len, fields))
        if arguments and size + long > LARGEST:
            yield arguments
            arguments, size = [], 0
        arguments += [message.id, DEAD if refused else ANSWERS, len(fields), *fields]
        size += long
    if arguments:
        yield arguments


@contextmanager
def _unless_there() -> Iterator[None]:
    """Pass over the error that a group is there already."""
    try:
        yield
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
