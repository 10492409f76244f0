"""Files on the disk as a source; finding and hashing them loads nothing of what reads tables."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.errors import TableError

if TYPE_CHECKING:
    from slipway.sources.batches import Batches
    from slipway.sources.files import Part

FETCH = "; fetch in slipway.yaml may name the command that writes it"


@dataclass(frozen=True)
class LocalFiles:
    """The files of one path or glob.

    Parameters
    ----------
    location : str
        Relative to `folder`.
    folder : Path
    setting : str
        Which setting names them, for messages; empty for an argument of a command.
    """

    location: str
    folder: Path
    setting: str = ""

    @property
    def where(self) -> str:
        return self.location

    @property
    def variables(self) -> tuple[str, ...]:
        return ()

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> "Batches":
        from slipway.sources.files import open_parts

        return open_parts(self.parts(), columns)

    def parts(self) -> list["Part"]:
        from slipway.sources.files import file_parts

        return file_parts(self.paths())

    def fingerprint(self) -> Iterator[bytes]:
        """The SHA-256 of each file."""
        for path in self.paths():
            with path.open("rb") as file:
                yield file_digest(file, "sha256").digest()

    def ping(self) -> None:
        self.paths()

    def found(self) -> list[Path]:
        """The files, sorted; none when they are absent."""
        if "://" in self.location:
            return []
        pattern = str(self.folder / self.location)
        plain = not has_magic(self.location) or Path(pattern).is_file()
        paths = [pattern] if plain else sorted(glob(pattern, recursive=True))
        return [Path(path) for path in paths] if paths and Path(paths[0]).is_file() else []

    def paths(self) -> list[Path]:
        """The files, sorted; TableError when they are absent."""
        if found := self.found():
            return found
        prefix = f"{self.setting}: " if self.setting else ""
        scheme, separator, _ = self.location.partition("://")
        if separator:
            raise TableError(f"{prefix}{scheme}:// is not read by this version", "Name files, or s3://bucket/key")
        absolute = Path(self.location).is_absolute()
        where = "" if absolute else f" in {self.folder.absolute()}"
        cure = "Check the path" if absolute else "Paths are relative to that folder"
        raise TableError(
            f"{prefix}{self.location}: there is no such file{where}", cure + (FETCH if self.setting == "source" else "")
        )
