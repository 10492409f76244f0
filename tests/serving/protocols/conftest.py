"""Services that speak the Open Inference Protocol."""

import pytest

from inference_service import Service


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    yield made
    made.app.extensions["slipway"].recorder.close()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory):
    """A service that is asked for nothing that it can answer."""
    made = Service(tmp_path_factory.mktemp("refusing"))
    yield made
    made.app.extensions["slipway"].recorder.close()
