"""Real brokers, and `slipway consume` in a process of its own."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from conftest import absent, make_app
from consumers import consuming

if TYPE_CHECKING:
    from redis_server import RedisServer


@pytest.fixture
def redis_server() -> Iterator["RedisServer"]:
    """A Redis server of one's own."""
    if not find_spec("redis"):
        absent("the client of Redis")
    import redis_server

    if not redis_server.program():
        absent("Redis")
    with redis_server.serve_redis() as made:
        yield made


@pytest.fixture
def kafka() -> Iterator[str]:
    """The address of a mock cluster of Kafka of one's own."""
    if not find_spec("confluent_kafka"):
        absent("the client of Kafka")
    import kafka_mock

    with kafka_mock.serve_kafka() as address:
        yield address


@pytest.fixture
def consumer(tmp_path) -> Callable[..., AbstractContextManager[subprocess.Popen]]:
    """Start a consumer of a small bundle: its URL, then options."""
    make_app(tmp_path)
    return partial(consuming, tmp_path)
