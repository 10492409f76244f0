"""A release through the slot: it starts there, answers there, and only then changes places with production."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from slipway.errors import ReleaseError
from slipway.release.clock import Cancelled, Clock
from slipway.release.public_address import PublicAddress, require_release
from slipway.release.webapp.app_record import Release, differing, release_of, users_settings
from slipway.release.webapp.app_service import SLOT, Look, WebApp
from slipway.release.webapp.az import PAUSE

START_SECONDS = 600  # pull, and the 230 seconds that Azure gives a container by default, twice
PRODUCTION_SECONDS = 120
LAG_SECONDS = 60
AGAIN = "Run the workflow again"


@dataclass(frozen=True)
class ThroughSlot:
    """A release of an app that has a slot ``staging``.

    Parameters
    ----------
    app : WebApp
    clock, steady : Clock
        The second is one that no signal ends: for the way back.
    release : Release
    bundle : str
    seen : Look
    sticky : collection of str
        Names of settings that stay with their slot.
    """

    app: WebApp
    clock: Clock
    steady: Clock
    release: Release
    bundle: str
    seen: Look
    sticky: Collection[str]

    def steps(self) -> Iterator[str]:
        """Do it, and tell each step; ReleaseError if it failed: then production is what it was, or is it again."""
        yield f"{self.release}: the slot {SLOT} gets its image, and the settings of production"
        slot = PublicAddress(self.seen.slot_host, 443, True)
        try:
            self._fill()
            self._warm_up(slot)
            self.app.require_image(self.release.image, SLOT)
            self._require_unchanged(self.app.settings())
            self.clock.pause(0)  # whoever ended the job meanwhile is heard before production is touched
        except ReleaseError as error:
            cause, cure = ("cancelled", AGAIN) if isinstance(error, Cancelled) else (error.cause, error.cure)
            raise ReleaseError(f"{cause}; production is untouched: {self._before} serves", cure) from error
        yield f"{slot} serves {self.release.id} with the bundle {self.bundle[:12]}; now it changes places with production"
        try:
            self.app.swap(self.release.id)
        except Cancelled as error:
            raise ReleaseError(f"cancelled while {self.release} was swapped", f"{AGAIN}: it sees what is live") from error
        except ReleaseError as error:
            raise ReleaseError(f"{self.release} was not swapped: {error.cause}; {self._serving()}", error.cure) from error
        yield from self._confirm()

    def _fill(self) -> None:
        """The image first: whatever names this release then runs it, and with all of its settings."""
        kept = {name: value for name, value in self.app.settings(SLOT).items() if name in self.sticky} if self.sticky else {}
        self.app.put_image(self.release.image, SLOT)
        copied = users_settings(self.seen.settings, self.sticky)
        self.app.put_settings({**copied, **kept, **self.release.app_settings()}, SLOT)

    def _warm_up(self, slot: PublicAddress) -> None:
        try:
            require_release(slot, self.release.id, self.bundle, self.clock, START_SECONDS)
        except Cancelled:
            raise
        except ReleaseError as error:
            raise ReleaseError(error.cause, f"To find out why, {self.app.see(SLOT)}") from error

    def _confirm(self) -> Iterator[str]:
        """Production answers as the release, and lost no setting by the swap."""
        address = PublicAddress(self.seen.host, 443, True)
        try:
            require_release(address, self.release.id, self.bundle, self.clock, PRODUCTION_SECONDS)
            self._require_unchanged(self._settings_of_before())
        except Cancelled as error:
            cure = f"{AGAIN} to confirm it"
            raise ReleaseError(f"cancelled after the swap: {self.release} serves, and is not confirmed", cure) from error
        except ReleaseError as error:
            raise ReleaseError(f"{self.release} failed: {error.cause}; {self._back()}", error.cure or AGAIN) from error
        yield f"{address} serves {self.release.id} with the bundle {self.bundle[:12]}; the slot keeps what served before"

    def _settings_of_before(self) -> dict[str, str]:
        """Those that the slot has since the swap; for some seconds Azure may still tell the release's."""
        deadline = self.clock.now() + LAG_SECONDS
        while (found := self.app.settings(SLOT)).get("SLIPWAY_RELEASE") == self.release.id and self.clock.now() < deadline:
            self.clock.pause(PAUSE)
        return found

    def _back(self) -> str:
        """Swap again, even if the job is cancelled meanwhile; what serves now."""
        before = release_of(self.seen.settings)
        if before:  # the swap started it anew in the slot
            with suppress(ReleaseError):
                slot = PublicAddress(self.seen.slot_host, 443, True)
                require_release(slot, before.id, None, self.steady, START_SECONDS)
        try:
            self.app.with_clock(self.steady).swap(self.seen.settings.get("SLIPWAY_RELEASE", ""))
            if before:
                address = PublicAddress(self.seen.host, 443, True)
                require_release(address, before.id, None, self.steady, PRODUCTION_SECONDS)
        except ReleaseError as error:
            return f"then the swap back failed: {error.cause}"
        return f"swapped back: {self._before} serves again"

    @property
    def _before(self) -> str:
        return str(release_of(self.seen.settings) or "what was there")

    def _serving(self) -> str:
        """What production names now."""
        try:
            return f"{release_of(self.app.settings()) or 'what was there'} serves"
        except ReleaseError as error:
            return f"what serves is not known ({error.cause})"

    def _require_unchanged(self, after: Mapping[str, str]) -> None:
        """ReleaseError if somebody changed production since it was looked at: the swap would take that back."""
        before = self.seen.settings
        names = differing(users_settings(before, self.sticky), users_settings(after, self.sticky))
        if names:
            raise ReleaseError(f"settings of production changed meanwhile: {', '.join(names)}", AGAIN)
        if before.get("SLIPWAY_RELEASE") != after.get("SLIPWAY_RELEASE"):
            raise ReleaseError(f"meanwhile {release_of(after) or 'something else'} went live", AGAIN)
