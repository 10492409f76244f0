"""slipway doctor on the tracking server."""

import sys

from slipway.doctor.check_tracking import check
from slipway.errors import StoreError
from slipway.export.tracking_server import ADDRESS


def test_nothing_is_asked_where_no_server_is_named():
    assert check({}, lambda: 1 / 0) == check({ADDRESS: ""}, lambda: 1 / 0) == []
    assert "mlflow" not in sys.modules


def test_a_server_that_answers_is_named():
    (found,) = check({ADDRESS: "http://localhost:5000"}, lambda: "http://localhost:5000")
    assert (found.what, found.state, found.says) == (
        "MLflow",
        "ok",
        "http://localhost:5000 answers: each training is logged there",
    )


def test_one_that_is_away_fails_and_only_a_release_may_need_it():
    def away() -> str:
        raise StoreError("http://localhost:5000: the call to MLflow failed (refused)", "Check the login")

    (found,) = check({ADDRESS: "http://localhost:5000"}, away)
    assert (found.state, found.cure, found.now) == ("failed", "Check the login", False)
