"""Which files a problem's source names; told without loading what reads them."""

from glob import glob, has_magic
from pathlib import Path

from slipway.errors import TableError
from slipway.problem import Problem


def source_files(problem: Problem) -> list[Path]:
    """The files that the problem's source names, globs in sorted order; TableError when there is none."""
    found = []
    for source in problem.source:
        if "://" in source:
            raise TableError(f"source: {source.split('://')[0]}:// is not read by this version", "Name a file")
        pattern = str(problem.folder / source)
        paths = sorted(glob(pattern, recursive=True)) if has_magic(source) else [pattern]
        missing = not paths or not Path(paths[0]).is_file()
        if missing:
            raise TableError(f"source: {source}: there is no such file in {problem.folder}", _hint(problem, source))
        found += [Path(path) for path in paths]
    return found


def _hint(problem: Problem, source: str) -> str:
    if (problem.name, source) == ("insurance", "data/insurance.csv"):
        return "Write the sample table with: slipway sample insurance data/insurance.csv"
    return "Paths are relative to the problem file"
