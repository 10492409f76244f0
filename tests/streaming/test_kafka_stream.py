"""Kafka's protocol against librdkafka's mock cluster: what is committed, what is read again, and what is refused."""

import json
import signal
from collections import Counter
from importlib.util import find_spec

import pytest

from conftest import absent, make_app
from consumers import DEADLINE, wait
from many_rows import many_rows
from slipway.streaming.stream import Away, Names, Reply

pytestmark = pytest.mark.database

NAMES = Names("patients", "patients.answers", "patients.dead", "readers")
COUNT = 5000
QUICK = "?session.timeout.ms=6000"  # the least that a broker takes by default


def rows(count=COUNT):
    return [(f"key-{number}", json.dumps(row).encode()) for number, row in enumerate(many_rows(count))]


def until(stream, count):
    """What it reads, once there are so many."""
    found = []
    wait(lambda: found.extend(stream.read(500)) or len(found) >= count)
    return found


@pytest.fixture
def open_stream():
    if not find_spec("confluent_kafka"):
        absent("the client of Kafka")
    from slipway.streaming.kafka_stream import KafkaStream

    made = []

    def opened(address, **properties):
        made.append(KafkaStream(address, properties, NAMES))
        return made[-1]

    yield opened
    for stream in made:
        stream.close()


@pytest.fixture
def topic(kafka):
    """Everything in a topic, once it is enough."""
    from kafka_mock import Reader

    made = []

    def read(name, enough):
        made.append(Reader(kafka, name))
        return made[-1].until(enough)

    yield read
    for reader in made:
        reader.close()


def origins(messages):
    return [dict(message.headers())["slipway-origin"].decode() for message in messages]


def test_what_is_not_settled_is_read_again_and_what_is_settled_is_not(kafka, open_stream):
    from kafka_mock import fill

    fill(kafka, NAMES.source, rows(100))
    first = open_stream(kafka)
    found = until(first, 100)
    assert len({message.id for message in found}) == 100 and first.waiting() == 0
    first.close()
    second = open_stream(kafka)
    again = until(second, 100)
    assert sorted(message.id for message in again) == sorted(message.id for message in found)
    second.settle([Reply(message, b"{}", False) for message in again])
    second.close()
    fill(kafka, NAMES.source, rows(1))
    assert len(until(open_stream(kafka), 1)) == 1


def test_answers_and_dead_letters_have_key_and_origin(kafka, open_stream, topic):
    from kafka_mock import fill

    fill(kafka, NAMES.source, [("k", b"1"), (None, b"2"), ("bad", b"{"), ("none", None), ("large", b"x" * 5000)])
    stream = open_stream(kafka, **{"message.max.bytes": "2000"})
    found = {message.body[:1] if message.body else message.body: message for message in until(stream, 5)}
    refused = [b"{", None, b"x"]
    stream.settle([Reply(message, b'{"of":"it"}', body in refused) for body, message in found.items()])
    answers = {
        dict(each.headers())["slipway-origin"].decode(): each for each in topic(NAMES.answers, lambda all: len(all) == 2)
    }
    assert {(each.key(), each.value()) for each in answers.values()} == {
        (b"k", b'{"of":"it"}'),
        (found[b"2"].id.encode(), b'{"of":"it"}'),
    }
    dead = {each.key(): each for each in topic(NAMES.dead, lambda all: len(all) == 3)}
    assert [dead[key].value() for key in (b"bad", b"none", b"large")] == [b"{", None, None]  # the last is too large with it
    assert {dict(each.headers())["slipway-problem"] for each in dead.values()} == {b'{"of":"it"}'}
    assert sorted(origins(dead.values())) == sorted(found[body].id for body in refused)


def test_a_broker_that_is_gone_is_away(open_stream):
    from kafka_mock import serve_kafka

    with serve_kafka() as address:
        stream = open_stream(address)
        assert stream.read(10) == []

    def is_away():
        try:
            return stream.read(10)
        except Away as away:
            return str(away)

    wait(is_away)


def test_2000_rows_are_answered_as_by_predict(kafka, consumer, topic, tmp_path):
    from kafka_mock import fill

    given, http = dict(rows(2000)), make_app(tmp_path).test_client()
    fill(kafka, NAMES.source, [*given.items(), ("bad", b'{"age": "secret"}')])
    with consumer(f"kafka://{kafka}") as process:
        found = topic(NAMES.answers, lambda all: len(all) >= 2000)
        [letter] = topic(NAMES.dead, lambda all: all)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0 and out == "2,000 rows answered, 1 dead letters\n" and "secret" not in err
    assert Counter(message.key().decode() for message in found) == Counter(given.keys())
    for message in found:
        assert message.value() == http.post("/predict", json=json.loads(given[message.key().decode()])).data
    assert (letter.key(), letter.value()) == (b"bad", b'{"age": "secret"}')


def test_consumers_killed_in_the_midst_lose_nothing(kafka, consumer, topic):
    from kafka_mock import Reader, fill

    given = rows()
    reader = Reader(kafka, NAMES.answers)
    fill(kafka, NAMES.source, given[: COUNT // 2])
    with consumer(f"kafka://{kafka}{QUICK}") as process:
        reader.until(lambda all: len(all) >= COUNT // 5)
        process.kill()
        process.wait()
    fill(kafka, NAMES.source, given[COUNT // 2 :])
    with consumer(f"kafka://{kafka}{QUICK}"):
        found = reader.until(lambda all: len({message.key() for message in all}) == COUNT)
    reader.close()
    by_origin = {}
    for message, origin in zip(found, origins(found)):
        assert by_origin.setdefault(origin, (message.key(), message.value())) == (message.key(), message.value())
    assert len(by_origin) == COUNT
