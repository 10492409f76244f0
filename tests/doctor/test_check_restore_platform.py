"""An image that is missing may be there for another platform: the finding names what the key depends on."""

import pytest

from slipway.doctor import check_restore


@pytest.mark.parametrize(
    "environ, says",
    [({}, "export SLIPWAY_PLATFORM=linux/arm64"), ({"SLIPWAY_PLATFORM": "linux/arm64"}, "The key is that of linux/arm64")],
)
def test_the_platform_is_named_where_the_image_is_looked_for(tmp_path, monkeypatch, environ, says):
    monkeypatch.setattr(check_restore, "release_key", lambda folder: "a" * 64)
    monkeypatch.setattr(check_restore, "earlier_keys", lambda folder: [])
    monkeypatch.setattr(check_restore.Registry, "find", lambda *arguments: None)
    registry = {"AWS_ECR_LOGIN_URI": "registry.example.org", "ECR_REPOSITORY_NAME": "insurance"}
    image, _ = check_restore.images(tmp_path, registry | environ)
    assert image.state == "missing" and image.cure.startswith("Push to main. ") and says in image.cure
