"""What pyproject.toml cannot say: the locks go into the wheel, for the repositories that `slipway new` makes."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

LOCKS = tuple(f"requirements{name}.txt" for name in ("", "-train", "-test", "-release", "-sql", "-spark"))


class WithLocks(build_py):
    """Copies the locks to slipway/project/locks/; an editable install reads them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "slipway", "project", "locks")
            folder.mkdir(parents=True, exist_ok=True)
            for name in LOCKS:
                shutil.copyfile(name, folder / name)


setup(cmdclass={"build_py": WithLocks})
