"""What is built and what is locked: a wheel that works elsewhere, and requirements that any machine can install."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import slipway
from slipway.project.roads import FOLDERS, road_files

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-train.txt", "requirements-dev.txt")
OTHERS = (
    "requirements-sql.txt",
    "requirements-spark.txt",
    "requirements-test.txt",
    "requirements-redis.txt",
    "requirements-kafka.txt",
)
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;]+)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.M)
LEFT_OUT = (".*", "__pycache__", "*.egg-info", "build", "dist", "artifacts")


def run(*arguments: str | Path, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """The sdist, and the wheel that is built from it."""
    tree = tmp_path_factory.mktemp("build") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (tree / "data").mkdir(exist_ok=True)
    (tree / "data" / "table.csv").write_text("a,b\n1,2\n")
    run("-m", "build", "--no-isolation", cwd=tree)
    return tree / "dist"


@pytest.fixture(scope="module")
def wheel(dist) -> Path:
    return dist / f"slipway_ml-{slipway.__version__}-py3-none-any.whl"


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    files = (path for path in (source / "slipway").rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert {path.relative_to(source).as_posix() for path in files} <= names
    packed = {name.removeprefix("slipway/project/locks/") for name in names if "/locks/" in name}
    locks = ("", "-train", "-test", "-release", "-sql", "-spark")
    assert packed == {f"requirements{name}.txt" for name in locks}
    copied = {name.removeprefix("slipway/project/") for name in names if name.startswith("slipway/project/deploy/")}
    assert copied == {path for road in FOLDERS for path in road_files(road)}
    assert {name.split("/")[0] for name in names} == {"slipway", f"slipway_ml-{slipway.__version__}.dist-info"}


def test_the_sdist_can_be_built_from_and_brings_no_data(dist):
    with tarfile.open(dist / f"slipway_ml-{slipway.__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", *LOCKS, "requirements.in"} <= names
    assert not {name for name in names if name.split("/")[0] in ("tests", "data", "artifacts", ".ci")}


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    target, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", target, wheel, cwd=elsewhere)
    where = {"PYTHONPATH": str(target)}
    assert "slipway train" in run("-m", "slipway", "--help", cwd=elsewhere, **where)
    imported = run("-c", "import slipway.serving as s; print(s.__file__)", cwd=elsewhere, **where)
    assert Path(imported.strip()).is_relative_to(target)
    run("-m", "slipway", "sample", "insurance", "table.csv", "--rows", "50", cwd=elsewhere, **where)
    assert (elsewhere / "table.csv").read_text().startswith("age,sex,bmi")


def test_the_wheel_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"slipway_ml-{slipway.__version__}.dist-info/METADATA").decode()
        entry_points = archive.read(f"slipway_ml-{slipway.__version__}.dist-info/entry_points.txt").decode()
    assert "slipway = slipway.cli:main" in entry_points
    assert "\nName: slipway-ml\n" in metadata  # on PyPI slipway is another project
    assert "Requires-Python: >=3.11" in metadata
    assert re.search("^License(-Expression)?: Apache-2.0$", metadata, re.M)
    needed = [Requirement(text) for text in re.findall("^Requires-Dist: (.+)$", metadata, re.M)]
    for name in ("", "train", "sql", "spark", "mlflow", "redis", "kafka"):
        asked = {
            str(each).partition(";")[0] for each in needed if str(each.marker) == (f'extra == "{name}"' if name else "None")
        }
        assert asked == {str(each) for each in wanted(f"requirements{name and f'-{name}'}.in")}


def wanted(name: str) -> list[Requirement]:
    """What an .in file itself asks for."""
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("-", "#"))]


def pins(lock: str) -> dict[str, set[str]]:
    """Name → versions; a package has several when they depend on the Python."""
    found: dict[str, set[str]] = {}
    for name, version, _ in PIN.findall((ROOT / lock).read_text()):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", [*LOCKS, *OTHERS, "requirements-publish.txt"])
def test_a_lock_names_all_that_is_wanted_with_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    assert {each.name for each in wanted(lock.replace(".txt", ".in"))} <= set(pins(lock))
    assert all(hashes for _, _, hashes in PIN.findall(text))
    unpinned = [line for line in PIN.sub("", text).splitlines() if line and not line.lstrip().startswith("#")]
    assert unpinned == []
    assert not re.search(r"https?:|file:|index|find-links|/(home|opt|root|tmp|work)/", text)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        LOCKS[:2],
        LOCKS[1:],
        ("requirements-test.txt", LOCKS[2]),
        ("requirements-sql.txt", LOCKS[2]),
        (LOCKS[1], OTHERS[1]),
        *((name, LOCKS[2]) for name in OTHERS[3:]),
    ],
)
def test_the_locks_are_one_set(small, large):
    assert {name: versions for name, versions in pins(large).items() if name in pins(small)} == pins(small)


def test_only_the_lock_of_spark_has_spark():
    assert [name for name in (*LOCKS, *OTHERS) if "pyspark" in pins(name)] == ["requirements-spark.txt"]


def test_training_libraries_are_not_for_serving():
    assert not {"pandas", "scikit-learn", "scipy", "matplotlib", "onnx"} & set(pins(LOCKS[0]))
