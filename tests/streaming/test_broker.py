"""Which broker a URL names, and that no message shows what may be secret in it."""

from importlib.util import find_spec

import pytest

from conftest import absent
from slipway.errors import ProblemError
from slipway.streaming import broker
from slipway.streaming.broker import VARIABLE, address, broker_url, open_stream
from slipway.streaming.stream import Names

SECRET = "s3cret"
NAMES = Names("patients", "answers", "dead", "group")


@pytest.mark.parametrize(
    "given, says",
    [
        (f"redis://:{SECRET}@host:6379/0", "shown by ps and kept in the shell history. Set SLIPWAY_STREAM"),
        (f"kafka://host:9092?sasl.password={SECRET}", "shown by ps and kept in the shell history"),
        (f"amqp://host/{SECRET}", "BROKER: expected redis://, rediss:// or kafka:// and a host"),
        (f"redis:{SECRET}", "expected redis://"),
        (f"redis://[{SECRET}", "BROKER: not a URL"),
        ("", "no broker is named. Name one"),
        (f"kafka://user:{SECRET}@host:9092", "BROKER: a URL of Kafka has no login before the host"),
        ("kafka://host:9092/patients", "and no path"),
    ],
)
def test_a_command_line_is_refused(given, says):
    with pytest.raises(ProblemError) as raised:
        broker_url(given, {})
    assert says in str(raised.value) and SECRET not in str(raised.value)


def test_the_environment_may_have_a_login():
    url = broker_url("", {VARIABLE: f"rediss://user:{SECRET}@host:6380/2?ssl_cert_reqs=none\n"})
    assert url.scheme == "rediss" and address(url) == "host:6380"


def test_the_command_line_comes_first():
    assert address(broker_url("kafka://a:1,b:2", {VARIABLE: "redis://other:6379"})) == "a:1,b:2"


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{SECRET}@host",
        f"redis://[{SECRET}",
        f"kafka://u:{SECRET}@h",
        f"redis://:{SECRET}/{SECRET}@h",
        f"redis://:1#{SECRET}@h",
    ],
)
def test_a_variable_that_is_wrong_is_not_shown(text):
    with pytest.raises(ProblemError, match=VARIABLE) as raised:
        broker_url("", {VARIABLE: text})
    assert SECRET not in str(raised.value)


def test_what_is_written_must_not_be_read_again():
    with pytest.raises(ProblemError, match="three different names"):
        open_stream(broker_url("redis://host:6379", {}), NAMES._replace(dead="patients"))


@pytest.mark.parametrize("scheme, extra", broker.EXTRAS.items())
def test_a_client_that_is_absent_is_named(scheme, extra, monkeypatch):
    monkeypatch.setattr(broker, "is_installed", lambda name: False)
    with pytest.raises(ProblemError) as raised:
        open_stream(broker_url(f"{scheme}://host:6379", {}), NAMES)
    assert f"pip install 'slipway-ml[{extra}]'" in str(raised.value) and raised.value.exit_code == 3


@pytest.mark.database
@pytest.mark.parametrize(
    "text", ["redis://host:port/0", f"redis://:{SECRET}@host:6379/0?db={SECRET}", f"redis://h?{SECRET}=1"]
)
def test_what_redis_refuses_of_a_url_is_not_shown(text):
    require("redis")
    with pytest.raises(ProblemError, match="the URL of Redis is not valid") as raised:
        open_stream(broker_url("", {VARIABLE: text}), NAMES)
    assert SECRET not in str(raised.value)


@pytest.mark.database
@pytest.mark.parametrize("option", ["protocol=3", "decode_responses=true", "socket_timeout=0.3", "retry=1"])
def test_what_the_reading_rests_on_cannot_be_set(option):
    require("redis")
    with pytest.raises(ProblemError, match=f"the URL cannot set {option.split('=')[0]}"):
        open_stream(broker_url("", {VARIABLE: f"redis://host?{option}"}), NAMES)


@pytest.mark.database
@pytest.mark.parametrize(
    "query, names, says",
    [
        (f"sasl.password={SECRET}&no.such=1", NAMES, "the property no.such in the URL of Kafka is not valid"),
        (f"sasl.password=ab&{SECRET}=x", NAMES, "a property in the URL of Kafka is not valid"),
        (f"security.protocol={SECRET}", NAMES, "the property security.protocol in"),
        ("enable.auto.commit=true", NAMES, "the URL cannot set enable.auto.commit"),
        ("", NAMES._replace(answers="two words"), "'two words' is not the name of a topic"),
    ],
)
def test_what_kafka_cannot_take_is_said(query, names, says):
    require("confluent_kafka")
    with pytest.raises(ProblemError, match=says) as raised:
        open_stream(broker_url("", {VARIABLE: f"kafka://127.0.0.1:1?{query}"}), names)
    assert SECRET not in str(raised.value)


@pytest.mark.database
def test_a_plus_in_the_url_of_kafka_is_a_plus(monkeypatch):
    require("confluent_kafka")
    from slipway.streaming import kafka_stream

    monkeypatch.setattr(kafka_stream, "KafkaStream", lambda servers, properties, names: properties)
    url = broker_url("", {VARIABLE: "kafka://h:1?sasl.password=a+b%2Fc%20d=="})
    assert open_stream(url, NAMES) == {"sasl.password": "a+b/c d=="}


def require(client):
    if not find_spec(client):
        absent(f"the client {client}")
