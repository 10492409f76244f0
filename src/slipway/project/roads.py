"""The folders of deploy/ in Slipway's repository, of which a new repository gets a copy: roads, and CI systems of others."""

from pathlib import Path

from slipway.release.workflow.road_settings import ROADS

SYSTEMS = ("azure-devops", "azure-ml", "cloud-build", "codepipeline", "compose", "gitlab", "jenkins")
FOLDERS = (*ROADS[1:], *SYSTEMS)  # the road of the box is on the box
PAGES = {"cloudrun": "cloud-run", "webapp": "azure-web-app"}  # others are named like the folder
PACKED = Path(__file__).parent / "deploy"  # of a wheel
SOURCE = Path(__file__).parents[3] / "deploy"  # of the checkout that an editable install reads


def road_files(road: str) -> dict[str, str]:
    """Path → text of each file of a folder, such as ``deploy/fargate/up``."""
    folder = (PACKED if PACKED.is_dir() else SOURCE) / road
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"deploy/{road}/{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8") for path in found}


def page_of(road: str) -> str:
    """Its page in Slipway's docs/."""
    return f"docs/{PAGES.get(road, road)}.md"
