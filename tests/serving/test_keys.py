"""API keys in a file: they change while the service runs."""

import os
from pathlib import Path

import pytest

from bundles import ROWS
from servers import serve as start
from slipway.errors import ServingError

ROW = ROWS[0]
VALID = b"# two of them\nold\n\n  new\n"


def put(path: Path, content: bytes) -> None:
    """Replace a file as an editor does: by renaming another one."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    os.replace(draft, path)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "api-keys"
    path.write_bytes(b"old\n")
    return path


@pytest.fixture
def ask(serve, file):
    """Status of a prediction with a key."""
    client = serve(environ={"SLIPWAY_API_KEYS_FILE": str(file)}).test_client()
    return lambda key: client.post("/predict", json=ROW, headers={"X-API-Key": key}).status_code


def test_keys_rotate_while_the_service_runs(ask, file, capfd):
    assert (ask("old"), ask("new"), ask("")) == (200, 401, 401)
    put(file, VALID)
    assert (ask("old"), ask("new")) == (200, 200), "both meanwhile"
    put(file, b"new\n")
    assert (ask("old"), ask("new")) == (401, 200)
    log = capfd.readouterr().err
    assert log.count("API keys changed") == 2
    assert "new" not in log and "old" not in log.replace(str(file), "")


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "contains no key"),
        (b"# none\n\n", "contains no key"),
        (b"new", "the last line has no line end"),
        (b"old\nnew,other\n", "line 2: a space or comma in a key"),
        (b"new other\n", "line 1: a space or comma in a key"),
        (b"n\xe9w\n", "byte 1 is not UTF-8"),
        (b"n" * 70_000 + b"\n", "larger than 65536 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_a_faulty_file_keeps_the_earlier_keys_and_is_told_once(ask, file, capfd, content, reason):
    put(file, content) if content is not None else file.unlink()
    assert [ask("old"), ask("old"), ask("new")] == [200, 200, 401]
    log = capfd.readouterr().err
    assert log.count("API keys not read; the earlier ones stay valid") == log.count(reason) == 1
    assert "other" not in log
    put(file, b"new\n")
    assert (ask("old"), ask("new")) == (401, 200)


@pytest.mark.parametrize("content", [None, b"", b"new", b"a,b\n"])
def test_a_service_does_not_start_without_a_key_from_its_file(serve, file, content):
    put(file, content) if content is not None else file.unlink()
    with pytest.raises(ServingError, match=f"SLIPWAY_API_KEYS_FILE: {file}: "):
        serve(environ={"SLIPWAY_API_KEYS_FILE": str(file)})


def test_the_keys_of_the_environment_stay_valid_beside_the_file(serve, file):
    client = serve(environ={"SLIPWAY_API_KEYS": "fixed", "SLIPWAY_API_KEYS_FILE": str(file)}).test_client()
    put(file, b"new\n")
    found = [client.post("/predict", json=ROW, headers={"X-API-Key": key}).status_code for key in ("fixed", "old", "new")]
    assert found == [200, 401, 200]


def test_every_worker_follows_the_file_at_the_next_request(folder, file):
    with start(folder, WEB_CONCURRENCY="2", SLIPWAY_API_KEYS_FILE=str(file)) as server:

        def statuses(key: str) -> set[int]:
            return {server.call("POST", "/predict", ROW, **{"X-API-Key": key})[0] for _ in range(30)}

        assert len(server.workers(2)) == 2
        assert statuses("old") == {200}
        put(file, VALID)
        assert statuses("old") == statuses("new") == {200}
        put(file, b"new\n")
        assert (statuses("old"), statuses("new")) == ({401}, {200})
