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
    """Copy the pointer, readable verdicts, and the part of the champion that serves, verified; returns its digest.

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
    shutil.copy(store.root / FILE, release.root / FILE)
    if store.verdicts():
        shutil.copy(store.root / verdicts.FILE, release.root / verdicts.FILE)
    return release.champion().digest


if __name__ == "__main__":
    try:
        store = LocalStore(Path(sys.argv[1]))
        print(bake(store, LocalStore(Path(sys.argv[2]))))
        if fault := store.verdicts_fault():
            print(f"slipway: without the verdicts: {fault}", file=sys.stderr)
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
