"""librdkafka's own mock cluster: it speaks Kafka's protocol on ports of this machine, and keeps what it is given in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

DEADLINE = 60


@contextmanager
def serve_kafka() -> Iterator[str]:
    """Its address; it ends with the producer that made it."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(owner.list_topics(timeout=DEADLINE).brokers.values()))
    yield f"{broker.host}:{broker.port}"


def fill(address: str, topic: str, messages: list[tuple[str | None, bytes | None]], headers=None) -> None:
    """Write keys and values, all with these headers."""
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for key, value in messages:
        producer.produce(topic, key=key, value=value, headers=headers)
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


class Picky:
    """A producer for a broker that takes so many bytes in one request, and fails as often as it is told to."""

    def __init__(self, producer, most=10**9, failures=0):
        self.producer, self.most, self.failures, self.given, self.sent = producer, most, failures, [], 0

    def produce(self, **record):
        self.given.append(record)

    def flush(self, seconds):
        records, self.given = self.given, []
        headers = [header for record in records for header in record["headers"]]
        size = sum(len(record["key"] or b"") + len(record["value"] or b"") for record in records)
        size += sum(len(name) + len(value) for name, value in headers)
        for number, record in enumerate(records):
            if size > self.most:
                record["on_delivery"](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)
            elif self.failures and number % 2:
                record["on_delivery"](KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), None)
            else:
                self.producer.produce(**record)
                self.sent += 1
        self.failures -= bool(self.failures)
        return self.producer.flush(seconds)
