"""The table of a new repository: files of this machine are copied into its data/."""

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from slipway.errors import ProjectError, TableError
from slipway.store.atomic import put, unwritable

FOLDER = "data"
LARGEST = 50_000_000  # bytes of a file above which GitHub warns


@dataclass(frozen=True)
class OwnTable:
    """Files of a table, and where they will be.

    Parameters
    ----------
    source : str
        What slipway.yaml says: a file or a pattern, relative to it.
    copies : mapping
        File → its path in the repository; a file that is there already stays where it is.
    """

    source: str
    copies: Mapping[Path, Path]

    @property
    def outside(self) -> str:
        """The source if it is not in data/, which git ignores; else empty."""
        return "" if self.source.startswith(f"{FOLDER}/") else self.source

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.copies)

    def require_free(self) -> None:
        """ProjectError if a copy would overwrite another file; nothing is written."""
        for path, copy in self.copies.items():
            if copy.exists() and not filecmp.cmp(path, copy, shallow=False):
                raise ProjectError(f"{copy} already exists", "Nothing was written. Add --force to overwrite it")

    def require_small(self) -> None:
        """ProjectError if a file is too large for git."""
        for path in self.copies:
            if path.stat().st_size > LARGEST:
                says = f"{path} has {path.stat().st_size:,} bytes; --commit-data takes files up to {LARGEST:,}"
                raise ProjectError(says, "Put it where a command can fetch it, and name that with --fetch")

    def copy(self) -> None:
        """Put the files into the repository."""
        for path, copy in self.copies.items():
            try:
                copy.parent.mkdir(parents=True, exist_ok=True)
                if not (copy.exists() and copy.samefile(path)):
                    draft = copy.with_name(f".{copy.name}.draft")
                    shutil.copyfile(path, draft)
                    put(draft, copy)
            except OSError as error:
                raise unwritable(copy, error, ProjectError) from error


def own_table(location: str, folder: Path) -> OwnTable | None:
    """The files at `location`, for a repository in `folder`; None if the table is in S3, in a database or on a Spark cluster.

    Raises
    ------
    TableError
        If there is no such file, or two of them have one name.
    """
    if "://" in location or location.startswith(("mongodb:", "spark:", "sql:")):
        return None
    found = [Path(path) for path in sorted(glob(location))]
    if not found:
        raise TableError(f"{location}: there is no such file", "Name a CSV or Parquet file, or a pattern of them in quotes")
    top = folder.resolve()
    if all(path.resolve().is_relative_to(top) for path in found):
        source = Path(location).resolve().relative_to(top).as_posix()
        return OwnTable(source, {path: path for path in found})
    copies = {path: folder / FOLDER / path.name for path in found}
    if len(set(copies.values())) < len(copies):
        raise TableError(f"{location}: two files have the same name", "Put them into one folder, each under a name of its own")
    return OwnTable(f"{FOLDER}/{Path(location).name}", copies)
