import shutil

import pytest

from page import TYPED, start
from slipway.serving.service import open_service
from slipway.store.verdicts import to_bytes


@pytest.fixture
def client(tmp_path):
    """Of a service that has started, and whose store is gone since."""
    app = start(tmp_path)
    app.extensions["slipway"].load()
    shutil.rmtree(tmp_path / "artifacts")
    return app.test_client()


@pytest.mark.parametrize("path", ["/", "/model", "/report", "/report.html", "/apidocs", "/readyz"])
def test_what_was_read_at_the_start_is_shown_when_the_store_is_gone(client, path):
    assert client.get(path, follow_redirects=True).status_code == 200


def test_the_form_is_answered_when_the_store_is_gone(client):
    assert client.post("/", data=TYPED).status_code == 200


def test_the_champions_before_come_from_verdict_json(tmp_path):
    here = start(tmp_path).extensions["slipway"]
    before, now = ({"digest": digest, "outcome": "promoted", "reasons": []} for digest in ("ab" * 32, here.digest))
    (tmp_path / "artifacts" / "verdict.json").write_bytes(to_bytes("regression", [before, now]))
    assert [each.digest for each in open_service(here.problem, {}).documents.history] == ["ab" * 32]
