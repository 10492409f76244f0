"""Which files a problem's source names; told without loading what reads them."""

from glob import glob, has_magic
from pathlib import Path

from slipway.errors import TableError
from slipway.problem import Problem

S3 = "s3://"


def source_files(problem: Problem, source: str) -> list[Path]:
    """The files that one entry of the problem's source names, globs in sorted order; TableError when there is none."""
    try:
        return files_at(source, problem.folder)
    except TableError as error:
        more = "" if "://" in source else "; fetch in slipway.yaml may name the command that writes it"
        raise TableError(f"source: {error.cause}", error.cure + more) from error


def files_at(location: str, folder: Path) -> list[Path]:
    """The files of one path or glob relative to `folder`, sorted; TableError when there is none."""
    if "://" in location:
        raise TableError(f"{location.split('://')[0]}:// is not read by this version", "Name files, or s3://bucket/key")
    pattern = str(folder / location)
    plain = not has_magic(location) or Path(pattern).is_file()
    paths = [pattern] if plain else sorted(glob(pattern, recursive=True))
    if not paths or not Path(paths[0]).is_file():
        raise TableError(f"{location}: there is no such file in {folder}", "Paths are relative to that folder")
    return [Path(path) for path in paths]
