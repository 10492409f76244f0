"""slipway doctor: the remote store is missing only to whoever needs one."""

import pytest

from slipway.doctor.check_store import Seen, check
from slipway.doctor.finding import MISSING, SKIPPED


@pytest.mark.parametrize(("in_git", "state"), [(False, MISSING), (True, SKIPPED)])
def test_no_remote_is_missing_unless_the_bundle_is_in_git(in_git, state):
    (found,) = check(Seen(None), "a" * 64, in_git)
    assert (found.what, found.state) == ("remote", state)
