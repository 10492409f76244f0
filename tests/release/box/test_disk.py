"""The disk that the services of a box share."""

import os
from types import SimpleNamespace

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.disk import require_disk, usage
from slipway.release.box.state import Box


def free(gigabytes: float) -> SimpleNamespace:
    return SimpleNamespace(f_frsize=4_096, f_bavail=int(gigabytes * 1e9 / 4_096) + 1)


def test_a_new_image_leaves_room_to_the_others():
    with pytest.raises(ReleaseError, match="the disk has 0.9 GB free, and a new image is pulled from 1 GB on") as refused:
        require_disk(free(0.9), lambda: False)
    assert "slipway-release watch" in refused.value.cure
    require_disk(free(1), lambda: pytest.fail("asked"))


def test_an_image_that_is_there_may_run_on_a_full_disk():
    require_disk(free(0), lambda: True)


def test_files_count_for_the_service_whose_they_are(tmp_path):
    churn, fraud = Box("churn", tmp_path), Box("fraud", tmp_path)
    job = tmp_path / "opt/actions-runner-churn/_work/deep"
    for folder in (job, churn.state, fraud.state, tmp_path / "home/runner-fraud"):
        folder.mkdir(parents=True)
    (job / "large").write_bytes(os.urandom(3_000_000))
    (fraud.state / "link").symlink_to(job / "large")
    found = usage([churn, fraud])
    assert list(found) == ["churn", "fraud"]
    assert 3_000_000 <= found["churn"] < 3_200_000 and found["fraud"] < 200_000
