"""The record in a repository of what was generated: the base of the next merge, and nothing else."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

import msgspec

from slipway.errors import ProjectError
from slipway.project.answers import Answers

FILE = ".slipway.json"
RESTORE = f"Restore it from git: git checkout -- {FILE}"


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """.slipway.json.

    Attributes
    ----------
    version : str
        Of the Slipway that generated the files.
    answers : Answers
    files : mapping
        Path → content of each file from a template, compressed.
    pins : mapping
        Path of each lock → name → version.
    """

    version: str
    answers: Answers
    files: Mapping[str, str]
    pins: Mapping[str, Mapping[str, str]]

    def to_bytes(self) -> bytes:
        """As in the file: one line for each entry, so that git shows what changed."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def text(self, path: str) -> str | None:
        """A file as it was generated; None if it was not.

        Raises
        ------
        ProjectError
            If its record is damaged.
        """
        if path not in self.files:
            return None
        try:
            return zlib.decompress(b64decode(self.files[path], validate=True)).decode()
        except (ValueError, zlib.error) as error:
            raise ProjectError(f"{FILE}: the record of {path} is damaged ({error})", RESTORE) from error


def packed(text: str) -> str:
    """A text as `Generated.files` has it."""
    return b64encode(zlib.compress(text.encode(), 9)).decode()


def read_generated(folder: Path) -> Generated:
    """The record of the repository in `folder`; ProjectError if there is none, or it cannot be read."""
    path = folder / FILE
    try:
        generated = msgspec.json.decode(path.read_bytes(), type=Generated)
    except FileNotFoundError as error:
        raise ProjectError(
            f"{path}: there is no such file", "Run this at the top of a repository that slipway new made"
        ) from error
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProjectError(f"{path}: {error}", RESTORE) from error
    for name in generated.files:
        pure = PureWindowsPath(name)  # which separates at both slashes
        if pure.anchor or ".." in pure.parts:
            raise ProjectError(f"{path}: {name} leads out of the repository", RESTORE)
    return generated
