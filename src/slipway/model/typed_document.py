"""A JSON document of a bundle as a struct, and back as bytes.

It is read as a whole: a key that is missing or of another type is an error that names the file and the place in it. A key
that is not known is ignored, so a format may gain keys that change no answer; all else is a new format.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.table.schema import Schema

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """The files of a bundle before it is written; a predictor reads it like a bundle."""

    files: Mapping[str, bytes]
    digest: str = "draft"

    def read(self, name: str) -> bytes:
        return self.files[name]

    def has(self, name: str) -> bool:
        """Whether there is such a file; an earlier format may lack it."""
        return name in self.files


def document_of(bundle: Bundle | Draft, name: str, kind: type[T], modern: Callable[[Any], Any] = lambda each: each) -> T:
    """A JSON file of a bundle, typed; `modern` makes the present form of an earlier one. BundleError if it is invalid."""
    try:
        return msgspec.convert(modern(msgspec.json.decode(bundle.read(name))), kind)
    except msgspec.ValidationError as error:
        raise unfit(bundle, name, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise unfit(bundle, name, f"not JSON ({error})") from error


def unfit(bundle: Bundle | Draft, name: str, reason: str) -> BundleError:
    """The error for a file that was written otherwise than this version reads it; reading has verified its bytes."""
    return BundleError(
        f"bundle {bundle.digest[:12]}: {name}: {reason}", "Run slipway train, or use the version of Slipway that wrote it"
    )


def written(content: Schema | msgspec.Struct | Mapping[str, Any]) -> bytes:
    """A document as bundles have it; the same content gives the same bytes."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=msgspec.to_builtins)
    return text.encode() + b"\n"
