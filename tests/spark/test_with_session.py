"""A session that a signal ends while it starts, or while it works."""

import pytest

from slipway.errors import TableError
from slipway.spark.job import with_session


class Session:
    """Stands for a session of Spark, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.sparkContext = self

    def stop(self) -> None:
        self.said.append("stop")

    def cancelAllJobs(self) -> None:
        self.said.append("cancel")


def test_a_session_is_stopped_after_the_work():
    session = Session()
    assert with_session(lambda: session, lambda given: (given is session, list(session.said))) == (True, [])
    assert session.said == ["stop"]


def test_a_session_is_stopped_when_the_work_fails():
    session = Session()
    with pytest.raises(ZeroDivisionError):
        with_session(lambda: session, lambda given: 1 / 0)
    assert session.said == ["stop"]


def test_what_keeps_a_session_from_starting_is_said():
    def start():
        raise TableError("no session")

    with pytest.raises(TableError, match="no session"):
        with_session(start, lambda given: pytest.fail("there is none"))


def test_a_signal_while_a_session_starts_stops_it_once_it_has(monkeypatch):
    """Nothing else could: Java would stay."""
    session, waits = Session(), []

    class Future:
        def result(self):
            waits.append(1)
            if len(waits) == 1:
                raise SystemExit(143)
            return session

    monkeypatch.setattr("slipway.spark.job.ThreadPoolExecutor.submit", lambda *_: Future())
    with pytest.raises(SystemExit):
        with_session(lambda: session, lambda given: None)
    assert session.said == ["stop"]
