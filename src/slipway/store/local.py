"""The store: where bundles, the pointer, the verdicts and the journal live."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.errors import BundleError, StoreError
from slipway.model.bundle import DIGEST, MANIFEST, Bundle, digest_of, packed, read_bundle
from slipway.model.document import read_plain
from slipway.store import verdicts
from slipway.store.atomic import locked, replace, sync_folder, unwritable, write_synced
from slipway.store.digests import find
from slipway.store.draft import clean, drafted
from slipway.store.journal import Journal, champions, entry
from slipway.store.pointer import FILE, Pointer

NOT_HERE = "Run slipway pull; without a remote store, copy the bundle there, or run slipway train"


@dataclass(frozen=True)
class LocalStore:
    """A store in a folder: ``champion.json``, ``verdict.json``, ``journal.jsonl`` and ``bundles/<digest>/``."""

    root: Path

    @property
    def journal(self) -> Journal:
        return Journal(self.root / "journal.jsonl")

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    def add(self, problem: str, serving: Mapping[str, bytes], judging: Mapping[str, bytes] | None = None) -> Bundle:
        """Write a bundle, all or nothing; an intact existing one is left alone.

        Parameters
        ----------
        problem : str
        serving, judging : mapping
            Name → content of the files that serve, and of those that judged; none of the latter when nothing judged it.

        Raises
        ------
        StoreError
            If the folder cannot be written (permissions, full disk). Nothing is left behind.
        """
        files = packed(problem, serving, judging or {})
        return self.keep(digest_of(files[MANIFEST]), files)

    def keep(self, digest: str, files: Mapping[str, bytes]) -> Bundle:
        """Write the bundle `digest` from its files, lists and manifest, like `add`; BundleError if they do not match."""
        with self._alone():
            clean(self.bundles)
            if not self._sound(digest, files):
                self._write(digest, files)
        return read_bundle(self.bundles / digest, digest)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else adds a bundle or decides meanwhile; the folder of the bundles is made if it is missing."""
        try:
            if not self.bundles.is_dir():
                self.bundles.mkdir(parents=True, exist_ok=True)
                sync_folder(self.root)
            with locked(self.bundles):
                yield
        except OSError as error:
            raise unwritable(self.bundles, error) from error

    def _sound(self, digest: str, files: Mapping[str, bytes]) -> bool:
        """Whether all these files are there, and no byte is damaged."""
        try:
            there = read_bundle(self.bundles / digest, digest)
        except BundleError:
            return False
        return {MANIFEST, *there.files} >= files.keys()

    def _write(self, digest: str, files: Mapping[str, bytes]) -> None:
        final = self.bundles / digest
        with drafted(final) as draft:
            for name, content in files.items():
                write_synced(draft / name, content)
            try:
                if damage := read_bundle(draft, digest).damage:
                    raise damage
            except BundleError as error:
                raise BundleError(error.cause.replace(str(draft), str(final)), error.cure) from error

    def digests(self) -> list[str]:
        """Digests of all bundles, sorted."""
        try:
            return sorted(path.name for path in self.bundles.iterdir() if DIGEST.fullmatch(path.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self.bundles}: cannot be read ({error.strerror})") from error

    def find(self, prefix: str) -> str:
        """The one digest that starts with `prefix`; StoreError if there is none, or several."""
        return find(prefix, self.digests, "bundle", self.bundles, "There are none yet: run slipway train")

    def bundle(self, digest: str) -> Bundle:
        """Read and verify a bundle; BundleError if it is missing or damaged."""
        folder = self.bundles / digest
        if not DIGEST.fullmatch(digest) or not folder.is_dir():
            raise BundleError(f"bundle {digest[:12]} is not in {self.bundles}", NOT_HERE)
        return read_bundle(folder, digest)

    def chosen(self, problem: str, digits: str | None) -> Bundle:
        """The bundle whose digest starts so, in any case, or the champion; it must be one of `problem`.

        Raises
        ------
        StoreError
            If there is none, or several.
        BundleError
            If it is missing, damaged or of another problem.
        """
        bundle = self.bundle(self.find(digits.lower())) if digits is not None else self.champion()
        bundle.require_problem(problem)
        return bundle

    def pointer(self) -> Pointer | None:
        """The champion, or None before the first promotion."""
        path = self.root / FILE
        try:
            content = read_plain(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
        return Pointer.from_bytes(content, str(path))

    def require_pointer(self) -> Pointer:
        """The champion; StoreError before the first promotion."""
        pointer = self.pointer()
        if pointer is None:
            raise StoreError(f"{self.root / FILE}: no champion yet", self._first_champion())
        return pointer

    def _first_champion(self) -> str:
        """What to do for a first champion; the gate may have kept the model of the last training."""
        last = self.journal.last_verdict()
        if last.get("outcome") == "kept" and last.get("digest") in self.digests():
            return f"The gate kept the last model: improve it, or serve it anyway: slipway promote {last['digest'][:12]}"
        return "Run slipway train first; commit the file to release it"

    def champion(self) -> Bundle:
        """The champion's bundle, verified; StoreError before the first promotion, BundleError if it is missing or damaged."""
        return self.bundle(self.require_pointer().digest)

    def point(self, pointer: Pointer) -> None:
        """Make `pointer` the champion, in one step."""
        self._replace(FILE, pointer.to_bytes())

    def _replace(self, name: str, content: bytes) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            replace(self.root / name, content)
        except OSError as error:
            raise unwritable(self.root / name, error) from error

    def verdicts(self) -> list[Mapping[str, Any]]:
        """What made the last champions, the oldest first.

        None when the file cannot be read, as after a merge conflict: nothing is served, promoted or undone by it.
        """
        try:
            return self.require_verdicts()
        except StoreError:
            return []

    def require_verdicts(self) -> list[Mapping[str, Any]]:
        """The same; StoreError when the file cannot be read."""
        path = self.root / verdicts.FILE
        try:
            return verdicts.from_bytes(read_plain(path), str(path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror})") from error

    def verdicts_fault(self) -> str:
        """Why the verdicts cannot be read, and what to do; empty when they can."""
        try:
            self.require_verdicts()
        except StoreError as error:
            return str(error)
        return ""

    def verdict(self, pointer: Pointer) -> Mapping[str, Any]:
        """Why this is the champion: ``outcome``, ``reasons``, and what a training adds; empty when nobody said."""
        return verdicts.verdict_on(self.verdicts(), pointer.digest) or pointer.verdict

    def decide(self, decision: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> None:
        """Write down a decision, an entry of the journal: in the journal, and one that promotes as verdict and pointer.

        Whatever a crash cuts off, the pointer names a bundle, and nothing is said of it that is not true. Of two at the
        same moment one waits for the other.
        """
        with self._alone():
            before, digest = self.pointer(), decision["digest"]
            changed = before is None or before.digest != digest  # the champion keeps what made it one
            if changed and decision["outcome"] == "promoted":
                told = dict(decision) | ({"changes": changes} if changes else {})
                said = verdicts.to_bytes(decision["problem"], verdicts.with_verdict(self.verdicts(), told))
                self._replace(verdicts.FILE, said)
                self.point(Pointer(digest, decision["problem"]))
            self.journal.append(decision)

    def promote(self, bundle: Bundle, event: str, reason: str) -> None:
        """Make a verified bundle the champion by hand, and in the journal; the present champion keeps its verdict."""
        before = self.pointer()
        verdict = {"outcome": "promoted", "reasons": [reason]}
        self.decide(entry(event, bundle, before.digest if before else None, verdict))

    def previous(self) -> str:
        """Digest of the previous champion; StoreError if the journal has none."""
        history = champions(self.journal.entries())
        pointer = self.pointer()
        if pointer and pointer.digest in history:
            while history.pop() != pointer.digest:  # later ones were undone by a git revert
                pass
        if not history:
            raise StoreError(f"{self.journal.path}: has no earlier champion", "Choose one with slipway promote DIGEST")
        return history[-1]


def open_store(folder: Path) -> LocalStore:
    """The store next to the slipway.yaml in `folder`; its place is fixed, as release key, Dockerfile and git name it too."""
    return LocalStore(folder / "artifacts")
