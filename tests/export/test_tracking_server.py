"""How a tracking server is called: with what patience, and what is told when it is away."""

import logging
import warnings

import pytest

from mlflow_client import MlflowException, Server, installed
from slipway.errors import BundleError, ProblemError, StoreError
from slipway.export.tracking_server import BRIEF, SETTINGS, connected, ping

ADDRESS = "http://user:secret@mlflow.example:5000"


@pytest.fixture
def server(monkeypatch) -> Server:
    return installed(monkeypatch, Server())


def test_what_mlflow_is_told_ends_with_the_block(server):
    environ = {"MLFLOW_TRACKING_URI": ADDRESS, "MLFLOW_DISABLE_TELEMETRY": "false"}
    before = dict(environ)
    with connected("insurance", environ) as found:
        assert (found.address, found.experiment) == ("http://mlflow.example:5000", "experiment of insurance")
        assert environ == SETTINGS | before
        logging.getLogger("urllib3").error("an error")
        assert not logging.getLogger("urllib3").isEnabledFor(logging.WARNING)
        warnings.warn("of a library", stacklevel=1)
    assert environ == before and logging.getLogger("urllib3").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(
    "own, seen", [({}, BRIEF), ({"MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60"})]
)
def test_the_first_call_has_little_patience_unless_the_environment_says_how_much(server, own, seen):
    environ = {"MLFLOW_TRACKING_URI": ADDRESS} | own
    during = {}
    server._get_experiment_by_name = lambda name: during.update(environ)
    with connected("insurance", environ):
        assert {name: during[name] for name in seen} == seen
        assert environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == SETTINGS["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]


@pytest.mark.parametrize("named", [{}, {"MLFLOW_TRACKING_URI": ""}])
def test_without_an_address_the_cure_is_told(named):
    with pytest.raises(ProblemError, match="MLFLOW_TRACKING_URI is not set"), connected("insurance", named):
        pass


def test_without_mlflow_the_package_is_named(monkeypatch):
    monkeypatch.setattr("slipway.export.tracking_server.find_spec", lambda name: None)
    with pytest.raises(ProblemError, match=r"pip install 'slipway-ml\[mlflow\]'"):
        ping({"MLFLOW_TRACKING_URI": ADDRESS})


def test_an_error_is_told_in_a_line_without_the_password_of_the_address(server):
    server.refuses["get_experiment_by_name"] = ConnectionError(f"API request to {ADDRESS}/api/2.0 failed\nwith more lines")
    with pytest.raises(StoreError) as caught, connected("insurance", {"MLFLOW_TRACKING_URI": ADDRESS}):
        pass
    assert caught.value.cause.startswith("http://mlflow.example:5000: the call to MLflow failed (API request to http://mlflow")
    assert "secret" not in str(caught.value) and "more lines" not in str(caught.value)
    assert "run the same command again" in caught.value.cure


@pytest.mark.parametrize(
    "says, told",
    [
        ("for url: https://bucket.example/model?X-Amz-Signature=secret (403)", "for url: https://bucket.example/model (403)"),
        ("'https://other:secret@host/path?sig=secret'", "'https://host/path'"),
        ("s3://key:sec@ret@bucket/model, http://host/a@b", "s3://bucket/model, http://host/a@b"),
        (
            "Max retries exceeded with url: /model?X-Amz-Signature=s%2F (reset)",
            "Max retries exceeded with url: /model (reset)",
        ),
        ("is it there?", "is it there?"),
        (f"{'x' * 380}{ADDRESS}", f"{'x' * 380}http://mlflow.exampl"),
    ],
)
def test_no_login_and_no_signature_of_any_address_is_told(server, says, told):
    server.refuses["search_experiments"] = ConnectionError(says)
    with pytest.raises(StoreError) as caught:
        ping({"MLFLOW_TRACKING_URI": ADDRESS})
    assert caught.value.cause == f"http://mlflow.example:5000: the call to MLflow failed ({told})"


@pytest.mark.parametrize(
    "address, shown",
    [
        ("http://user:secret@[mlflow.example:5000", "http://[mlflow.example:5000"),
        ("postgresql://user:se/cret@host/mlflow", "postgresql://host/mlflow"),
        ("postgresql://host/mlflow?user=ann&password=secret", "postgresql://host/mlflow"),
        ("sqlite:////home/ann@desk/mlflow.db", "sqlite:////home/ann@desk/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_neither_login_nor_query_of_an_address_is_shown(server, address, shown):
    server.refuses["search_experiments"] = ConnectionError(f"cannot reach {address}")
    with pytest.raises(StoreError) as caught:
        ping({"MLFLOW_TRACKING_URI": address})
    assert caught.value.cause == f"{shown}: the call to MLflow failed (cannot reach {shown})"


def test_an_error_of_slipway_itself_stays_what_it_is(server):
    with pytest.raises(BundleError, match="damaged"), connected("insurance", {"MLFLOW_TRACKING_URI": ADDRESS}):
        raise BundleError("damaged")


def test_an_experiment_that_somebody_else_makes_meanwhile_is_used(server):
    found = iter([None, "found"])
    there = server._get_experiment_by_name
    server._get_experiment_by_name = lambda name: next(found) and there(name)
    server.experiments["insurance"] = "7"
    server.refuses["create_experiment"] = MlflowException("exists", "RESOURCE_ALREADY_EXISTS")
    with connected("insurance", {"MLFLOW_TRACKING_URI": ADDRESS}) as used:
        assert used.experiment == "7"


def test_asking_whether_it_answers_changes_nothing_there(server):
    assert ping({"MLFLOW_TRACKING_URI": ADDRESS}) == "http://mlflow.example:5000"
    assert server.calls == {"search_experiments": 1}
