"""Carries out a plan on a box, step by step."""

import errno
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError
from slipway.model.document import parse
from slipway.release.box import plan as steps
from slipway.release.box.configuration import Configuration
from slipway.release.box.engine import Engine
from slipway.release.box.state import SOCKET, Box, Release
from slipway.release.box.web import PROXY, Answer, ask, in_flight
from slipway.release.request import PUSHED
from slipway.store.atomic import FULL

BUNDLE_LABEL = "slipway.bundle"
GOLDEN_LABEL = "slipway.golden"
PAUSE = 0.02  # seconds between two tries
IDLE_PAUSE = 0.1
PROBE_SECONDS = 5
SAME = 1e-6  # relative: another processor may round the last digits otherwise


class Execution:
    """Carries out steps.

    Parameters
    ----------
    configuration, box, engine
        Of this machine.
    key : str
        An API key of the service; empty if it requires none.
    done : callable
        Called after every step with the step and its duration in seconds.
    proxy : (host, port)
        Address of nginx for this machine.
    """

    def __init__(
        self,
        configuration: Configuration,
        box: Box,
        engine: Engine,
        key: str = "",
        done: Callable[[object, float], None] = lambda step, seconds: None,
        proxy: tuple[str, int] = PROXY,
    ) -> None:
        self.configuration = configuration
        self.box = box
        self.engine = engine
        self._key = key
        self._done = done
        self._proxy = proxy
        self._perform: dict[type[steps.Step], Callable[[Any], object]] = {
            steps.Docker: lambda step: engine.run(step.arguments),
            steps.RequireDigest: self._require_digest,
            steps.Remember: lambda step: box.remember(step.release),
            steps.AwaitReady: self._await_ready,
            steps.CheckAnswer: self._check_answer,
            steps.Point: lambda step: box.point(step.release.id),
            steps.Probe: self._probe,
            steps.Leave: lambda step: box.leave(step.id),
            steps.Forget: lambda step: box.forget(step.id),
        }

    def perform(self, step: steps.Step) -> None:
        """Do one step.

        Raises
        ------
        ReleaseError
            If it failed.
        """
        start = time.monotonic()
        try:
            self._perform[type(step)](step)
        except OSError as error:
            cure = FULL if error.errno == errno.ENOSPC else ""
            raise ReleaseError(f"could not {step} ({error.strerror or error})", cure) from error
        self._done(step, time.monotonic() - start)

    def ready(self, id: str, seconds: float = 1) -> bool:
        """Whether a release reports at its socket that it is ready."""
        try:
            return ask(self.box.socket(id), "/readyz", seconds=seconds).status == 200
        except OSError:
            return False

    def requests(self, id: str) -> int:
        """How many requests a release is answering or has queued: the larger of two counts, as one count is not atomic."""
        path = str(Path(steps.inside_folder(id)) / SOCKET)
        first = in_flight(path)
        time.sleep(IDLE_PAUSE)
        return max(first, in_flight(path))

    def _require_digest(self, step: steps.RequireDigest) -> None:
        found = self.engine.digests(step.image)
        if step.digest not in found:
            raise ReleaseError(
                f"the registry lists {', '.join(found)} under the release key {step.image}, not {step.digest}",
                PUSHED,
            )

    def _await_ready(self, step: steps.AwaitReady) -> None:
        release = step.release
        bundle = self._label(release, BUNDLE_LABEL)
        deadline = time.monotonic() + step.seconds
        last = "nothing listens on its socket"
        while time.monotonic() < deadline:
            try:
                answer = ask(self.box.socket(release.id), "/readyz")
            except OSError as error:
                last = error.strerror or str(error)
            else:
                if answer.status == 200:
                    return _require_bundle(release, answer, bundle)
                last = f"/readyz answers {answer.status}"
            state = self.engine.state(release.container)
            if not state["Running"]:
                why = " (out of memory)" if state.get("OOMKilled") else ""
                raise ReleaseError(f"{release.id} exited with code {state['ExitCode']}{why} before it was ready")
            time.sleep(PAUSE)
        raise ReleaseError(f"{release.id} was not ready within {step.seconds} s: {last}")

    def _check_answer(self, step: steps.CheckAnswer) -> None:
        release = step.release
        try:
            golden = parse(self._label(release, GOLDEN_LABEL).encode())
            row, expected = golden["row"], {**golden["answer"]}
        except (ValueError, TypeError, KeyError) as error:
            raise ReleaseError(f"the image's label {GOLDEN_LABEL} has no row and answer") from error
        try:
            answer = ask(self.box.socket(release.id), "/predict", row, self._key, seconds=30)
        except OSError as error:
            raise ReleaseError(f"{release.id} did not answer the golden row ({error.strerror or error})") from error
        if answer.status != 200 or not isinstance(answer.document, dict):
            raise ReleaseError(f"{release.id} answered the golden row with status {answer.status}")
        _require_bundle(release, answer, self._label(release, BUNDLE_LABEL))
        for name, value in expected.items():
            if not same(value, answer.document.get(name)):
                raise ReleaseError(f"{release.id} does not answer the golden row as recorded in its bundle: {name} differs")

    def _probe(self, step: steps.Probe) -> None:
        """New connections reach it at once; retries only help a proxy that is just starting."""
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            try:
                answer = ask(self._proxy, f"/{self.box.service}/readyz")
                said = f"it answers {answer.status}"
                if isinstance(answer.document, dict):
                    if answer.status == 200 and answer.document.get("release") == step.release.id:
                        return
                    said += f", release {answer.document.get('release')}"
            except OSError as error:
                said = error.strerror or str(error)
            if time.monotonic() > deadline:
                raise ReleaseError(f"nginx does not serve {step.release.id}: {said}", "systemctl status nginx")
            time.sleep(PAUSE)

    def _label(self, release: Release, name: str) -> str:
        image = f"{self.configuration.repository}@{release.digest}"
        found = self.engine.labels(image).get(name)
        if not found:
            raise ReleaseError(f"{image} has no label {name}", "Only images that main.yaml built can be released")
        return found


def _require_bundle(release: Release, answer: Answer, bundle: str) -> None:
    found = answer.document.get("bundle") if isinstance(answer.document, dict) else None
    if found != bundle:
        raise ReleaseError(f"{release.id} serves the bundle {str(found)[:12]}, but its image is labelled {bundle[:12]}")


def same(expected: object, found: object) -> bool:
    """Whether an answer equals the recorded one; numbers may differ by one part in a million."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(same(value, found.get(name)) for name, value in expected.items())
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            return False
        return math.isclose(expected, found, rel_tol=SAME, abs_tol=1e-9)
    return expected == found
