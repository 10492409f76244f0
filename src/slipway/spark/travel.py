"""How a bundle reaches the workers: as bytes that go with the work, so that no place has to be shared.

A cluster's own ways to send files differ from one to the next (a folder is sent in local mode only, and Spark Connect has
no context to send it with). What goes with the work arrives everywhere, and Spark broadcasts what is large.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from slipway.errors import BundleError
from slipway.model.bundle import SERVING, Bundle, read_bundle


class Parcel(Struct, frozen=True):
    """The part of a bundle that serves.

    Attributes
    ----------
    digest : str
    files : mapping of str to bytes
        Its manifest and list among them.
    """

    digest: str
    files: dict[str, bytes]


def parcel_of(bundle: Bundle) -> Parcel:
    """What is sent of a bundle; BundleError when a file of it is gone."""
    listed = {name: bundle.read(name) for name in bundle.parts[SERVING]}
    lists = {name: (bundle.folder / name).read_bytes() for name in bundle.carried(SERVING) if name not in listed}
    return Parcel(bundle.digest, listed | lists)


@contextmanager
def unpacked(parcel: Parcel) -> Iterator[Bundle]:
    """The bundle on a worker, verified by its digest; its folder is gone afterwards. BundleError when a byte differs."""
    with TemporaryDirectory(prefix="slipway-") as folder:
        for name, content in parcel.files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            bundle = read_bundle(Path(folder), parcel.digest)
        except BundleError as error:
            says = error.cause.removeprefix(f"{folder}/")
            raise BundleError(f"bundle {parcel.digest[:12]} was damaged on the way ({says})", "Run it again") from error
        yield bundle
