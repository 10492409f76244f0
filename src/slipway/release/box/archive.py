"""What a box is set up with, as one archive: the bootstrap, its parts, and the release program."""

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

import slipway
from slipway.errors import ReleaseError
from slipway.release.box.pack import build
from slipway.store.atomic import replace, unwritable

EC2 = Path(slipway.__file__).parent / "release" / "ec2"
PARTS = ("bootstrap", "changes.sh", "log.sh", "migrate.sh", "runner", "site")  # and the files of nginx


def pack(target: Path) -> None:
    """Write the archive (.tar.gz) to `target`; the same files give the same bytes.

    Raises
    ------
    ReleaseError
        If the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "slipway-release"
        build(program)
        contents = {path.name: path.read_bytes() for path in (program, *(EC2 / name for name in PARTS), *EC2.glob("*.conf"))}
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", mtime=0, fileobj=packed) as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name in sorted(contents):
            entry = tarfile.TarInfo(name)
            entry.size = len(contents[name])
            # An installed package has lost the modes of its files.
            entry.mode = 0o755 if contents[name].startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(contents[name]))
    try:
        replace(target, packed.getvalue())
    except OSError as error:
        raise unwritable(target, error, ReleaseError) from error
