"""A release without a slot, on a stand-in of Azure."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.webapp.app_record import RECORD, release_of
from web_app import Azure, answering, released

IMAGE, SETTINGS = "patch production/config/web", "put production/config/appsettings"


@pytest.fixture
def azure():
    """An app without a slot, where run 1 is live."""
    azure = Azure(slot=False)
    with answering(azure):
        released(azure, 1)
        azure.operations.clear()
        yield azure


def test_the_gap_is_told_before_and_after(azure):
    lines = released(azure, 2, "b")
    assert "no slot staging: it does not answer while the new container starts" in lines[2]
    assert "without a slot it may not have answered for 2" in lines[-1]
    assert azure.served == ["a", "a", "b", "b"]


def test_other_settings_stay(azure):
    azure.change_setting("SLIPWAY_API_KEYS", "of the production")
    released(azure, 2, "b")
    assert azure.production.settings["SLIPWAY_API_KEYS"] == "of the production"
    assert azure.production.settings["WEBSITES_PORT"] == "8080"


def test_an_image_that_is_named_by_a_setting_does_not_come_back(azure):
    azure.production.settings["DOCKER_CUSTOM_IMAGE_NAME"] = f"DOCKER|{azure.production.image}"
    released(azure, 2, "b")
    assert azure.serving() == "b"


@pytest.mark.parametrize("fault", ["crashing", "hanging", "wrong"])
def test_what_does_not_serve_is_replaced_by_the_former_image_and_the_job_says_how_long(azure, fault):
    getattr(azure, fault).add("b")
    with pytest.raises(ReleaseError, match=r"run 2.* failed: .*; after \d+ s release .*run 1.* is back"):
        released(azure, 2, "b")
    assert azure.serving() == "a" and release_of(azure.production.settings).request.run_number == 1


def test_a_cancelled_job_puts_the_former_image_back(azure):
    azure.ended = azure.passed + 5
    with pytest.raises(ReleaseError, match="failed: cancelled; after .*run 1.* is back"):
        released(azure, 2, "b")
    assert azure.serving() == "a"


def test_a_job_that_was_cancelled_before_it_changed_anything_changes_nothing(azure):
    azure.ended = azure.passed
    with pytest.raises(ReleaseError, match="cancelled"):
        released(azure, 2, "b")
    assert IMAGE not in azure.operations


def test_a_job_that_was_killed_between_image_and_settings_is_gone_back_from(azure):
    azure.production.image = azure.production.image.replace("a" * 64, "b" * 64)
    azure.crashing.add("c")
    with pytest.raises(ReleaseError, match="run 1.* is back"):
        released(azure, 3, "c")
    assert azure.serving() == "a"


def test_a_first_release_that_fails_leaves_the_app_as_it_was():
    azure = Azure(slot=False)
    azure.crashing.add("a")
    with answering(azure), pytest.raises(ReleaseError, match="the former image is back"):
        released(azure, 1)
    assert azure.production.image.endswith(":unreleased") and RECORD not in azure.production.settings


def test_a_way_back_that_fails_is_told(azure):
    azure.crashing.add("b")
    azure.before[SETTINGS] = lambda: azure.refusals.update({IMAGE: ["ERROR: (AuthorizationFailed) no right"]})
    with pytest.raises(ReleaseError, match="then the former image could not be put back: .*AuthorizationFailed"):
        released(azure, 2, "b")
