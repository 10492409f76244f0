import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from bundles import ROWS


def samples(client) -> dict:
    """Value by name and labels; the bundle's label is checked and left out."""
    found = {}
    digest = client.application.extensions["slipway"].digest[:12]
    for family in parse(client.get("/metrics").text):
        for sample in family.samples:
            assert sample.labels.pop("bundle") == digest
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def test_answers_are_counted_by_address_method_and_status(client):
    for row in (ROWS[0], ROWS[1], {}):
        client.post("/predict", json=row)
    client.get("/nothing/1")
    client.get("/nothing/2")
    found = samples(client)
    labels = ("endpoint", "/predict"), ("method", "POST")
    assert found["slipway_requests_total", *labels, ("status", "200")] == 2
    assert found["slipway_requests_total", *labels, ("status", "422")] == 1
    assert found["slipway_requests_total", ("endpoint", "unknown"), ("method", "GET"), ("status", "404")] == 2
    assert found["slipway_request_seconds_count", ("endpoint", "/predict")] == 3


def test_rows_are_counted(client):
    client.post("/predict", json=ROWS)
    client.post("/predict", json=[{}, {}])
    client.post("/predict/file", data="age,bmi,smoker,joined\n19,20,no,2020-01-01\nx,,,\n", content_type="text/csv")
    found = samples(client)
    assert found["slipway_rows_predicted_total", ("endpoint", "/predict")] == 4
    assert found["slipway_rows_predicted_total", ("endpoint", "/predict/file")] == 1


def test_refused_fields_are_counted_by_reason(client):
    client.post("/predict", json=[{}, ROWS[0] | {"age": 199, "smoker": "x", "extra": 1}])
    client.post("/predict/file", data="age,bmi,smoker,joined\n19,20,no,2020-01-01\nx,,,\n", content_type="text/csv")
    found = samples(client)
    counted = {
        reason: found["slipway_fields_rejected_total", ("reason", reason)]
        for reason in (
            "missing",
            "type",
            "out_of_range",
            "unseen_level",
            "unknown_field",
        )
    }
    assert counted == {"missing": 5, "type": 1, "out_of_range": 1, "unseen_level": 1, "unknown_field": 1}


@pytest.mark.parametrize("policy, count", [("warn", 2), ("reject", None)])
def test_warnings_are_counted_by_reason(serve, policy, count):
    client = serve(serving=f"out_of_range: {policy}").test_client()
    client.post("/predict", json=[ROWS[0] | {"age": 99}, ROWS[0] | {"age": 1}])
    assert samples(client).get(("slipway_fields_warned_total", ("reason", "out_of_range"))) == count


def test_a_client_cannot_make_labels_up(client):
    client.get("/metrics")
    counted = []
    for number in range(3):
        client.open(f"/nothing/{number}", method=f"VERB{number}")
        counted.append(len(samples(client)))
    assert counted[0] == counted[1] == counted[2]
