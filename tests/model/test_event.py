from slipway.model.event import Event, read_events, to_line

EVENT = Event(at="2026-11-22T09:00:00.123Z", id="a", bundle="ab" * 32, rows=[{"age": 19}], answers=[1.5])


def test_a_line_is_read_as_it_was_written():
    assert list(read_events(to_line(EVENT) * 2)) == [EVENT, EVENT]
    assert to_line(EVENT).count(b"\n") == 1


def test_torn_lines_are_told_and_the_others_read():
    line = to_line(EVENT)
    assert list(read_events(line[:-20] + b"\n" + line + b"{}\n[]\n" + line[:9])) == [None, EVENT, None, None, None]
