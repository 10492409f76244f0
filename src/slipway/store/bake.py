"""Copy the champion, and nothing else of a store, to where an image serves it from.

    python -m slipway.store.bake artifacts /release
"""

import shutil
import sys
from pathlib import Path

from slipway.errors import SlipwayError, StoreError
from slipway.store.local import LocalStore
from slipway.store.pointer import FILE


def bake(store: LocalStore, release: LocalStore) -> str:
    """Copy the pointer and the verified bundle that it names; the digest of the bundle.

    Raises
    ------
    StoreError, BundleError
        When there is no champion, or its bundle is absent or damaged.
    """
    pointer = store.pointer()
    if pointer is None:
        raise StoreError(f"{store.root / FILE}: there is no champion to put in", "Run slipway train first")
    bundle = store.bundle(pointer.digest)
    release.bundles.mkdir(parents=True, exist_ok=True)
    shutil.copytree(bundle.folder, release.bundles / bundle.digest)
    shutil.copy(store.root / FILE, release.root / FILE)
    return release.bundle(pointer.digest).digest


if __name__ == "__main__":
    try:
        print(bake(LocalStore(Path(sys.argv[1])), LocalStore(Path(sys.argv[2]))))
    except SlipwayError as error:
        sys.exit(f"slipway: {error}")
