"""The files of a repository from the templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from slipway import __version__
from slipway.project.answers import Answers
from slipway.project.roads import page_of, road_files

# Target → template; a template is never named like a file that some tool would take for its own.
COMMON = (
    ".dockerignore",
    ".github/dependabot.yml",
    ".github/workflows/deploy.yaml",
    ".github/workflows/main.yaml",
    ".github/workflows/release.yaml",
    ".github/workflows/retrain.yaml",
    ".gitignore",
    ".python-version",
    "Dockerfile",
    "Dockerfile.train",
    "Dockerfile.train.dockerignore",
    "MLproject",
    "Makefile",
    "Procfile",
    "README.md",
    "app.py",
    "setup.py",
    "tests/test_model.py",
)
HEROKU = (".github/workflows/heroku.yaml", "app.json", "bin/post_compile")
# Delimiters that collide neither with GitHub's ${{ }} nor with a shell.
TEMPLATES = Environment(
    loader=PackageLoader("slipway.project"),
    autoescape=False,
    undefined=StrictUndefined,
    variable_start_string="<<",
    variable_end_string=">>",
    block_start_string="<%",
    block_end_string="%>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class File:
    """A file of a repository."""

    text: str
    program: bool = False


def rendered(answers: Answers) -> Mapping[str, File]:
    """The files that are made and upgraded later, by their path; locks and slipway.yaml are not among them."""
    names = (*COMMON, *(HEROKU if answers.heroku else ()))
    texts = {name: render(name, answers) for name in names}
    for road in answers.roads:
        texts |= road_files(road)
    return {name: File(text, text.startswith("#!")) for name, text in sorted(texts.items())}


def render(name: str, answers: Answers) -> str:
    """One file, from the template of its path without a leading dot."""
    template = TEMPLATES.get_template(f"{name.removeprefix('.')}.jinja")
    return template.render(
        name=answers.name,
        named=yaml.safe_dump({"name": answers.name}).strip(),  # quoted where YAML would read it as another value
        package=answers.package,
        data=_pattern(answers.data),
        folders=[_pattern(each) for each in _folders(answers.data)],
        private=_pattern(answers.private),
        vendored=answers.vendored,
        heroku=answers.heroku,
        roads={road: page_of(road) for road in answers.roads},
        source=answers.source,
        version=__version__,
    )


def _folders(path: str) -> list[str]:
    """Those below data/ on the way to a file there: git looks into no folder that is ignored."""
    parents = [str(each) for each in PurePosixPath(path).parents]
    return sorted(each for each in parents if each.startswith("data/"))


def _pattern(path: str) -> str:
    """A path as .gitignore has it; its patterns are those of glob."""
    return re.sub(r"([\\ ])", r"\\\1", path)
