"""When a person is told: on a change, once by each channel, and again what did not arrive."""

import json
from dataclasses import dataclass, field

import pytest

from slipway.monitoring.alerts import Note, tell
from slipway.monitoring.message import Message
from slipway.monitoring.partitions import Log


@dataclass
class Channel:
    """A channel that notes what it is told, or fails."""

    name: str = "hook"
    fails: str = ""
    told: list[str] = field(default_factory=list)

    def send(self, message: Message) -> str:
        if not self.fails:
            self.told.append(message.outcome)
        return self.fails


@pytest.fixture
def note(tmp_path) -> Note:
    return Note(Log(tmp_path), None)


def looks(note: Note, outcomes: str, *channels: Channel) -> list[str]:
    """What fails in looks with these outcomes."""
    return [each for outcome in outcomes.split() for each in tell(Message(outcome, "", ""), channels, note)]


@pytest.mark.parametrize(
    "outcomes, told",
    [
        ("quiet quiet", []),
        ("drift drift drift", ["drift"]),
        ("quiet drift worse worse quiet quiet", ["drift", "worse", "quiet"]),
        ("broken quiet broken", ["broken", "quiet", "broken"]),
    ],
)
def test_a_change_is_told_once(note, outcomes, told):
    channel = Channel()
    assert looks(note, outcomes, channel) == []
    assert channel.told == told


def test_what_did_not_arrive_is_told_after_the_next_look(note):
    channel = Channel(fails="HTTP 500")
    assert (
        looks(note, "drift drift", channel)
        == ["hook: the message did not arrive (HTTP 500); it is sent again after the next run"] * 2
    )
    channel.fails = ""
    looks(note, "drift drift", channel)
    assert channel.told == ["drift"]


def test_a_channel_that_fails_keeps_no_other_from_being_told(note):
    deaf, open_one = Channel("hook", "HTTP 500"), Channel("mail")
    looks(note, "drift", deaf, open_one)
    deaf.fails = ""
    looks(note, "drift", deaf, open_one)
    assert (deaf.told, open_one.told) == (["drift"], ["drift"])


def test_what_was_never_told_of_is_not_taken_back(note):
    channel = Channel(fails="HTTP 500")
    looks(note, "drift", channel)
    channel.fails = ""
    looks(note, "quiet", channel)
    assert channel.told == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"hook": 7}'])
def test_a_damaged_note_counts_as_none(note, content):
    note.path.write_bytes(content)
    channel = Channel()
    looks(note, "drift drift", channel)
    assert channel.told == ["drift"]


def test_a_note_that_cannot_be_kept_is_no_failure(tmp_path):
    (tmp_path / "file").touch()
    channel = Channel()
    [failed] = looks(Note(Log(tmp_path / "file"), None), "drift", channel)
    assert failed.startswith("nobody knows whom the messages reached") and channel.told == []


def test_without_a_channel_nothing_is_kept(note):
    looks(note, "drift")
    assert not note.path.exists()


def test_another_machine_knows_what_was_told(tmp_path, bucket):
    remote, channel = bucket.remote(), Channel()
    for machine, outcome in (("one", "drift"), ("another", "drift"), ("third", "quiet"), ("one", "quiet")):
        log = Log(tmp_path / machine)
        log.make()
        assert looks(Note(log, remote), outcome, channel) == []
    assert channel.told == ["drift", "quiet"]
    assert [json.loads(each) for each in bucket.objects().values()] == [{"hook": "quiet"}]
