"""librdkafka's own mock cluster: it speaks Kafka's protocol on ports of this machine, and keeps what it is given in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition

DEADLINE = 60


@contextmanager
def serve_kafka() -> Iterator[str]:
    """Its address; it ends with the producer that made it."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(owner.list_topics(timeout=DEADLINE).brokers.values()))
    yield f"{broker.host}:{broker.port}"


def fill(address: str, topic: str, messages: list[tuple[str | None, bytes | None]]) -> None:
    """Write keys and values."""
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for key, value in messages:
        producer.produce(topic, key=key, value=value)
    assert producer.flush(DEADLINE) == 0


class Reader:
    """All that is in a topic."""

    def __init__(self, address: str, topic: str) -> None:
        options = {"bootstrap.servers": address, "group.id": "reader", "allow.auto.create.topics": True, "log_level": 0}
        self._consumer = Consumer(options)
        partitions = self._consumer.list_topics(topic, DEADLINE).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])  # no group to wait for
        self.found: list = []

    def until(self, enough) -> list:
        """The messages so far, once they are `enough`."""
        deadline = time.monotonic() + DEADLINE
        while not enough(self.found):
            assert time.monotonic() < deadline, len(self.found)
            self.found += [message for message in self._consumer.consume(500, 0.2) if not message.error()]
        return self.found

    def close(self) -> None:
        self._consumer.close()
