"""Copy only what serves of a store's champion to the folder that an image answers from.

python -m slipway.store.bake artifacts /release
"""

import shutil
import sys
from pathlib import Path

from slipway.errors import SlipwayError
from slipway.model.bundle import SERVING
from slipway.store import verdicts
from slipway.store.local import LocalStore
from slipway.store.pointer import FILE


def bake(store: LocalStore, release: LocalStore) -> str:
    """Copy the pointer, the verdicts, and the part that serves of the champion, verified; returns its digest.

    Raises
    ------
    StoreError, BundleError
        If there is no champion, or its bundle is missing or damaged.
    """
    bundle = store.champion()
    folder = release.bundles / bundle.digest
    folder.mkdir(parents=True)
    for name in bundle.carried(SERVING):
        shutil.copy(bundle.folder / name, folder / name)
    for name in (FILE, verdicts.FILE):
        if (store.root / name).is_file():
            shutil.copy(store.root / name, release.root / name)
    release.verdicts()  # what cannot be read is told now, not when the image starts
    return release.champion().digest


if __name__ == "__main__":
    try:
        print(bake(LocalStore(Path(sys.argv[1])), LocalStore(Path(sys.argv[2]))))
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
