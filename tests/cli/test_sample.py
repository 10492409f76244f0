"""`slipway sample --real`, with a web server in place of the public one."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from slipway.cli import sample
from slipway.sources.samples import insurance
from web import Web, serve_web

ROWS = 1_338
TABLE = "\n".join(",".join(row) for row in insurance(ROWS)).encode()
PATH = "/insurance.csv"


@pytest.fixture
def web(monkeypatch) -> Iterator[Web]:
    with serve_web() as web:
        monkeypatch.setattr("slipway.sources.public_tables.URL", web.url + PATH)
        yield web


def test_a_file_that_cannot_be_written_says_what_to_do(run, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sample, "replace", full)
    done = run("sample", "insurance", tmp_path / "table.csv")
    assert done.code == 4
    assert "table.csv: cannot be written (No space left on device). Free disk space" in done.err


def test_the_public_table_is_written_as_it_is_published(run, web, tmp_path):
    web.pages[PATH] = (200, TABLE)
    done = run("sample", "insurance", tmp_path / "data/table.csv", "--real")
    assert done.code == 0, done.err
    assert done.out == f"Wrote the 1,338 rows of {web.url}{PATH} to {tmp_path / 'data/table.csv'}\n"
    assert (tmp_path / "data/table.csv").read_bytes() == TABLE


@pytest.mark.parametrize(
    "page, says",
    [
        ((404, {}), "cannot be fetched (Not Found)"),
        ((200, b"<html>Sign in</html>"), "expected 1,338 rows of age, sex, bmi, children, smoker, region, charges"),
        ((200, b""), "expected 1,338 rows"),
        ((200, TABLE.replace(b"charges", b"expenses", 1)), "expected 1,338 rows"),
        ((200, TABLE[:-40]), "expected 1,338 rows"),
        ((200, b"\xff\x00" * 500), "expected 1,338 rows"),
    ],
    ids=["absent", "a page", "nothing", "another column", "a part", "binary"],
)
def test_what_is_not_the_table_leaves_the_file_alone(run, web, tmp_path, page, says):
    web.pages[PATH] = page
    table = tmp_path / "table.csv"
    table.write_text("mine")
    done = run("sample", "insurance", table, "--real", "--force")
    assert done.code == 4 and table.read_text() == "mine"
    assert web.url + PATH in done.err and says in done.err
    assert done.err.endswith("Without --real a table with the same columns is generated\n")


def test_without_a_network(run, monkeypatch, tmp_path):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr("slipway.sources.public_tables.URL", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        done = run("sample", "insurance", tmp_path / "table.csv", "--real")
    assert done.code == 4 and "Connection refused" in done.err and not (tmp_path / "table.csv").exists()


def test_a_generated_table_says_so_and_is_not_taken_for_the_public_one(run, web, tmp_path):
    web.pages[PATH] = (200, TABLE)
    table = tmp_path / "table.csv"
    assert run("sample", "insurance", table).out == f"Wrote 1,338 generated rows to {table}\n"
    again = run("sample", "insurance", table, "--real")
    assert again.code == 4 and "already exists. Add --force" in again.err and web.calls == []


@pytest.mark.parametrize("arguments", [("loan",), ("truck",), ("insurance", "--rows", "5")])
def test_only_the_whole_insurance_table_is_public(run, tmp_path, arguments):
    name, *options = arguments
    done = run("sample", name, tmp_path / "table.csv", "--real", *options)
    assert done.code == 2 and "--real downloads the whole insurance table" in done.err
