import shutil

import pytest

from page import TYPED, start


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
