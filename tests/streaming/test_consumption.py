"""The loop, on a stream in memory that can be away, full, or cut off between an answer and its acknowledgement."""

import json
import os
import signal

import pytest

from bundles import ROWS
from slipway.errors import StreamError
from slipway.streaming import consumption
from slipway.streaming.consumption import consume, ending_by_signal
from slipway.streaming.stream import Away, Message

BODY = json.dumps(ROWS[0]).encode()


class Ending:
    """Ends after so many reads that found nothing; time passes only in pauses."""

    def __init__(self, idle=1):
        self.idle, self.now = idle, 0.0

    @property
    def asked(self):
        return self.idle <= 0

    def pause(self, seconds):
        self.now += seconds

    def clock(self):
        return self.now


class Memory:
    """A stream of a group: what is read stays pending until it is settled."""

    def __init__(self, count, ending):
        self.new = [Message(f"1-{number}", BODY) for number in range(count)]
        self.pending, self.answers, self.dead, self.reads = {}, [], [], []
        self.ending, self.faults, self.closed = ending, [], 0

    def fault(self):
        if self.faults and (error := self.faults.pop(0)):
            raise error

    def read(self, most):
        self.fault()
        found = [*self.pending.values()][:most] or self.new[:most]
        self.new = self.new if self.pending else self.new[most:]
        self.pending |= {message.id: message for message in found}
        self.reads.append(len(found))
        self.ending.idle -= not found
        return found

    def settle(self, replies):
        self.fault()
        for reply in replies:
            (self.dead if reply.refused else self.answers).append(reply.message.id)
        self.fault()
        for reply in replies:
            self.pending.pop(reply.message.id)

    def waiting(self):
        self.fault()
        return len(self.new)

    def close(self):
        self.closed += 1


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def service(app):
    return app.extensions["slipway"]


@pytest.fixture
def play(service):
    """Consume until nothing is left; the tally and what was said."""

    def run(stream, ending):
        said = []
        return consume(stream, service, ending, said.append, ending.clock), said

    return run


def test_all_are_answered_in_batches_and_in_order(play):
    ending = Ending()
    stream = Memory(1200, ending)
    stream.new[7] = Message("1-7", b"{")
    tally, said = play(stream, ending)
    assert stream.reads == [500, 500, 200, 0]
    assert stream.answers == [f"1-{number}" for number in range(1200) if number != 7] and stream.dead == ["1-7"]
    assert (tally.answered, tally.dead) == (1199, 1) and not stream.pending and stream.closed == 1
    assert said == ["a message was refused: see the dead letters for the reason"]


def test_a_batch_has_no_more_rows_than_one_call(serve):
    ending = Ending()
    stream = Memory(10, ending)
    consume(stream, serve(serving="max_rows: 3").extensions["slipway"], ending, print)
    assert stream.reads == [3, 3, 3, 1, 0] and len(stream.answers) == 10


def test_a_crash_between_answer_and_acknowledgement_repeats_the_answers_with_their_ids(play):
    stream = Memory(600, Ending())
    stream.faults = [None, None, None, None, None, Killed()]  # read, twice in settle; read, then between the two of settle
    with pytest.raises(Killed):
        play(stream, stream.ending)
    assert len(stream.answers) == 600 and len(stream.pending) == 100 and stream.closed == 1
    play(stream, stream.ending)
    assert len(stream.answers) == 700 and len(set(stream.answers)) == 600 and not stream.pending


def test_nothing_is_read_while_the_answers_find_no_place(play):
    ending = Ending()
    stream = Memory(1000, ending)
    stream.faults = [None, *[Away("out of memory")] * 5]
    tally, said = play(stream, ending)
    assert tally.answered == 1000 and stream.reads == [500, 500, 0]
    assert said == [
        "the broker is away (out of memory); trying for 60 seconds",
        "the broker is back after 3 seconds",
    ]


def test_a_broker_that_stays_away_ends_it(play):
    ending = Ending()
    stream = Memory(10, ending)
    stream.faults = [Away("connection refused")] * 100
    with pytest.raises(StreamError, match=r"the broker stayed away for 6\d seconds \(connection refused\)") as raised:
        play(stream, ending)
    assert raised.value.exit_code == 5 and stream.closed == 1 and 10 < 100 - len(stream.faults) < 30


@pytest.mark.parametrize("step, told", [(1, []), (2, ["10 messages are not acknowledged: they will be answered again"])])
def test_it_ends_when_asked_while_the_broker_is_away(play, step, told):
    ending = Ending()
    stream = Memory(10, ending)
    stream.faults = [None] * (step - 1) + [Away("gone")] * 100
    ending.pause = lambda seconds: setattr(ending, "idle", 0)
    tally, said = play(stream, ending)
    assert tally.answered == 0 and said == ["the broker is away (gone); trying for 60 seconds", *told]
    assert stream.closed == 1


def test_it_says_each_minute_how_far_it_is(play, monkeypatch):
    ending = Ending(idle=3)
    stream = Memory(700, ending)
    read = stream.read

    def slow(most):
        ending.now += 40
        return read(most)

    stream.read = slow
    _, said = play(stream, ending)
    assert said == ["700 answered, 0 dead letters, 0 waiting"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_end_and_a_second_one_ends(number):
    before = signal.getsignal(number)
    with ending_by_signal() as ending:
        assert not ending.asked
        os.kill(os.getpid(), number)
        assert ending.asked and signal.getsignal(number) is signal.SIG_DFL
        ending.pause(600)
    assert signal.getsignal(number) is before


def test_the_batch_in_hand_is_settled_after_a_signal(service):
    with ending_by_signal() as ending:
        stream = Memory(1200, Ending())
        read = stream.read

        def read_and_ask(most):
            os.kill(os.getpid(), signal.SIGTERM)
            return read(most)

        stream.read = read_and_ask
        tally = consume(stream, service, ending, print)
    assert tally.answered == 500 and not stream.pending and len(stream.new) == 700
    assert consumption.BATCH == 500
