"""Topics of Kafka, and of what speaks its protocol. Offsets are committed once the broker has all answers of a batch."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
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
READS: Mapping[str, Any] = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
WRITES: Mapping[str, Any] = {"enable.idempotence": True, "message.timeout.ms": DELIVERY_MILLISECONDS}
OURS = {"bootstrap.servers", "group.id", *READS, *WRITES}
OF_PRODUCER = {"partitioner": "murmur2_random"}  # as Java's: a key is in the partition of the same number in all topics
OF_CONSUMER = {
    "queued.min.messages": 500,  # read ahead while a batch is answered
    "queued.max.messages.kbytes": 16_384,
    "session.timeout.ms": 10_000,  # then the partitions of a consumer that was killed go to another
}
LOST = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._NO_OFFSET}
HOPELESS = {
    KafkaError._FATAL,
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_MAX_SIZE_REACHED,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_EXCEPTION,
}
PROPERTY = re.compile(r'property:? "([a-z]+(?:\.[a-z]+)+)"')  # anything else may be a piece of a password


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
        if taken := sorted(OURS & properties.keys()):
            raise ProblemError(f"the URL cannot set {taken[0]}", "Leave it out")
        self._names = names
        self._error: KafkaError | None = None  # the last that was not about one message
        self._is_found = False  # the topic
        self._safe: set[str] = set()  # messages whose replies the broker has, until they are committed
        both = {**properties, "bootstrap.servers": servers, "error_cb": self._note, "log_level": 2}
        try:
            self._producer = Producer({**OF_PRODUCER, **both, **WRITES})
            self._consumer = Consumer({**OF_CONSUMER, **both, **READS, "group.id": names.group})
        except (KafkaException, ValueError, TypeError) as error:  # what it says may quote a password
            named = PROPERTY.findall(str(error))
            which = f"the property {named[-1]}" if named else "a property"
            raise ProblemError(
                f"{which} in the URL of Kafka is not valid", "librdkafka's CONFIGURATION.md lists all"
            ) from None
        self._consumer.subscribe([names.source])

    def read(self, most: int) -> Sequence[Message]:
        """The next messages of the partitions that this consumer has."""
        first = self._consumer.poll(READ_SECONDS)
        found = [first, *self._consumer.consume(most - 1, 0)] if first else []
        for error in filter(None, (message.error() for message in found)):
            self._error = error
        read = [message for message in found if not message.error()]  # none may be dropped: its offset would be passed over
        if not read and (self._error or not self._is_found):
            self._probe()
        return [Message(f"{each.topic()}/{each.partition()}/{each.offset()}", each.value(), each) for each in read]

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write all, wait until the broker has them, and commit. Repeated, it writes what the broker does not have."""
        self._write([reply for reply in replies if reply.message.id not in self._safe])
        last = {reply.message.native.partition(): reply.message.native.offset() for reply in replies}
        offsets = [TopicPartition(self._names.source, partition, offset + 1) for partition, offset in last.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in LOST:  # the partition is another consumer's by now, which reads it again
                self._require(error.args[0])
        self._safe.clear()

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

    def _write(self, replies: Sequence[Reply]) -> None:
        """Write them together; then alone what was too large, for a broker may have refused a whole batch of small ones."""
        errors = self._sent({reply.message.id: self._forms(reply)[0] for reply in replies})
        for reply in replies:
            name, forms = reply.message.id, iter(self._forms(reply))
            while name in errors and errors[name].code() == KafkaError.MSG_SIZE_TOO_LARGE and (form := next(forms, None)):
                errors = {each: error for each, error in errors.items() if each != name} | self._sent({name: form})
            if name in errors:
                self._require(errors[name], self._names.dead if reply.refused else self._names.answers)

    def _forms(self, reply: Reply) -> list[dict[str, Any]]:
        """The record of a reply, and smaller ones, without what need not be in it."""
        name, message = reply.message.id.encode(), reply.message.native
        ours, given = [(ORIGIN, name)], _headers(message)
        if not reply.refused:
            whole = {"topic": self._names.answers, "key": message.key(), "value": reply.document, "headers": given + ours}
            bare = whole | {"key": name, "headers": ours}
            return [bare | {"headers": given + ours} if message.key() is None else whole, bare]
        ours += [(PROBLEM, reply.document)]
        whole = {"topic": self._names.dead, "key": message.key(), "value": message.value(), "headers": given + ours}
        return [whole, whole | {"value": None}, whole | {"key": None, "value": None, "headers": ours}]

    def _sent(self, records: Mapping[str, dict[str, Any]]) -> dict[str, KafkaError]:
        """Records by the ids of their messages → why some of them are not at the broker."""
        errors = dict.fromkeys(records, KafkaError(KafkaError._MSG_TIMED_OUT))

        def delivered(name: str, error: KafkaError | None, _: object) -> None:
            if error:
                errors[name] = error
            else:
                del errors[name]
                self._safe.add(name)

        for name, record in records.items():
            try:
                self._producer.produce(**record, on_delivery=partial(delivered, name))
            except KafkaException as error:
                errors[name] = error.args[0]
            except BufferError:
                errors[name] = KafkaError(KafkaError._QUEUE_FULL)
        self._producer.flush(2 * DELIVERY_MILLISECONDS / 1000)
        return dict(errors)

    def _note(self, error: KafkaError) -> None:
        self._error = error

    def _probe(self) -> None:
        """Ask the broker whether it is there."""
        error, self._error = self._error, None
        if error and error.code() in HOPELESS:
            self._require(error)
        try:
            topic = self._consumer.list_topics(self._names.source, timeout=ANSWER_SECONDS).topics[self._names.source]
        except KafkaException as failure:
            self._error = error
            self._require(failure.args[0])
        else:
            if topic.error:
                self._require(topic.error, self._names.source)
            self._is_found = True

    def _require(self, error: KafkaError, topic: str = "") -> None:
        """Raise what an error means."""
        says = f"{topic}: {error.str()}" if topic else error.str()
        if error.code() in HOPELESS or error.fatal():
            raise StreamError(
                f"Kafka: {says}", "Check the names of the topics, their largest message, the login and its rights"
            )
        raise Away(says)


def _headers(message: Any) -> list[tuple[str, bytes | None]]:
    """Those that came with a message; without ours, which a dead letter has that was sent again."""
    try:
        return [each for each in message.headers() or () if each[0] not in (ORIGIN, PROBLEM)]
    except UnicodeDecodeError:  # in a name: the client cannot read any
        return []
