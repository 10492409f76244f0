"""What pyproject.toml cannot say: locks and folders of deploy/ go into the wheel, for the repositories of `slipway new`."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

LOCKS = tuple(f"requirements{name}.txt" for name in ("", "-train", "-test", "-release", "-sql", "-spark"))


class WithCopies(build_py):
    """Copies locks and folders of deploy/ to slipway/project/; an editable install reads them in place."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "slipway", "project", "locks")
            folder.mkdir(parents=True, exist_ok=True)
            for name in LOCKS:
                shutil.copyfile(name, folder / name)
            for name in self.folders():
                target = folder.parent / "deploy" / name
                shutil.copytree(Path("deploy", name), target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)

    def folders(self) -> tuple[str, ...]:
        sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
        from slipway.project.roads import FOLDERS

        return FOLDERS


setup(cmdclass={"build_py": WithCopies})
