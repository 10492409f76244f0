"""What mkdocs.yml cannot say: pages from all over the repository, and one page of reference for each room of the package."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src/slipway"
SHOWN = (
    "*.md",
    "LICENSE",
    "docs/*.md",
    "docs/*.png",
    "docs/*.svg",
    "examples/**/*.md",
    "examples/spark/*.py",
    "src/slipway/release/ec2/*.yaml",
    "deploy/observability/*",
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the navigation."""
    config.nav.append({"Reference": [{room: page(room)} for room in rooms()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Every page under its path in the repository: mkdocs itself sees the folder docs alone."""
    paths = sorted({path.relative_to(ROOT).as_posix() for pattern in SHOWN for path in ROOT.glob(pattern)})
    shown = [File(path, str(ROOT), config.site_dir, config.use_directory_urls) for path in paths]
    made = [File.generated(config, page(room), content=reference(room)) for room in rooms()]
    return Files([*shown, *made, *(file for file in files if file.src_dir != config.docs_dir)])


def rooms() -> list[str]:
    """The package itself first: its ground belongs to no room."""
    return [PACKAGE.name, *sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))]


def page(room: str) -> str:
    return f"reference/{room}.md"


def reference(room: str) -> str:
    """What mkdocstrings turns into the docstrings of a room."""
    files = PACKAGE.glob("*.py") if room == PACKAGE.name else (PACKAGE / room).rglob("*.py")
    return "\n".join([f"# {room}\n", *(f"::: {module(path)}\n" for path in sorted(files) if path.name != "__main__.py")])


def module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
