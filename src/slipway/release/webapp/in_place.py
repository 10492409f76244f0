"""A release without a slot: production itself starts the new container, and nothing answers until it has."""

from dataclasses import dataclass

from slipway.errors import ReleaseError
from slipway.release.clock import Cancelled, Clock
from slipway.release.public_address import PublicAddress, require_release
from slipway.release.webapp.app_record import IMAGE, SET, Release, release_of, users_settings
from slipway.release.webapp.app_service import Look, WebApp

START_SECONDS = 600


@dataclass(frozen=True)
class InPlace:
    """A release of an app that has no slot.

    Parameters
    ----------
    app : WebApp
    clock, steady : Clock
        The second is one that no signal ends: for the way back.
    release : Release
    bundle : str
    seen : Look
    """

    app: WebApp
    clock: Clock
    steady: Clock
    release: Release
    bundle: str
    seen: Look

    def replace(self) -> float:
        """Do it; for how many seconds the service may not have answered.

        Raises
        ------
        ReleaseError
            If it failed: the former image and settings are back, and the error says how long that took.
        """
        self.clock.pause(0)
        start = self.clock.now()
        try:
            self.app.put_image(self.release.image)  # first: whatever names this release then runs it
            self.app.put_settings({**users_settings(self.app.settings()), **self.release.app_settings()})
            require_release(self._address, self.release.id, self.bundle, self.clock, START_SECONDS)
            self.app.require_image(self.release.image)
        except ReleaseError as error:
            is_cancelled = isinstance(error, Cancelled)
            cause = "cancelled" if is_cancelled else error.cause
            cure = "Run the workflow again" if is_cancelled else error.cure or f"To find out why, {self.app.see()}"
            raise ReleaseError(f"{self.release} failed: {cause}; {self._back(start)}", cure) from error
        return self.clock.now() - start

    @property
    def _address(self) -> PublicAddress:
        return PublicAddress(self.seen.host, 443, True)

    def _back(self, start: float) -> str:
        """Put the former image and settings back, even if the job is cancelled meanwhile; what serves now."""
        before, app = release_of(self.seen.settings), self.app.with_clock(self.steady)
        try:
            app.put_image(before.image if before else self.seen.image)
            former = {name: value for name, value in self.seen.settings.items() if name in (*SET, IMAGE)}
            app.put_settings({**users_settings(app.settings()), **former})
            if before:
                require_release(self._address, before.id, None, self.steady, START_SECONDS)
        except ReleaseError as error:
            return f"then the former image could not be put back: {error.cause}"
        return f"after {self.clock.now() - start:.0f} s {before or 'the former image'} is back"
