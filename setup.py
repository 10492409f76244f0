"""What pyproject.toml cannot say: locks and roads go into the wheel, for the repositories that `slipway new` makes."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

LOCKS = tuple(f"requirements{name}.txt" for name in ("", "-train", "-test", "-release", "-sql", "-spark"))
ROADS = ("fargate", "kubernetes")


class WithCopies(build_py):
    """Copies locks to slipway/project/locks/ and roads to slipway/project/deploy/; an editable install reads them in place."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "slipway", "project", "locks")
            folder.mkdir(parents=True, exist_ok=True)
            for name in LOCKS:
                shutil.copyfile(name, folder / name)
            for name in ROADS:
                target = folder.parent / "deploy" / name
                shutil.copytree(Path("deploy", name), target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithCopies})
