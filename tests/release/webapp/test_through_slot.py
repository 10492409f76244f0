"""A release through the slot, on a stand-in of Azure."""

import json

import pytest

from slipway.errors import ReleaseError
from slipway.release.webapp.app_record import RECORD
from web_app import REPOSITORY, Azure, answering, released

SWAP = "swap"
FILLED = "put staging/config/appsettings"


@pytest.fixture
def azure():
    """An app where run 1 is live, with a setting of its own."""
    azure = Azure()
    azure.production.settings["SLIPWAY_API_KEYS"] = "of the production"
    with answering(azure):
        released(azure, 1)
        azure.operations.clear()
        yield azure


def test_the_slot_answers_before_production_is_touched(azure):
    lines = released(azure, 2, "b")
    assert [each for each in azure.operations if not each.startswith(("get", "post"))] == [
        "patch staging/config/web",
        FILLED,
        SWAP,
    ]
    assert lines[0].startswith("live: release") and "(run 1" in lines[0]
    assert "-staging-" in lines[3] and "now it changes places" in lines[3]
    assert lines[-1].startswith("Result: release") and "(run 2" in lines[-1]


def test_production_has_the_settings_it_had_and_the_release_s_own(azure):
    released(azure, 2, "b")
    settings = azure.production.settings
    assert settings["SLIPWAY_API_KEYS"] == "of the production" and settings["WEBSITES_PORT"] == "8080"
    assert (settings["SLIPWAY_COMMIT"], settings["SLIPWAY_TRUSTED_PROXIES"]) == ("b" * 40, "1")
    assert json.loads(settings[RECORD])["run_number"] == 2
    assert azure.slot.digest == "a"


def test_no_value_of_a_setting_is_told_or_in_a_call(azure):
    lines = released(azure, 2, "b")
    assert "of the production" not in str(lines) + str(azure.calls)
    assert any("SLIPWAY_API_KEYS" in line for line in lines)


def test_a_setting_that_was_removed_in_production_is_gone_after_the_swap(azure):
    released(azure, 2, "b")
    del azure.production.settings["SLIPWAY_API_KEYS"]
    released(azure, 3, "c")
    assert "SLIPWAY_API_KEYS" not in azure.production.settings


def test_an_image_that_is_named_by_a_setting_does_not_come_back(azure):
    azure.production.settings["DOCKER_CUSTOM_IMAGE_NAME"] = f"DOCKER|{azure.production.image}"
    released(azure, 2, "b")
    assert azure.serving() == "b" and "DOCKER_CUSTOM_IMAGE_NAME" not in azure.production.settings
    assert "is already live" in released(azure, 2, "b")[-1]


def test_another_image_with_the_same_answer_is_not_swapped(azure):
    def choose() -> None:
        azure.slot.image = azure.production.image

    azure.before["get staging/config/web"] = choose
    with pytest.raises(
        ReleaseError, match=r"staging is to run DOCKER\|.*@sha256:a+, not .*@sha256:b+; production is untouched"
    ):
        released(azure, 2, "b")
    assert SWAP not in azure.operations


def test_settings_of_a_slot_stay_where_they_are(azure):
    azure.sticky = {"SLIPWAY_LOG"}
    azure.production.settings["SLIPWAY_LOG"], azure.slot.settings["SLIPWAY_LOG"] = "/production", "/staging"
    released(azure, 2, "b")
    assert (azure.production.settings["SLIPWAY_LOG"], azure.slot.settings["SLIPWAY_LOG"]) == ("/production", "/staging")


def test_a_setting_that_changes_while_the_slot_starts_stops_the_release(azure):
    azure.before[FILLED] = lambda: azure.change_setting("SLIPWAY_API_KEYS", "newer")
    with pytest.raises(
        ReleaseError, match="settings of production changed meanwhile: SLIPWAY_API_KEYS; production is untouched"
    ):
        released(azure, 2, "b")
    assert SWAP not in azure.operations and azure.serving() == "a"


def test_a_setting_that_changes_at_the_moment_of_the_swap_is_not_lost(azure):
    azure.before[SWAP] = lambda: azure.change_setting("SLIPWAY_API_KEYS", "newer")
    with pytest.raises(ReleaseError, match="SLIPWAY_API_KEYS; swapped back: release .*run 1.* serves again"):
        released(azure, 2, "b")
    assert azure.serving() == "a" and azure.production.settings["SLIPWAY_API_KEYS"] == "newer"
    released(azure, 2, "b")
    assert azure.serving() == "b" and azure.production.settings["SLIPWAY_API_KEYS"] == "newer"


def test_a_release_by_somebody_else_meanwhile_is_not_overwritten(azure):
    azure.before[FILLED] = lambda: azure.change_setting("SLIPWAY_RELEASE", "another")
    with pytest.raises(ReleaseError, match="meanwhile .* went live"):
        released(azure, 2, "b")
    assert SWAP not in azure.operations


def test_a_wrong_bundle_is_seen_in_the_slot(azure):
    azure.wrong.add("b")
    with pytest.raises(ReleaseError, match="bundle eeeeeeeeeeee, but the commit names .*; production is untouched") as failed:
        released(azure, 2, "b")
    assert "az webapp log tail --resource-group slipway --name acme-insurance --slot staging" in failed.value.cure
    assert SWAP not in azure.operations


def test_an_old_answer_after_the_swap_is_waited_for(azure):
    azure.stale = [30]
    assert "is live" in released(azure, 2, "b")[-1]


def test_settings_that_azure_tells_late_are_waited_for(azure):
    azure.lag = 3
    assert "is live" in released(azure, 2, "b")[-1] and azure.lag == 0


def test_production_that_keeps_the_old_answer_is_swapped_back(azure):
    azure.stale = [1_000]
    with pytest.raises(ReleaseError, match="failed: .* release .* answers; swapped back: release .*run 1"):
        released(azure, 2, "b")
    assert azure.production.digest == "a"
    released(azure, 3, "c")
    assert azure.serving() == "c"


def test_what_keeps_azure_busy_is_waited_for(azure):
    azure.refusals = {
        FILLED: ['ERROR: Conflict({"Message":"Cannot modify this site because another operation is in progress."})'] * 3,
        SWAP: ["ERROR: Operation returned an invalid status 'Conflict'"] * 3,
    }
    released(azure, 2, "b")
    assert azure.serving() == "b" and azure.operations.count(SWAP) == 4


def test_what_keeps_azure_busy_for_too_long_is_told(azure):
    azure.refusals = {SWAP: ["ERROR: Conflict({})"] * 1_000}
    with pytest.raises(ReleaseError, match=r"was not swapped: .*Conflict.*; release .*run 1.* serves"):
        released(azure, 2, "b")
    assert azure.serving() == "a"


def test_a_prepared_swap_is_told_at_once_and_left_to_who_prepared_it(azure):
    said = "The slot cannot be changed because its configuration settings have been prepared for swap."
    azure.refusals = {"patch staging/config/web": [f'ERROR: Conflict({{"Code":"Conflict","Message":"{said}"}})'] * 9}
    with pytest.raises(ReleaseError, match="prepared for swap.*production is untouched") as failed:
        released(azure, 2, "b")
    assert "Complete or cancel" in failed.value.cure and azure.operations.count("patch staging/config/web") == 1


def test_a_swap_that_lost_its_answer_is_not_made_twice(azure):
    azure.before[SWAP] = azure._swap
    azure.refusals = {SWAP: ["ERROR: HTTPSConnectionPool: Max retries exceeded"]}
    released(azure, 2, "b")
    assert azure.serving() == "b" and azure.operations.count(SWAP) == 1


def test_a_swap_that_fails_at_its_end_is_known_by_what_production_names(azure):
    azure.before[SWAP] = azure._swap
    azure.refusals = {SWAP: ["ERROR: Cannot swap site slots because the 'staging' slot did not respond to http ping"]}
    released(azure, 2, "b")
    assert azure.serving() == "b" and azure.operations.count(SWAP) == 1


def test_a_first_release_goes_to_production_because_nothing_serves_there():
    azure = Azure()
    with answering(azure):
        lines = released(azure, 1)
        assert "nothing serves yet" in lines[2] and "may not have answered" not in lines[-1]
        assert SWAP not in azure.operations and azure.serving() == "a"
        azure.crashing.add("b")
        with pytest.raises(ReleaseError):
            released(azure, 2, "b")
    assert azure.serving() == "a"


def test_a_swap_that_never_ends_is_told_with_what_serves(azure):
    azure.refusals = {SWAP: ["timed out"]}
    with pytest.raises(ReleaseError, match=r"was not swapped: az: timed out; release .*run 1.* serves"):
        released(azure, 2, "b")
    assert azure.operations.count(SWAP) == 1


def test_a_swap_that_azure_refuses_leaves_production(azure):
    azure.refusals = {SWAP: ["ERROR: Cannot swap site slots because the 'staging' slot did not respond to http ping"]}
    with pytest.raises(ReleaseError, match=r"did not respond to http ping; release .*run 1.* serves"):
        released(azure, 2, "b")
    assert azure.serving() == "a"


def test_a_job_that_is_cancelled_while_the_slot_starts_leaves_production(azure):
    azure.ended = azure.passed + 5
    with pytest.raises(ReleaseError, match="cancelled; production is untouched: release .*run 1"):
        released(azure, 2, "b")
    azure.ended = None
    released(azure, 3, "c")
    assert azure.serving() == "c"


def test_a_job_that_is_cancelled_after_the_swap_says_what_serves(azure):
    def cancel() -> None:
        azure.ended = azure.passed

    azure.before[SWAP] = cancel
    with pytest.raises(ReleaseError, match="cancelled after the swap: release .*run 2.* serves, and is not confirmed"):
        released(azure, 2, "b")
    azure.ended = None
    assert "is already live" in released(azure, 2, "b")[-1]


def test_a_way_back_that_azure_refuses_is_told_with_what_to_do(azure):
    azure.stale = [1_000]
    azure.before[SWAP] = lambda: azure.crashing.add("a")
    with pytest.raises(ReleaseError, match="run 2.* failed: .*; then the swap back failed: .*did not respond") as failed:
        released(azure, 2, "b")
    assert failed.value.cure == "Run the workflow again"


@pytest.mark.parametrize("operation", ["patch staging/config/web", FILLED])
def test_the_next_release_begins_with_a_slot_that_is_half_set(azure, operation):
    azure.refusals = {operation: ["ERROR: Bad Request({})"]}
    with pytest.raises(ReleaseError, match="production is untouched"):
        released(azure, 2, "b")
    released(azure, 2, "b")
    assert azure.serving() == "b"


def test_an_image_that_the_registry_does_not_list_is_refused_before_anything_is_changed(azure):
    azure.listed = False
    with pytest.raises(ReleaseError, match=f"the registry lists nothing under the release key {REPOSITORY}:b"):
        released(azure, 2, "b")
    assert all(each.startswith(("get", "post")) for each in azure.operations)


def test_an_image_that_somebody_chose_by_hand_is_replaced(azure):
    azure.production.image = f"{REPOSITORY}:by-hand"
    assert "already" not in released(azure, 1)[-1]
    assert azure.serving() == "a"
