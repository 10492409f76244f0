"""What timers have a box do, over all of its services."""

import signal
from pathlib import Path

import pytest

import shipments
from slipway.release.box import shipment, upkeep
from slipway.release.box.configuration import Configuration
from slipway.release.box.outage import Condition
from slipway.release.box.shipment import ship
from slipway.release.box.state import Box
from slipway.release.box.upkeep import ship_all, watch

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture
def boxes(tmp_path) -> list[Box]:
    made = [Box(name, tmp_path) for name in ("churn", "fraud")]
    for each in made:
        each.state.mkdir(parents=True)
    return made


@pytest.fixture
def mounted(monkeypatch) -> None:
    """A folder stands for a file system of its own."""
    monkeypatch.setattr(upkeep, "unlogged", lambda log, root: "" if log.exists() else f"{log} is not mounted")


def settings(**more: str) -> Configuration:
    return Configuration("example.org/a", **more)


def test_each_service_has_its_own_log_and_bucket_and_keeps_no_other_from_being_shipped(boxes, mounted, bucket, monkeypatch):
    monkeypatch.setattr("slipway.release.box.shipment.os.geteuid", lambda: 1)  # a test's folders are not the releases'
    shipments.fill(boxes[1].root / "srv/fraud")
    own = {
        "churn": settings(log_mount="/srv/churn", log_remote=f"s3://{bucket.name}/churn"),
        "fraud": settings(log_mount="/srv/fraud", log_remote=f"s3://{bucket.name}/fraud/models/"),
    }
    said: list[str] = []
    assert not ship_all(boxes, own, KEYS | {"AWS_ENDPOINT_URL": bucket.proxy.url}, said.append)
    assert len(said) == 1 and "Result: FAILED: churn" in said[0] and "srv/churn is not mounted" in said[0]
    assert {key.removeprefix("fraud/models/log/") for key in bucket.objects()} == set(shipments.SHIPPED)


def test_what_s3_refuses_is_said_with_the_service_and_fails(boxes, mounted, bucket, monkeypatch, capfd):
    monkeypatch.setattr("slipway.release.box.shipment.os.geteuid", lambda: 1)
    shipments.fill(boxes[0].root / "srv/churn")
    own = {"churn": settings(log_mount="/srv/churn", log_remote="s3://absent-bucket/churn")}
    environ = KEYS | {"AWS_ENDPOINT_URL": bucket.proxy.url}
    assert not ship_all(boxes, own, environ, lambda line: print(line, flush=True))
    assert "churn: Result: FAILED: s3://absent-bucket/churn/log/raw/" in capfd.readouterr().out


def test_a_service_whose_shipping_hangs_keeps_no_other_from_being_shipped(boxes, mounted, bucket, monkeypatch):
    monkeypatch.setattr("slipway.release.box.shipment.os.geteuid", lambda: 1)
    limited = shipment.as_service
    monkeypatch.setattr(upkeep, "as_service", lambda log, work: limited(log, work, 1 if log.name == "churn" else 60))
    monkeypatch.setattr(upkeep, "ship", lambda log, there: signal.pause() if there.prefix == "churn/" else ship(log, there))
    for each in boxes:
        shipments.fill(each.root / "srv" / each.service)
    own = {
        each.service: settings(log_mount=f"/srv/{each.service}", log_remote=f"s3://{bucket.name}/{each.service}")
        for each in boxes
    }
    said: list[str] = []
    assert not ship_all(boxes, own, KEYS | {"AWS_ENDPOINT_URL": bucket.proxy.url}, said.append)
    assert len(said) == 1 and "Result: FAILED: churn" in said[0] and "ended after 1 s" in said[0]
    assert {key.removeprefix("fraud/log/") for key in bucket.objects()} == set(shipments.SHIPPED)


def test_the_unit_outlasts_services_that_hang_and_is_limited_in_memory():
    text = (Path(upkeep.__file__).parents[1] / "ec2/bootstrap").read_text()
    unit = text.split("unit slipway-ship.service <<'END'\n")[1].split("\nEND\n")[0].splitlines()
    limits = dict(line.split("=", 1) for line in unit if "=" in line)
    assert 60 * int(limits["TimeoutStartSec"].removesuffix("min")) > 3 * shipment.SECONDS
    assert (limits["MemoryMax"], limits["OOMPolicy"]) == ("512M", "continue")


@pytest.mark.parametrize("own", [settings(), settings(log_mount="/srv/log"), settings(log_remote="s3://bucket/a")])
def test_without_a_log_or_a_place_for_it_nothing_is_asked_of_aws(boxes, own):
    assert ship_all(boxes, {"churn": own}, {}, pytest.fail)


def test_a_finding_is_told_to_its_own_service_and_one_of_the_machine_to_all_once(boxes, monkeypatch):
    conditions = {"churn": Condition(silent="no answer"), "fraud": Condition()}
    monkeypatch.setattr(upkeep, "examine", lambda box, own: conditions[box.service])
    monkeypatch.setattr(upkeep, "findings", lambda *_: {"restart": "restart it"})
    own = {"churn": settings(webhook="http://a"), "fraud": settings(webhook="http://b")}
    told: list[tuple[str, str]] = []

    def tell(name, configuration, good, text):
        told.append((configuration.webhook, text))
        return True

    for _ in range(2):
        assert watch(boxes, own, lambda line: None, tell)
    silence = "the service does not answer: no answer"
    assert sorted(told) == [("http://a", "restart it"), ("http://a", silence), ("http://b", "restart it")]


def test_nothing_that_needs_attention_is_told_to_nobody(boxes, monkeypatch):
    monkeypatch.setattr(upkeep, "examine", lambda box, own: Condition())
    monkeypatch.setattr(upkeep, "findings", lambda *_: {})
    assert not watch(boxes, {"churn": settings()}, pytest.fail, pytest.fail)
