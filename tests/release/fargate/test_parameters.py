"""Settings in Parameter Store: names and versions, never values."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.fargate.parameters import read_settings


def parameters(*found: tuple):
    """An `aws` whose Parameter Store has these: name, version, date."""

    def aws(*arguments: str):
        assert arguments == (
            "ssm",
            "describe-parameters",
            "--parameter-filters",
            "Key=Path,Option=OneLevel,Values=/slipway/insurance",
        )
        names = ("Name", "Version", "LastModifiedDate")
        return {"Parameters": [dict(zip(names, each)) for each in found]}

    return read_settings(aws, "insurance")


KEYS = ("/slipway/insurance/SLIPWAY_API_KEYS", 1, 1.5)
LOG = ("/slipway/insurance/SLIPWAY_LOG_SALT", 1, 1.5)


def test_the_names_are_those_of_environment_variables_in_order():
    found = parameters(LOG, KEYS)
    assert found.names == ("SLIPWAY_API_KEYS", "SLIPWAY_LOG_SALT") and found.prefix == "/slipway/insurance/"
    assert parameters().names == ()


@pytest.mark.parametrize("change", [(KEYS[0], 2, 1.5), (KEYS[0], 1, 2.5), ("/slipway/insurance/OTHER", 1, 1.5)])
def test_the_mark_changes_with_a_name_a_version_and_a_parameter_made_anew(change):
    assert parameters(KEYS, LOG).mark == parameters(LOG, KEYS).mark
    assert parameters(KEYS, LOG).mark != parameters(change, LOG).mark
    assert parameters(KEYS).mark != parameters(KEYS, LOG).mark


@pytest.mark.parametrize(
    "name, said",
    [
        ("api-keys", "does not name an environment variable"),
        ("1ST", "does not name an environment variable"),
        ("SLIPWAY_RELEASE", "sets what each release sets itself"),
        ("SLIPWAY_TRUSTED_PROXIES", "sets what each release sets itself"),
    ],
)
def test_a_name_that_cannot_be_set_is_refused(name, said):
    with pytest.raises(ReleaseError, match=f"parameter /slipway/insurance/{name} {said}"):
        parameters((f"/slipway/insurance/{name}", 1, 1.5))
