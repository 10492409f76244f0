"""Which service a call is about, and what several on one box may take."""

import os
import pwd
from pathlib import Path

import pytest

from slipway.errors import ReleaseError
from slipway.release.box import services
from slipway.release.box.configuration import Configuration
from slipway.release.box.services import allowed, caller, installed, memory_of, only, places, require_room
from slipway.release.box.state import Box

FOUND = [Box("churn"), Box("insurance")]


def test_services_are_the_folders_with_settings(tmp_path):
    for name in ("insurance", "churn"):
        path = Box(name, tmp_path).configuration
        path.parent.mkdir(parents=True)
        path.touch()
    (path.parent.parent / "left-over").mkdir()
    assert [each.service for each in installed(tmp_path)] == ["churn", "insurance"]
    assert installed(tmp_path / "elsewhere") == []


def test_names_are_those_that_the_bootstrap_makes():
    bootstrap = Path(services.__file__).parents[1] / "ec2/bootstrap"
    assert f"[[ $service =~ ^{services.NAME.pattern}$ ]]" in bootstrap.read_text()


@pytest.mark.parametrize(
    "named, user, expected",
    [
        (None, "runner-churn", ["churn"]),
        ("churn", "runner-churn", ["churn"]),
        (None, "", ["churn", "insurance"]),
        (None, "ubuntu", ["churn", "insurance"]),
        ("insurance", "ubuntu", ["insurance"]),
    ],
)
def test_a_runner_acts_for_its_own_service_and_an_administrator_for_any(named, user, expected):
    assert [each.service for each in allowed(FOUND, named, user)] == expected


@pytest.mark.parametrize(
    "named, user, says",
    [
        ("insurance", "runner-churn", "runner-churn can only release churn, not insurance"),
        (None, "runner-gone", "this box has no service gone"),
        ("gone", "", "this box has no service gone. Its services: churn, insurance"),
    ],
)
def test_nobody_acts_for_another_service(named, user, says):
    with pytest.raises(ReleaseError, match=says):
        allowed(FOUND, named, user)


def test_without_a_service_the_bootstrap_is_named():
    with pytest.raises(ReleaseError, match="no service. Run it as root on a box that the bootstrap set up"):
        allowed([], None, "")


def test_one_of_several_has_to_be_named():
    assert only(FOUND[:1]) == FOUND[0]
    with pytest.raises(ReleaseError, match="several services: churn, insurance. Name one: --service churn"):
        only(FOUND)


def test_the_caller_is_who_called_sudo():
    own = pwd.getpwuid(os.getuid()).pw_name
    assert caller({"SUDO_UID": str(os.getuid()), "SUDO_USER": "runner-other"}) == own
    assert caller({}) == ""
    for wrong in ("4294967000", "x"):
        with pytest.raises(ReleaseError, match="has no name"):
            caller({"SUDO_UID": wrong})


def test_limits_that_fit_are_taken_and_others_refused_with_the_sum():
    three = {name: Configuration(f"r/{name}", memory="240m") for name in ("a", "b", "c")}
    require_room("a", three, 1_900)  # 3 × 240, and 2 × 240 for the swap, and 700
    with pytest.raises(ReleaseError) as raised:
        require_room("c", three | {"c": Configuration("r/c", memory="1g", draining=0)}, 1_900)
    assert "a 240 + b 240 + c 1024 and 1 × 1024 for its swap need 2528 MiB, but this machine has 1200 MiB" in str(raised.value)
    assert "Lower memory or draining" in str(raised.value)


def test_a_service_alone_is_not_refused():
    require_room("a", {"a": Configuration("r/a", memory="64g")}, 1_900)


def test_the_memory_of_the_machine_is_what_the_kernel_says(tmp_path):
    table = tmp_path / "meminfo"
    table.write_text("MemTotal:        1955000 kB\nMemFree: 1 kB\n")
    assert memory_of(table) == 1_909
    assert memory_of(Path(services.MEMORY)) > 100


def test_places_are_lines_for_the_site():
    second = Configuration("r.example/b", host="b.example.org", prefix="/b", email="x@y")
    assert places({"a": Configuration("r.example/a"), "b": second}) == [
        "a - - - r.example/a",
        "b b.example.org /b x@y r.example/b",
    ]


@pytest.mark.parametrize(
    "second, says",
    [
        (Configuration("r.example/b"), "a and b have the same host and prefix"),
        (Configuration("r.example/a", prefix="/b"), "a and b have the same repository"),
    ],
)
def test_two_services_in_one_place_are_refused(second, says):
    with pytest.raises(ReleaseError, match=says):
        places({"a": Configuration("r.example/a"), "b": second})
