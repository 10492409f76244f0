"""A Web App as Azure Resource Manager has it: image and settings of production and of its slot, and the swap."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.clock import Clock
from slipway.release.webapp.az import PAUSE, AzError, PatientAz

VERSION = "2024-11-01"
SLOT = "staging"
CONTAINER = "DOCKER|"
PLACEHOLDER = ":unreleased"  # the tag that deploy/webapp/webapp.json names until the first release
SWAP_SECONDS = 1500  # Azure gives up after about 23 minutes
SETTLING_SECONDS = 300


@dataclass(frozen=True)
class Look:
    """What an app was at one moment.

    Parameters
    ----------
    host : str
        Of production, as Azure chose it.
    slot_host : str
        Of the slot ``staging``; empty if the app has none.
    image : str
        Of production: ``HOST/REPO@sha256:…``, or what else it runs.
    settings : mapping
        Of production.
    """

    host: str
    slot_host: str
    image: str
    settings: Mapping[str, str]


class WebApp:
    """An app, by ``az rest``: `az webapp config` writes settings of production even if it is to change a slot.

    Parameters
    ----------
    az : callable
    clock : Clock
    name, group : str
        Of the app, and of its resource group.
    """

    def __init__(self, az: Callable[..., Any], clock: Clock, name: str, group: str) -> None:
        self.az = az
        self.clock = clock
        self.name = name
        self.group = group
        self._patient = PatientAz(az, clock)

    def with_clock(self, clock: Clock) -> "WebApp":
        """The same app, with another clock."""
        return WebApp(self.az, clock, self.name, self.group)

    def look(self) -> Look:
        """What is there now; ReleaseError if it is no app for containers."""
        site = self._rest("get", "")
        slots = self._rest("get", "/slots")["value"]
        image = self._runs()
        if not image.startswith(CONTAINER):
            raise ReleaseError(
                f"the Web App {self.name} runs {image or 'nothing'!r}, not one container",
                "Make it with deploy/webapp/up, or with az webapp create --container-image-name",
            )
        hosts = [each["properties"]["defaultHostName"] for each in slots if each["name"].rpartition("/")[2] == SLOT]
        host = site["properties"]["defaultHostName"]
        return Look(host, "".join(hosts), image.removeprefix(CONTAINER), self.settings())

    def settings(self, slot: str = "") -> dict[str, str]:
        """All app settings, with their values."""
        return dict(self._rest("post", "/config/appsettings/list", slot)["properties"])

    def sticky(self) -> set[str]:
        """Names of the settings that stay where they are when slots are swapped."""
        return set(self._rest("get", "/config/slotConfigNames")["properties"].get("appSettingNames") or ())

    def require_image(self, image: str, slot: str = "") -> None:
        """ReleaseError if it is to run another image: the answer of another one may look the same."""
        found = self._runs(slot)
        if found != CONTAINER + image:
            raise ReleaseError(f"{slot or 'production'} is to run {found or 'nothing'}, not {image}", "Run the workflow again")

    def put_image(self, image: str, slot: str = "") -> None:
        """Choose the image. The container starts anew."""
        self._rest("patch", "/config/web", slot, {"linuxFxVersion": CONTAINER + image})

    def put_settings(self, settings: Mapping[str, str], slot: str = "") -> None:
        """Make these all of its app settings. The container starts anew."""
        self._rest("put", "/config/appsettings", slot, settings)

    def swap(self, release: str) -> None:
        """Make what the slot runs production, and the other way round.

        Parameters
        ----------
        release : str
            The ``SLIPWAY_RELEASE`` that production has afterwards: it decides whether a call that failed did it all the
            same. A second call would swap back.

        Raises
        ------
        AzError
            If Azure refused it, or did not get done with it.
        """
        where = ("--resource-group", self.group, "--name", self.name, "--slot", SLOT, "--target-slot", "production")
        once = PatientAz(self.az, self.clock, repeats=False, seconds=SWAP_SECONDS)
        try:
            once("webapp", "deployment", "slot", "swap", *where)
        except AzError as error:
            deadline = self.clock.now() + (SETTLING_SECONDS if error.passing else 0)
            while self.settings().get("SLIPWAY_RELEASE", "") != release:
                if self.clock.now() >= deadline:
                    raise
                self.clock.pause(PAUSE)

    def see(self, slot: str = "") -> str:
        """The command that shows what the containers write."""
        where = f"--resource-group {self.group} --name {self.name}"
        return f"see az webapp log tail {where}{f' --slot {slot}' if slot else ''}"

    def _runs(self, slot: str = "") -> str:
        return self._rest("get", "/config/web", slot)["properties"].get("linuxFxVersion") or ""

    def _rest(self, method: str, path: str, slot: str = "", properties: Mapping[str, str] | None = None) -> Any:
        """One request; a body goes through a file that only this user can read: settings are secrets."""
        place = f"/subscriptions/{{subscriptionId}}/resourceGroups/{self.group}/providers/Microsoft.Web/sites/{self.name}"
        inner = f"/slots/{slot}" if slot else ""
        call = ("rest", "--method", method, "--url", f"{place}{inner}{path}?api-version={VERSION}")
        if properties is None:
            return self._patient(*call)
        with TemporaryDirectory() as folder:
            body = Path(folder) / "body.json"
            body.touch(mode=0o600)
            body.write_text(json.dumps({"properties": properties}), encoding="utf-8")
            return self._patient(*call, "--body", f"@{body}")
