"""schemathesis calls the service in the ways its specification allows, and in ways it does not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
)

from slipway.kinds import PROTOCOLS
from specification import definition

load_all_checks()
ALLOWED, NOT_ALLOWED = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CALLS = [
    ("POST", "/predict", ALLOWED),
    ("POST", "/predict", NOT_ALLOWED),
    ("POST", "/predict/file", ALLOWED),
    ("POST", "/predict/file", NOT_ALLOWED),
    ("POST", "/what-if", ALLOWED),
    ("POST", "/what-if", NOT_ALLOWED),
    ("GET", "/healthz", ALLOWED),
    ("GET", "/readyz", ALLOWED),
    ("GET", "/metrics", ALLOWED),
]


MANY, FEW = (settings(max_examples=count, suppress_health_check=list(HealthCheck)) for count in (40, 12))
TASKS = ["regression", "binary", "multiclass"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method, path, mode", CALLS)
def test_calls_are_answered_as_described(serve, method, path, mode, task):
    specification = schemathesis.openapi.from_wsgi("/apispec.json", serve(task, "max_rows: 50"))
    # A schema cannot say which texts are CSV tables of certain columns; the refusals are described all the same.
    # Nor can it say which texts are numbers or missing cells; tests/serving/test_docs.py compares those.
    excluded = [positive_data_acceptance] if path == "/predict/file" else [negative_data_rejection]

    @given(case=specification[path][method].as_strategy(generation_mode=mode))
    @MANY
    def answered(case):
        response = case.call()
        # Swagger 2 has one schema a status: that of 200 is for one row, and what a list gets is a definition of its own
        several = path == "/predict" and response.status_code == 200 and isinstance(case.body, list)
        if several:
            definition(specification.raw_schema, "Answers").validate(response.json())
        case.validate_response(response, excluded_checks=[*excluded, response_schema_conformance] if several else excluded)

    answered()


def test_every_call_is_tried(serve):
    specification = schemathesis.openapi.from_wsgi("/apispec.json", serve())
    found = {(each.ok().method.upper(), each.ok().path) for each in specification.get_all_operations()}
    assert found == {(method, path) for method, path, _ in CALLS}


@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("mode", [ALLOWED, NOT_ALLOWED])
def test_calls_of_further_protocols_are_answered_as_described(serve, mode, task):
    app = serve(task, f"max_rows: 50, protocols: [{', '.join(PROTOCOLS)}]")
    specification = schemathesis.openapi.from_wsgi("/apispec.json", app)
    rejection = specification.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]  # more rows than maxItems
    calls = [each.ok() for each in specification.get_all_operations()]
    further = [call for call in calls if (call.method.upper(), call.path) not in {(method, path) for method, path, _ in CALLS}]
    assert len(further) > len(PROTOCOLS)
    for call in further:
        takes_rows = call.method == "post"  # a schema cannot say how the shape and the data of a tensor belong together
        if mode == ALLOWED or takes_rows:
            _try(call, mode, [positive_data_acceptance] if takes_rows else [])


def _try(call, mode, excluded):
    @given(case=call.as_strategy(generation_mode=mode))
    @FEW
    def answered(case):
        case.call_and_validate(excluded_checks=excluded)

    answered()
