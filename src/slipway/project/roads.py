"""The files of a road beyond the box: deploy/<road>/ of Slipway's repository, of which a new repository gets a copy."""

from pathlib import Path

from slipway.release.workflow import road_settings

ROADS = road_settings.ROADS[1:]  # that of the box is on the box
PACKED = Path(__file__).parent / "deploy"  # of a wheel
SOURCE = Path(__file__).parents[3] / "deploy"  # of the checkout that an editable install reads


def road_files(road: str) -> dict[str, str]:
    """Path → text of each file of a road, such as ``deploy/fargate/up``."""
    folder = (PACKED if PACKED.is_dir() else SOURCE) / road
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"deploy/{road}/{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8") for path in found}
