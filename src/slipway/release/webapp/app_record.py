"""What app settings say of a release: they change places with its image when slots are swapped. Nothing here calls Azure."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from slipway.errors import ReleaseError
from slipway.release.request import FIELDS, OURS, Request, release_text, require_form

RECORD = "WEBAPP_RELEASE"  # key, run and image, as JSON
SET = (*OURS, RECORD)
IMAGE = "DOCKER_CUSTOM_IMAGE_NAME"  # of apps made elsewhere: App Service runs it instead of the image of the configuration


@dataclass(frozen=True)
class Release:
    """A release as an app names it.

    Parameters
    ----------
    id : str
        12 hexadecimal digits.
    request : Request
    repository : str
        ``HOST/REPO`` of its image.
    settings : str
        The mark of the settings it was released with.
    """

    id: str
    request: Request
    repository: str
    settings: str

    @property
    def image(self) -> str:
        return f"{self.repository}@{self.request.digest}"

    def app_settings(self) -> dict[str, str]:
        """What it sets itself. One proxy stands in front of a Web App: Azure's."""
        record = {name: getattr(self.request, name) for name in FIELDS}
        record |= {"repository": self.repository, "settings": self.settings}
        text = json.dumps(record, separators=(",", ":"))
        return dict(zip(SET, (self.id, self.request.commit, "1", text), strict=True))

    def __str__(self) -> str:
        return release_text(self.id, self.request.run_number, self.request.commit, self.request.digest)


def release_of(settings: Mapping[str, str]) -> Release | None:
    """The release that app settings belong to; None if no release made them, or somebody changed what it had set."""
    try:
        noted = json.loads(settings[RECORD])
        for name in FIELDS:
            require_form(name, noted[name])
        request = Request(**{name: noted[name] for name in FIELDS})
        found = Release(settings["SLIPWAY_RELEASE"], request, str(noted["repository"]), str(noted["settings"]))
    except (KeyError, ValueError, TypeError, ReleaseError):
        return None
    return found


def users_settings(settings: Mapping[str, str], sticky: Collection[str] = ()) -> dict[str, str]:
    """What people set: neither by a release, nor staying with its slot; nor what would choose another image."""
    return {name: value for name, value in settings.items() if name not in (*SET, IMAGE) and name not in sticky}


def mark_of(settings: Mapping[str, str]) -> str:
    """A hash that is another one when a setting was added, removed or changed. It is kept beside these settings only."""
    return hashlib.sha256(json.dumps(sorted(settings.items())).encode()).hexdigest()[:16]


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names of settings that are not the same."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
