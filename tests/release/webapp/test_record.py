"""What app settings say of a release."""

import pytest

from clouds import request
from slipway.release.webapp.record import RECORD, Release, differing, mark_of, release_of, users_settings

RELEASE = Release("0123456789ab", request(7), "registry.example/insurance", "mark")


def test_a_release_is_read_as_it_was_written():
    assert release_of(RELEASE.app_settings()) == RELEASE
    assert RELEASE.image == f"registry.example/insurance@sha256:{'a' * 64}"


@pytest.mark.parametrize("record", [None, "", "[]", "{", '{"run_number": 1}', '{"key": 1}'])
def test_what_no_release_wrote_is_none(record):
    settings = RELEASE.app_settings() | ({RECORD: record} if record is not None else {})
    if record is None:
        del settings[RECORD]
    assert release_of(settings) is None


def test_a_record_is_one_line_that_a_portal_shows():
    assert "\n" not in RELEASE.app_settings()[RECORD] and len(RELEASE.app_settings()[RECORD]) < 400


def test_people_s_settings_are_neither_the_release_s_nor_a_slot_s():
    assert users_settings({**RELEASE.app_settings(), "A": "1", "B": "2"}, {"B"}) == {"A": "1"}


def test_the_mark_is_another_when_a_setting_changes():
    marks = {mark_of(each) for each in ({}, {"A": "1"}, {"A": "2"}, {"B": "1"}, {"A": "1", "B": "1"})}
    assert len(marks) == 5 and mark_of({"A": "1", "B": "2"}) == mark_of({"B": "2", "A": "1"})


def test_differing_settings_are_named():
    assert differing({"A": "1", "B": "1", "C": "1"}, {"B": "1", "C": "2", "D": "1"}) == ["A", "C", "D"]
