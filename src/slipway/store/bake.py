"""Copy only the champion of a store to the folder that an image serves it from.

python -m slipway.store.bake artifacts /release
"""

import shutil
import sys
from pathlib import Path

from slipway.errors import SlipwayError
from slipway.store.local import LocalStore
from slipway.store.pointer import FILE


def bake(store: LocalStore, release: LocalStore) -> str:
    """Copy the pointer and the verified bundle that it names; returns the digest of the bundle.

    Raises
    ------
    StoreError, BundleError
        If there is no champion, or its bundle is missing or damaged.
    """
    bundle = store.champion()
    release.bundles.mkdir(parents=True, exist_ok=True)
    shutil.copytree(bundle.folder, release.bundles / bundle.digest)
    shutil.copy(store.root / FILE, release.root / FILE)
    return release.champion().digest


if __name__ == "__main__":
    try:
        print(bake(LocalStore(Path(sys.argv[1])), LocalStore(Path(sys.argv[2]))))
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
