"""A Web App with a slot, or without one, in the place of `az`: what happens to a release is decided by its digest.

Time passes when the program waits. A container that is started anew answers nothing for some seconds.
"""

import json
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import az_commands
from clouds import BUNDLE, request
from slipway.release.clock import Cancelled
from slipway.release.public_address import PublicAddress
from slipway.release.webapp import listed
from slipway.release.webapp.app_service import WebApp
from slipway.release.webapp.az import failure
from slipway.release.webapp.web_release import WebAppRelease

NAME, GROUP = "acme-insurance", "slipway"
REGISTRY = "acmeinsurance.azurecr.io"
REPOSITORY = f"{REGISTRY}/insurance"
HOST, SLOT_HOST = (
    "acme-insurance-c1d2.westeurope-01.azurewebsites.net",
    "acme-insurance-staging-e3f4.westeurope-01.azurewebsites.net",
)
PLACE = f"/subscriptions/{{subscriptionId}}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/{NAME}"
URL = re.compile(rf"{re.escape(PLACE)}(/slots/staging)?(/[a-zA-Z/]+)?\?api-version=2024-11-01")
START_SECONDS, STALE_SECONDS = 20, 10
SWAP = ("--resource-group", "--name", "--slot", "--target-slot")


class Site:
    """Production, or the slot: what it is to run."""

    def __init__(self, image: str, **settings: str) -> None:
        self.image = image
        self.settings = dict(settings)
        self.since = -START_SECONDS

    @property
    def digest(self) -> str:
        """But one character."""
        return self.image.partition("@sha256:")[2][:1]


class Azure:
    """`az` and a clock.

    `crashing`, `hanging` and `wrong` are digests; `stale` has the seconds in which production still answers as before each
    swap; `refusals` has errors by operation, in turn; `before` something to do before an operation, once.
    """

    def __init__(self, slot: bool = True) -> None:
        self.production = Site(f"{REPOSITORY}:unreleased", WEBSITES_PORT="8080")
        self.slot = Site(f"{REPOSITORY}:unreleased") if slot else None
        self.sticky: set[str] = set()
        self.crashing: set[str] = set()
        self.hanging: set[str] = set()
        self.wrong: set[str] = set()
        self.listed = True
        self.stale: list[float] = []
        self.lag = 0  # how often the slot's settings are told as before a swap
        self.refusals: dict[str, list[str]] = {}
        self.before: dict[str, Callable[[], object]] = {}
        self.operations: list[str] = []
        self.calls: list[tuple[str, ...]] = []
        self.served: list[str] = []  # digests of production, one for each time it got another container
        self.passed = 0.0
        self.ended: float | None = None
        self._old: tuple[float, Site] | None = None

    # the clock

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        if self.ended is not None and self.passed + seconds >= self.ended:
            raise Cancelled
        self.passed += seconds or 0.01

    # the program

    def __call__(self, *arguments: str, seconds: float = 0):
        self.calls.append(arguments)
        command, options = az_commands.require_known((*arguments, "--output", "json", "--only-show-errors"))
        if command == "acr login":
            assert options["--name"] == [REGISTRY.partition(".")[0]]
            return {"accessToken": "token", "loginServer": REGISTRY}
        if command == "webapp deployment slot swap":
            assert [*map(options.get, SWAP)] == [[GROUP], [NAME], ["staging"], ["production"]]
            return self._operate("swap", self._swap)
        assert command == "rest", command
        found = URL.fullmatch(options["--url"][0])
        assert found, options
        site, path = self.slot if found[1] else self.production, found[2] or ""
        body = self._body(options["--body"][0]) if "--body" in options else None
        operation = f"{options['--method'][0]} {'staging' if found[1] else 'production'}{path}"
        return self._operate(operation, lambda: self._rest(options["--method"][0], path, site, body))

    def _operate(self, operation: str, do: Callable[[], object]):
        self.operations.append(operation)
        self.before.pop(operation, lambda: None)()
        if self.refusals.get(operation):
            raise failure("az", self.refusals[operation].pop(0))
        return do()

    def _body(self, argument: str) -> dict:
        path = Path(argument.removeprefix("@"))
        assert argument.startswith("@") and stat.S_IMODE(path.stat().st_mode) == 0o600, "settings are secrets"
        return json.loads(path.read_text())["properties"]

    def _rest(self, method: str, path: str, site: Site, body: dict | None):
        match method, path:
            case "get", "":
                return {"properties": {"defaultHostName": HOST}}
            case "get", "/slots":
                slots = [{"name": f"{NAME}/staging", "properties": {"defaultHostName": SLOT_HOST}}]
                other = {"name": f"{NAME}/trial", "properties": {"defaultHostName": "other.example"}}
                return {"value": [other, *slots] if self.slot else []}
            case "get", "/config/web":
                return {"properties": {"linuxFxVersion": f"DOCKER|{site.image}"}}
            case "patch", "/config/web":
                assert set(body) == {"linuxFxVersion"} and body["linuxFxVersion"].startswith("DOCKER|")
                self._change(site, image=body["linuxFxVersion"].removeprefix("DOCKER|"))
            case "post", "/config/appsettings/list":
                lags = site is self.slot and self._old and self.lag > 0
                self.lag -= bool(lags)
                return {"properties": dict((self.production if lags else site).settings)}
            case "put", "/config/appsettings":
                assert all(isinstance(value, str) for value in body.values())
                self._change(site, settings=dict(body))
                site.image = body.get("DOCKER_CUSTOM_IMAGE_NAME", site.image).removeprefix("DOCKER|")
            case "get", "/config/slotConfigNames":
                return {"properties": {"appSettingNames": sorted(self.sticky) or None}}
            case _:
                raise AssertionError(f"not known: {method} {path}")

    def _change(self, site: Site, **changed: object) -> None:
        vars(site).update(changed)
        site.since = self.passed
        if site is self.production:
            self.served.append(site.digest)

    def _swap(self) -> None:
        self.passed = max(self.passed, self.slot.since + START_SECONDS)  # Azure waits until it answers
        if not self._is_ready(self.slot):
            raise failure("az", "ERROR: Cannot swap site slots because the 'staging' slot did not respond to http ping")
        old, new = self.production, self.slot
        self._old = (self.passed + (self.stale.pop(0) if self.stale else 0), old)
        kept = {site: {name: site.settings[name] for name in self.sticky if name in site.settings} for site in (old, new)}
        for site, other in ((old, new), (new, old)):
            free = {name: value for name, value in site.settings.items() if name not in self.sticky}
            site.settings = free | kept[other]
        self.production, self.slot = new, old
        old.since = self.passed
        self.served.append(new.digest)

    # what it serves

    def change_setting(self, name: str, value: str) -> None:
        """As people do it in the portal: for production."""
        self._change(self.production, settings=self.production.settings | {name: value})

    def answer(self, host: str) -> tuple[int, object]:
        """/readyz at a host; OSError where nothing answers."""
        site = {HOST: self.production, SLOT_HOST: self.slot}[host]
        if host == HOST and self._old and self.passed < self._old[0]:
            site = self._old[1]
        elif site.digest in self.hanging:
            return 503, None
        elif not self._is_ready(site):
            raise ConnectionResetError("nothing answers")
        bundle = "e" * 64 if site.digest in self.wrong else BUNDLE
        return 200, {"status": "ready", "release": site.settings.get("SLIPWAY_RELEASE", ""), "bundle": bundle}

    def _is_ready(self, site: Site) -> bool:
        digest = site.digest
        if not digest or digest in self.crashing or digest in self.hanging:
            return False
        return self.passed >= site.since + START_SECONDS

    def serving(self) -> str:
        """The digest that production answers with; empty if nothing does."""
        self.passed += START_SECONDS
        return self.production.digest if self._is_ready(self.production) else ""


@contextmanager
def answering(azure: Azure) -> Iterator[None]:
    """The addresses answer for the app, and its registry lists every digest under a key of the same letter."""

    def ask(address: PublicAddress, seconds: float = 0):
        assert (address.port, address.secure) == (443, True)
        return azure.answer(address.host)

    def find(host: str, name: str, key: str, environ: dict[str, str]) -> str | None:
        config = Path(environ["DOCKER_CONFIG"]) / "config.json"
        assert (host, name) == (REGISTRY, "insurance") and host in json.loads(config.read_text())["auths"]
        return f"sha256:{key}" if azure.listed else None

    originals, PublicAddress.ask, listed.find_image = (PublicAddress.ask, listed.find_image), ask, find
    try:
        yield
    finally:
        PublicAddress.ask, listed.find_image = originals


def web_release(azure: Azure, bundle: str = BUNDLE) -> WebAppRelease:
    """The program on this app."""
    steady = Unending(azure)
    return WebAppRelease(WebApp(azure, azure, NAME, GROUP), azure, steady, REPOSITORY, bundle)


def released(azure: Azure, run: int, digest: str = "a", commit: str = "") -> list[str]:
    """Make a release live; its lines."""
    return [*web_release(azure).deploy(request(run, digest, commit))]


class Unending:
    """The clock that no signal ends."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure

    def now(self) -> float:
        return self.azure.passed

    def pause(self, seconds: float) -> None:
        self.azure.passed += seconds or 0.01
