"""Kafka's protocol against librdkafka's mock cluster: what is committed, what is read again, and what is refused."""

import json
import signal
from collections import Counter
from importlib.util import find_spec

import pytest

from conftest import absent, make_app
from consumers import DEADLINE, wait
from many_rows import many_rows
from slipway.errors import StreamError
from slipway.streaming.stream import Away, Names, Reply

pytestmark = pytest.mark.database

NAMES = Names("patients", "patients.answers", "patients.dead", "readers")
COUNT = 5000
QUICK = "?session.timeout.ms=6000"  # the least that a broker takes by default


def rows(count=COUNT):
    return [(f"key-{number}", json.dumps(row).encode()) for number, row in enumerate(many_rows(count))]


def fill(*given):
    import kafka_mock

    kafka_mock.fill(*given)


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


def settled(kafka, open_stream, given, documents, **picky):
    """A stream with a picky producer that read these messages, and what to settle: those without a value are refused."""
    from kafka_mock import Picky

    fill(kafka, NAMES.source, given)
    stream = open_stream(kafka)
    stream._producer = producer = Picky(stream._producer, **picky)
    found = until(stream, len(given))
    return stream, producer, [Reply(message, documents(message), message.body is None) for message in found]


def test_a_broker_that_refuses_a_whole_batch_gets_its_answers_one_by_one(kafka, open_stream, topic):
    def document(message):
        return b"{%b}" % message.native.key()

    stream, _, replies = settled(kafka, open_stream, rows(50), document, most=100)
    stream.settle(replies)
    found = topic(NAMES.answers, lambda all: len(all) >= 50)
    assert Counter(each.key() for each in found) == Counter(name.encode() for name, _ in rows(50))
    assert all(each.value() == b"{%b}" % each.key() for each in found)


def test_what_does_not_fit_is_left_out_and_an_answer_never_is(kafka, open_stream, topic):
    key = "k" * 500
    stream, producer, replies = settled(kafka, open_stream, [(key, b"{}"), (key, None)], lambda message: b"{1}", most=100)
    stream.settle(replies)
    [answer] = topic(NAMES.answers, len)
    [letter] = topic(NAMES.dead, len)
    assert (answer.value(), answer.key().decode()) == (b"{1}", origins([answer])[0])
    assert letter.key() is letter.value() is None and origins([letter]) and dict(letter.headers())["slipway-problem"] == b"{1}"
    producer.most = 10
    with pytest.raises(StreamError, match=f"{NAMES.answers}: .*too large.*their largest message"):
        stream.settle([reply._replace(message=reply.message._replace(id=f"{reply.message.id}0")) for reply in replies[:1]])


def test_what_the_broker_has_is_not_written_again(kafka, open_stream):
    stream, producer, replies = settled(kafka, open_stream, rows(40), lambda message: b"{}", failures=3)
    for _ in range(3):
        with pytest.raises(Away, match=f"{NAMES.answers}: "):
            stream.settle(replies)
    stream.settle(replies)
    assert producer.sent == 40 and not stream._safe


def test_headers_are_passed_on_and_ours_are_not_doubled(kafka, open_stream, topic):
    given = [("traceparent", b"00-1"), ("slipway-origin", b"patients/0/0"), ("empty", None), ("slipway-problem", b"{}")]
    fill(kafka, NAMES.source, [("k", b"good"), ("k", None)], given)
    stream = open_stream(kafka)
    found = until(stream, 2)
    stream.settle([Reply(message, b"{2}", message.body is None) for message in found])
    [answer], [letter] = topic(NAMES.answers, len), topic(NAMES.dead, len)
    origin = {message.body: ("slipway-origin", message.id.encode()) for message in found}
    assert answer.headers() == [("traceparent", b"00-1"), ("empty", None), origin[b"good"]]
    assert letter.headers() == [("traceparent", b"00-1"), ("empty", None), origin[None], ("slipway-problem", b"{2}")]


def test_headers_that_the_client_cannot_read_are_left_out(open_stream):
    from slipway.streaming.kafka_stream import _headers

    class Odd:
        def headers(self):
            return [(b"\xff".decode(), b"")]

    assert _headers(Odd()) == []


def test_keys_are_in_the_partitions_that_javas_producer_gives_them(kafka, open_stream, topic):
    fill(kafka, NAMES.source, [("21", b"1"), ("foobar", b"2"), ("abc", b"3")])
    stream = open_stream(kafka)
    stream.settle([Reply(message, b"{}", False) for message in until(stream, 3)])
    found = topic(NAMES.answers, lambda all: len(all) == 3)  # of 4 partitions; the hashes are those of Kafka's UtilsTest
    assert {each.key(): each.partition() for each in found} == {
        b"21": (-973932308 & 0x7FFFFFFF) % 4,
        b"foobar": (-790332482 & 0x7FFFFFFF) % 4,
        b"abc": 479470107 % 4,
    }


def test_a_topic_that_does_not_exist_is_said(kafka, open_stream):
    stream = open_stream(kafka)
    with pytest.raises(Away, match=f"{NAMES.source}: .*Unknown topic"):
        stream.read(10)
    fill(kafka, NAMES.source, rows(3))
    assert len(until(stream, 3)) == 3


@pytest.mark.parametrize(
    "code", ["GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "_FATAL", "GROUP_MAX_SIZE_REACHED"]
)
def test_what_no_waiting_cures_ends_it(kafka, open_stream, code):
    from confluent_kafka import KafkaError

    fill(kafka, NAMES.source, rows(1))
    stream = open_stream(kafka)
    until(stream, 1)
    stream._note(KafkaError(getattr(KafkaError, code)))
    with pytest.raises(StreamError, match="Kafka: .*rights"):
        stream.read(10)


def test_a_broker_that_is_gone_is_away(open_stream):
    from kafka_mock import serve_kafka

    with serve_kafka() as address:
        fill(address, NAMES.source, rows(1))
        stream = open_stream(address)
        assert len(until(stream, 1)) == 1

    def is_away():
        try:
            return stream.read(10)
        except Away as away:
            return str(away)

    wait(is_away)


def test_2000_rows_are_answered_as_by_predict(kafka, consumer, topic, tmp_path):
    given, http = dict(rows(2000)), make_app(tmp_path).test_client()
    fill(kafka, NAMES.source, [*given.items(), ("bad", b'{"age": "secret"}')])
    with consumer(f"kafka://{kafka}") as process:
        found = topic(NAMES.answers, lambda all: len(all) >= 2000)
        [letter] = topic(NAMES.dead, lambda all: all)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE)
    assert (
        process.returncode == 0
        and not out
        and err.endswith("slipway: 2,000 rows answered, 1 dead letter\n")
        and "secret" not in err
    )
    assert Counter(message.key().decode() for message in found) == Counter(given.keys())
    for message in found:
        assert message.value() == http.post("/predict", json=json.loads(given[message.key().decode()])).data
    assert (letter.key(), letter.value()) == (b"bad", b'{"age": "secret"}')


def test_a_consumer_that_is_asked_to_end_in_the_midst_repeats_nothing(kafka, consumer):
    from kafka_mock import Reader

    reader = Reader(kafka, NAMES.answers)
    fill(kafka, NAMES.source, rows())
    with consumer(f"kafka://{kafka}{QUICK}") as process:
        reader.until(lambda all: len(all) >= COUNT // 5)
        process.send_signal(signal.SIGTERM)
        assert "rows answered, 0 dead letters" in process.communicate(timeout=DEADLINE)[1] and process.returncode == 0
    with consumer(f"kafka://{kafka}{QUICK}"):
        found = reader.until(lambda all: len({message.key() for message in all}) == COUNT)
    reader.close()
    assert len(found) == len(set(origins(found))) == COUNT


def test_consumers_killed_in_the_midst_lose_nothing(kafka, consumer, topic):
    from kafka_mock import Reader

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


def test_rows_in_hand_while_another_consumer_joins_are_lost_by_neither(kafka, open_stream, topic):
    fill(kafka, NAMES.source, rows(200))
    first = open_stream(kafka, **{"session.timeout.ms": "6000"})
    in_hand, theirs = until(first, 200), []
    second = open_stream(kafka, **{"session.timeout.ms": "6000"})
    wait(lambda: theirs.extend(second.read(500)) or second._consumer.assignment())

    def settle(stream, messages):
        stream.settle([Reply(message, b"{}", False) for message in messages])

    settle(first, in_hand)  # its commit is refused, for the partitions are given out anew
    settle(second, theirs)
    fill(kafka, NAMES.source, [(f"late-{number}", b"{}") for number in range(100)])

    def share():
        for stream in (first, second):
            if found := stream.read(500):
                settle(stream, found)

    wait(lambda: share() or all(stream._consumer.assignment() and not stream.waiting() for stream in (first, second)))
    expected = {name.encode() for name, _ in rows(200)} | {b"late-%d" % number for number in range(100)}
    assert {each.key() for each in topic(NAMES.answers, lambda all: len({each.key() for each in all}) == 300)} == expected
