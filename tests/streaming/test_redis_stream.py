"""Redis Streams on a real server, which is killed, full, or misused."""

import json
from threading import Thread

import pytest

from consumers import NAMES, answered, fill, leave_behind
from many_rows import many_rows
from servers import ROOT
from slipway.errors import StreamError
from slipway.streaming.stream import Away, Message, Reply

pytestmark = pytest.mark.database


@pytest.fixture
def open_stream():
    from slipway.streaming.redis_stream import RedisStream

    made = []

    def opened(url, names=NAMES):
        made.append(RedisStream(url, names))
        return made[-1]

    yield opened
    for stream in made:
        stream.close()


def replies(messages, document=b"{}"):
    return [Reply(message, document, False) for message in messages]


def test_what_is_settled_is_read_no_more(redis_server, open_stream):
    client = redis_server.client()
    ids = fill(client, 5)
    client.xadd(NAMES.source, {"other": "x"})
    stream = open_stream(redis_server.url)
    first, rest = stream.read(3), stream.read(100)
    assert [message.id for message in first] == ids[:3] and rest[2] == Message(rest[2].id, None)
    assert json.loads(first[0].body) == many_rows(1)[0]
    assert stream.waiting() == 6
    stream.settle([Reply(first[0], b"{1}", False), Reply(first[1], b"{2}", True), Reply(rest[2], b"{3}", True)])
    assert [fields for _, fields in client.xrange(NAMES.answers)] == [{"id": ids[0], "answer": "{1}"}]
    dead = [fields for _, fields in client.xrange(NAMES.dead)]
    assert dead == [{"id": ids[1], "problem": "{2}", "row": first[1].body.decode()}, {"id": rest[2].id, "problem": "{3}"}]
    assert stream.waiting() == 3 and not stream.read(100)
    client.close()


def test_what_another_consumer_left_behind_is_answered_once(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 5)
    slow, other = open_stream(redis_server.url), open_stream(redis_server.url)
    mine = slow.read(100)
    assert not other.read(100)
    leave_behind(client, NAMES.group)
    other._looked = float("-inf")  # as if some seconds had passed
    claimed = other.read(2)
    assert claimed == mine[:2]
    claimed = [*claimed, *other.read(2), *other.read(2)]
    assert claimed == mine
    other.settle(replies(claimed))
    slow.settle(replies(mine))  # it was only slow
    slow.settle(replies(mine))
    assert len(answered(client)) == client.xlen(NAMES.answers) == 5 and other.waiting() == 0
    client.close()


def test_a_consumer_leaves_the_group_only_without_messages(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 2)
    done, busy = open_stream(redis_server.url), open_stream(redis_server.url)
    done.settle(replies(done.read(1)))
    busy.read(1)
    assert len(client.xinfo_consumers(NAMES.source, NAMES.group)) == 2
    done.close()
    busy.close()
    [left] = client.xinfo_consumers(NAMES.source, NAMES.group)
    assert left["pending"] == 1
    client.close()


def test_consumers_that_were_killed_are_forgotten_once_nothing_is_pending(redis_server, open_stream, monkeypatch):
    from slipway.streaming import redis_stream

    client = redis_server.client()
    fill(client, 2)
    busy, done, live = (open_stream(redis_server.url) for _ in range(3))
    busy.read(1)
    done.settle(replies(done.read(1)))
    assert not live.read(1)  # and waits a second
    monkeypatch.setattr(redis_stream, "FORGOTTEN_SECONDS", 0.5)
    open_stream(redis_server.url).read(1)
    left = {each["name"] for each in client.xinfo_consumers(NAMES.source, NAMES.group)}
    assert busy._consumer in left and done._consumer not in left and live._consumer not in left
    [entry] = fill(client, 1)
    assert [message.id for message in live.read(1)] == [entry]  # it was only slow
    client.close()


def test_a_row_that_arrives_while_a_consumer_leaves_is_not_lost(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 1)
    stream = open_stream(redis_server.url)
    stream._require_group()
    remove = stream._remove

    def late(consumer):  # a read whose answer this consumer did not wait for
        client.xreadgroup(NAMES.group, consumer, {NAMES.source: ">"})
        remove(consumer)

    stream._remove = late
    stream.close()
    assert client.xpending(NAMES.source, NAMES.group)["pending"] == 1
    client.close()


def test_large_dead_letters_are_settled_in_pieces(redis_server, open_stream, monkeypatch):
    from slipway.streaming import redis_stream

    monkeypatch.setattr(redis_stream, "LARGEST", 10_000)
    client = redis_server.client()
    sizes = [20_000, 4_000, 4_000, 4_000, 1, 9_000]
    for size in sizes:
        client.xadd(NAMES.source, {"row": "x" * size})
    stream = open_stream(redis_server.url)
    found, calls = stream.read(100), []
    settle = stream._settle
    stream._settle = lambda keys, args: (calls.append(args), settle(keys=keys, args=args))
    stream.settle([Reply(message, b"{}", True) for message in found])
    assert [len(fields["row"]) for _, fields in client.xrange(NAMES.dead)] == sizes and stream.waiting() == 0
    assert [sum(argument == b"id" for argument in call) for call in calls] == [1, 2, 2, 1]
    client.close()


def test_a_failover_while_it_waits_is_waited_for(redis_server, open_stream):
    from redis.exceptions import ResponseError

    def fail_over(*_, **options):
        raise ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")

    stream = open_stream(redis_server.url)
    stream._client.xreadgroup = fail_over
    with pytest.raises(Away, match="instance state changed"):
        stream.read(1)


SCRIPT = "Error running script (call to f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791): @user_script:5: "  # of Redis 6


@pytest.mark.parametrize(
    "says, told",
    [
        ("@user_script: 5: -OOM command not allowed when used memory > 'maxmemory'.   ", "^OOM .* 'maxmemory'$"),
        ("@user_script: 5: -READONLY You can't write against a read only replica.", "^READONLY"),
        ("NOGROUP No such key 'patients' or consumer group 'readers'", "made anew"),
    ],
)
def test_what_redis_6_says_of_a_script_is_waited_for_too(redis_server, open_stream, says, told):
    from redis.exceptions import ResponseError

    def refuse(**_):
        raise ResponseError(SCRIPT + says)

    stream = open_stream(redis_server.url)
    stream._settle = refuse
    with pytest.raises(Away, match=told):
        stream.settle(replies([Message("1-1", b"{}")]))
    says = "WRONGTYPE Operation against a key holding the wrong kind of value"
    with pytest.raises(StreamError, match="^Redis: WRONGTYPE"):
        stream.settle(replies([Message("1-1", b"{}")]))


def test_entries_that_were_trimmed_unread_are_passed_over(redis_server, open_stream):
    client = redis_server.client()
    ids = fill(client, 4)
    open_stream(redis_server.url).read(3)
    leave_behind(client, NAMES.group)
    client.xdel(NAMES.source, *ids[:2])
    stream = open_stream(redis_server.url)
    claim = stream._client.xautoclaim

    def of_redis_6(*given, **options):
        cursor, found, *_ = claim(*given, **options)
        return cursor, [(None, None), *found, (None, None)]

    stream._client.xautoclaim = of_redis_6
    assert [message.id for message in stream.read(100)] == ids[2:3]
    assert [message.id for message in stream.read(100)] == ids[3:]
    client.close()


def test_a_server_that_runs_somebodys_script_is_waited_for(redis_server, open_stream):
    from redis.exceptions import ResponseError

    client, busy = redis_server.client(), redis_server.client()
    [entry] = fill(client, 1)
    stream = open_stream(redis_server.url)
    stream.waiting()
    client.config_set("lua-time-limit", 1)

    def run():
        with pytest.raises(ResponseError, match="killed"):
            busy.eval("while true do end", 0)

    thread = Thread(target=run)
    thread.start()
    try:
        with pytest.raises(Away, match="^BUSY Redis is busy"):
            while True:  # until the script has begun
                stream.waiting()
    finally:
        client.script_kill()
        thread.join()
    assert [message.id for message in stream.read(1)] == [entry]
    client.close()
    busy.close()


RIGHTS = "-@all +xgroup +xreadgroup +xautoclaim +xpending +xadd +xack +xinfo +evalsha +script|load"


def test_a_user_needs_no_more_than_these_rights(redis_server, open_stream):
    client = redis_server.client()
    assert RIGHTS in (ROOT / "docs/streaming.md").read_text().replace("'", "")
    keys = [f"~{name}" for name in NAMES[:3]]
    client.execute_command("ACL", "SETUSER", "consumer", "on", ">word", "resetkeys", *keys, *RIGHTS.split())
    fill(client, 3)
    stream = open_stream(redis_server.url.replace(":pass%2Fw%3Ard%401", "consumer:word"))
    stream.settle(replies(stream.read(2)))
    assert stream.waiting() == 1 and client.xlen(NAMES.answers) == 2
    stream.close()
    assert not client.xinfo_consumers(NAMES.source, NAMES.group)
    client.execute_command("ACL", "SETUSER", "consumer", "-xautoclaim")
    with pytest.raises(StreamError, match="no permissions.*the rights of the user"):
        open_stream(redis_server.url.replace(":pass%2Fw%3Ard%401", "consumer:word")).read(1)
    client.close()


def test_after_a_failover_the_host_is_resolved_again(redis_server, open_stream):
    client = redis_server.client()
    stream = open_stream(redis_server.url)
    assert not stream.read(1)
    [before] = [each["id"] for each in client.client_list() if each["cmd"] == "xreadgroup"]
    client.replicaof("127.0.0.1", 1)
    with pytest.raises(Away, match="read only"):
        stream.read(1)
    client.replicaof("no", "one")
    stream.read(1)
    assert before not in [each["id"] for each in client.client_list()]
    client.close()


def test_a_full_server_is_waited_for(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 3)
    stream = open_stream(redis_server.url)
    found = replies(stream.read(100))
    client.config_set("maxmemory", 1)
    with pytest.raises(Away, match="maxmemory"):
        stream.settle(found)
    assert client.xpending(NAMES.source, NAMES.group)["pending"] == 3 and not client.xlen(NAMES.answers)
    client.config_set("maxmemory", 0)
    stream.settle(found)
    assert client.xlen(NAMES.answers) == 3
    client.close()


def test_answers_that_cannot_be_written_leave_their_messages(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 3)
    client.set(NAMES.answers, "a string")
    stream = open_stream(redis_server.url)
    found = replies(stream.read(100))
    with pytest.raises(StreamError, match="WRONGTYPE"):
        stream.settle(found)
    assert stream.waiting() == 3
    client.close()


def test_a_source_that_is_no_stream_is_said(redis_server, open_stream):
    with redis_server.client() as client:
        client.set(NAMES.source, "a string")
    with pytest.raises(StreamError, match="WRONGTYPE.*Check the names of the streams"):
        open_stream(redis_server.url).read(1)


def test_a_group_that_was_deleted_is_made_anew(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 3)
    stream = open_stream(redis_server.url)
    found = replies(stream.read(2))
    client.xgroup_destroy(NAMES.source, NAMES.group)
    with pytest.raises(Away, match="made anew"):
        stream.settle(found)
    stream.settle(found)  # it is not pending there
    assert not client.xlen(NAMES.answers) and len(stream.read(100)) == 3
    client.close()


def test_after_flushall_the_group_is_made_anew(redis_server, open_stream):
    client = redis_server.client()
    fill(client, 3)
    stream = open_stream(redis_server.url)
    found = replies(stream.read(2))
    client.flushall()
    with pytest.raises(Away, match="made anew"):
        stream.waiting()
    assert stream.waiting() == 0
    client.flushall()
    with pytest.raises(Away, match="made anew"):
        stream.settle(found)
    stream.settle(found)
    ids = fill(client, 3)
    assert [message.id for message in stream.read(100)] == ids and not client.xlen(NAMES.answers)
    client.close()


def test_errors_show_no_password(redis_server, open_stream):
    wrong = redis_server.url.replace("pass", "wrong")
    with pytest.raises(StreamError, match="refused the login") as raised:
        open_stream(wrong).read(1)
    assert "wrong" not in str(raised.value)
    stream = open_stream(redis_server.url)
    redis_server.kill()
    with pytest.raises(Away) as away:
        stream.read(1)
    assert "pass" not in str(away.value)
