"""Topics of Kafka, and of what speaks its protocol. Offsets are committed once the broker has all answers of a batch."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from slipway.errors import ProblemError, StreamError
from slipway.streaming.stream import Away, Message, Names, Reply

TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
ORIGIN, PROBLEM = "slipway-origin", "slipway-problem"  # headers
READ_SECONDS = 1.0
ANSWER_SECONDS = 10.0
DELIVERY_MILLISECONDS = 10_000
# What the promises of a consumer rest on; none of it can be set by the URL.
OURS: Mapping[str, Any] = {
    "bootstrap.servers": "",
    "group.id": "",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "enable.idempotence": True,
    "message.timeout.ms": DELIVERY_MILLISECONDS,
}
OF_CONSUMER = {
    "queued.min.messages": 500,  # read ahead while a batch is answered
    "queued.max.messages.kbytes": 16_384,
    "session.timeout.ms": 10_000,  # then the partitions of a consumer that was killed go to another
}
LOST = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._NO_OFFSET}
HOPELESS = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
}


class KafkaStream:
    """A consumer of a group, which begins with the oldest message, and a producer.

    Parameters
    ----------
    servers : str
        HOST:PORT, comma-separated.
    properties : mapping of str to str
        Of librdkafka, such as those of TLS and of a login.
    names : Names

    Raises
    ------
    ProblemError
        When a name is not that of a topic, or a property is unknown or one of `OURS`.
    """

    def __init__(self, servers: str, properties: Mapping[str, str], names: Names) -> None:
        for topic in (names.source, names.answers, names.dead):
            if not TOPIC.fullmatch(topic):
                raise ProblemError(
                    f"{topic!r} is not the name of a topic", "Use letters, digits, dots, hyphens and underscores"
                )
        if taken := sorted(OURS.keys() & properties.keys()):
            raise ProblemError(f"the URL cannot set {taken[0]}", "Leave it out")
        self._names = names
        self._error: KafkaError | None = None  # the last that was not about one message
        both = {**properties, "bootstrap.servers": servers, "error_cb": self._note, "log_level": 2}
        reads = {name: OURS[name] for name in ("enable.auto.commit", "auto.offset.reset")}
        writes = {name: OURS[name] for name in ("enable.idempotence", "message.timeout.ms")}
        try:
            self._producer = Producer({**both, **writes})
            self._consumer = Consumer({**OF_CONSUMER, **both, **reads, "group.id": names.group})
        except (KafkaException, ValueError, TypeError):  # what it says may quote a password
            raise ProblemError(
                "a property in the URL of Kafka is not valid", "librdkafka's CONFIGURATION.md lists all"
            ) from None
        self._consumer.subscribe([names.source])

    def read(self, most: int) -> Sequence[Message]:
        """The next messages of the partitions that this consumer has."""
        first = self._consumer.poll(READ_SECONDS)
        found = [first, *self._consumer.consume(most - 1, 0)] if first else []
        for error in filter(None, (message.error() for message in found)):
            self._error = error
        read = [message for message in found if not message.error()]  # none may be dropped: its offset would be passed over
        if not read and self._error:
            self._probe()
        return [Message(f"{each.topic()}/{each.partition()}/{each.offset()}", each.value(), each) for each in read]

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write all, wait until the broker has them, and commit. When that fails midway, all are written again."""
        failed = self._written([self._record(reply) for reply in replies])
        if failed:
            self._require(failed)
        last = {reply.message.native.partition(): reply.message.native.offset() for reply in replies}
        offsets = [TopicPartition(self._names.source, partition, offset + 1) for partition, offset in last.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in LOST:  # the partition is another consumer's by now, which reads it again
                self._require(error.args[0])

    def waiting(self) -> int | None:
        """What is behind the position of this consumer in its partitions, as the last fetch saw it."""
        try:
            positions = self._consumer.position(self._consumer.assignment())
            ends = [self._consumer.get_watermark_offsets(each, cached=True)[1] for each in positions]
        except KafkaException:
            return None
        known = [(end, each.offset) for end, each in zip(ends, positions) if each.offset >= 0 and end != OFFSET_INVALID]
        return sum(max(0, int(end - offset)) for end, offset in known)

    def close(self) -> None:
        """Leave the group, so that another consumer has the partitions at once."""
        with suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def _record(self, reply: Reply) -> dict[str, Any]:
        message = reply.message.native
        origin = (ORIGIN, reply.message.id.encode())
        if not reply.refused:
            key = message.key() if message.key() is not None else reply.message.id.encode()
            return {"topic": self._names.answers, "key": key, "value": reply.document, "headers": [origin]}
        headers = [*(message.headers() or ()), origin, (PROBLEM, reply.document)]
        return {"topic": self._names.dead, "key": message.key(), "value": message.value(), "headers": headers}

    def _written(self, records: Sequence[Mapping[str, Any]]) -> KafkaError | None:
        """Why one of them is not at the broker; None when all are."""
        failed: list[KafkaError] = []
        for record in records:
            self._produce(record, failed.append)
        left = self._producer.flush(2 * DELIVERY_MILLISECONDS / 1000)
        return failed[0] if failed else KafkaError(KafkaError._MSG_TIMED_OUT) if left else None

    def _produce(self, record: Mapping[str, Any], failed: Callable[[KafkaError], None]) -> None:
        def delivered(error: KafkaError | None, _: object) -> None:
            if error and error.code() == KafkaError.MSG_SIZE_TOO_LARGE and record.get("value") is not None:
                self._produce({**record, "value": None}, failed)  # a dead letter with its reason is larger than its message
            elif error:
                failed(error)

        try:
            self._producer.produce(**record, on_delivery=delivered)
        except KafkaException as error:
            delivered(error.args[0], None)

    def _note(self, error: KafkaError) -> None:
        self._error = error

    def _probe(self) -> None:
        """Ask the broker whether it is there."""
        error, self._error = self._error, None
        if error and error.code() in HOPELESS:
            self._require(error)
        try:
            self._consumer.list_topics(self._names.source, timeout=ANSWER_SECONDS)
        except KafkaException as failure:
            self._error = error
            self._require(failure.args[0])

    def _require(self, error: KafkaError) -> None:
        """Raise what an error means."""
        if error.code() in HOPELESS:
            raise StreamError(f"Kafka: {error.str()}", "Check the names of the topics, the login and its rights")
        raise Away(error.str())
