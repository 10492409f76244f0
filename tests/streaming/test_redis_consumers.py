"""Consumers of a real Redis that are killed in the midst, whose server is killed, or that share the rows."""

import json
import signal
from collections import Counter

import pytest

from bundles import ROWS
from conftest import make_app
from consumers import COUNT, DEADLINE, NAMES, answered, fill, leave_behind, wait

pytestmark = pytest.mark.database


def test_2000_rows_are_answered_as_by_predict(redis_server, consumer, tmp_path):
    client, http = redis_server.client(), make_app(tmp_path).test_client()
    fill(client, 2000)
    bad = client.xadd(NAMES.source, {"row": json.dumps(ROWS[0] | {"age": "secret"})})
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.dead) == 1 and client.xlen(NAMES.answers) == 2000, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0 and not out and err.endswith("slipway: 2,000 rows answered, 1 dead letter\n")
    assert "pass" not in err and "secret" not in err and f"patients at 127.0.0.1:{redis_server.port}" in err
    rows = {entry: json.loads(fields["row"]) for entry, fields in client.xrange(NAMES.source)}
    for _, fields in client.xrange(NAMES.answers):
        assert fields["answer"] == http.post("/predict", json=rows[fields["id"]]).text
    [(_, letter)] = client.xrange(NAMES.dead)
    assert letter["id"] == bad and json.loads(letter["problem"])["errors"][0]["field"] == "age"
    assert not client.xinfo_consumers(NAMES.source, "slipway-regression")
    client.close()


def test_consumers_killed_in_the_midst_lose_nothing_and_repeat_nothing(redis_server, consumer):
    client = redis_server.client()
    ids = fill(client)
    for share in (1, 2, 3):
        with consumer(redis_server.url) as process:
            wait(lambda share=share: client.xlen(NAMES.answers) >= share * COUNT // 5, process)
            process.kill()
            process.wait()
        leave_behind(client, "slipway-regression")
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.answers) >= COUNT, process)
    assert answered(client) == Counter(ids)
    client.close()


def test_a_consumer_that_is_asked_to_end_in_the_midst_leaves_nothing_in_hand(redis_server, consumer):
    client = redis_server.client()
    ids = fill(client)
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.answers) >= COUNT // 5, process)
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=DEADLINE)[1]
    done = client.xlen(NAMES.answers)
    assert process.returncode == 0 and err.endswith(f"slipway: {done:,} rows answered, 0 dead letters\n")
    assert not client.xpending(NAMES.source, "slipway-regression")["pending"]
    assert not client.xinfo_consumers(NAMES.source, "slipway-regression")
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.answers) >= COUNT, process)
    assert done < COUNT and answered(client) == Counter(ids)
    client.close()


def test_a_consumer_goes_on_after_flushall(redis_server, consumer):
    client = redis_server.client()
    fill(client, 100)
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.answers) == 100, process)
        client.flushall()
        ids = fill(client, 100)
        wait(lambda: client.xlen(NAMES.answers) >= 100, process)
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == 0 and "the broker is back" in err and answered(client) == Counter(ids)
    client.close()


def test_a_server_killed_in_the_midst_loses_nothing(redis_server, consumer):
    client = redis_server.client()
    ids = fill(client)
    with consumer(redis_server.url) as process:
        wait(lambda: client.xlen(NAMES.answers) >= COUNT // 5, process)
        redis_server.kill()
        redis_server.start()
        client = redis_server.client()
        leave_behind(client, "slipway-regression")
        wait(lambda: client.xlen(NAMES.answers) >= COUNT, process)
        process.send_signal(signal.SIGTERM)
        assert "the broker is back" in process.communicate(timeout=DEADLINE)[1]
    assert answered(client) == Counter(ids)
    client.close()


def test_consumers_of_a_group_share_the_rows(redis_server, consumer):
    client = redis_server.client()
    with consumer(redis_server.url) as one, consumer(redis_server.url) as two:
        wait(lambda: client.info("clients")["blocked_clients"] == 2, one, two)
        ids = fill(client)
        wait(lambda: client.xlen(NAMES.answers) >= COUNT, one, two)
        counts = []
        for process in (one, two):
            process.send_signal(signal.SIGINT)
            counts.append(int(process.communicate(timeout=DEADLINE)[1].split()[-6].replace(",", "")))
    assert answered(client) == Counter(ids) and sum(counts) == COUNT and min(counts) > 0
    client.close()
