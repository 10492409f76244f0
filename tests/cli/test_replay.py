"""slipway replay, as a person calls it."""

import shutil
from datetime import UTC, datetime

import pytest

import replays
from replays import Production, rows_of


@pytest.fixture
def production(tmp_path, monkeypatch) -> Production:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(replays, "NOW", datetime.now(UTC).replace(tzinfo=None, microsecond=0))
    return Production(tmp_path)


def test_it_collects_and_shows_what_would_change(run, production):
    production.ask(rows_of(200))
    result = run("replay", production.challenger.digest[:8].upper())
    assert result.code == 0 and result.err == ""
    first, *others = result.out.splitlines()
    assert "200 logged rows" in first and f"the challenger {production.challenger.digest[:12]}" in first
    assert "| request | row | before | after |" in others
    assert not list(production.log.root.glob("raw/*/*/*"))


def test_days(run, production):
    production.ask(rows_of(20), back=10)
    challenger = production.challenger.digest
    assert run("replay", challenger).out == "Nothing was logged in the last 7 days.\n"
    assert "20 logged rows" in run("replay", challenger, "--days", 10).out
    assert run("replay", challenger, "--days", 1).out == "Nothing was logged in the last day.\n"
    for days in (0, 91):
        assert run("replay", challenger, "--days", days).code == 2


def test_a_digest_that_is_none(run, production):
    result = run("replay", "0123456789ab")
    assert result.code == 5 and "no such bundle" in result.err


def test_without_a_log(run, production):
    shutil.rmtree(production.log.root)
    result = run("replay", production.challenger.digest)
    assert result.code == 5 and "there is no log" in result.err


def test_what_cannot_be_replayed_is_an_error(run, production):
    production.ask(rows_of(5))
    production.settings("log: {omit: [bmi]}")
    result = run("replay", production.challenger.digest)
    assert result.code == 4 and result.out == ""
    assert "5 rows cannot be replayed" in result.err and "bmi (log.omit)" in result.err
