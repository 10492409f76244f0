"""The locked requirements of the commands of the store, which travel with the package."""

from pathlib import Path

import slipway

FILE = "requirements-release.txt"


def store_requirements() -> Path:
    """The file for ``pip install --require-hashes -r``; of a checkout of Slipway, the one at its top level."""
    package = Path(slipway.__file__).resolve().parent
    packed = package / "project/locks" / FILE
    return packed if packed.is_file() else package.parents[1] / FILE
