"""CI systems beyond GitHub: are the files in deploy/ whole, and what does each have to be told?"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.project.roads import SYSTEMS, page_of, road_files
from slipway.release.workflow.road_settings import unknown_roads
from slipway.release.workflow.workflow_settings import NEUTRAL, Need

HOST, IMAGE = NEUTRAL
GITHUB = ".github/workflows/main.yaml"
GROUP = Need("AZURE_RESOURCE_GROUP", "variable", "the resource group")


def _road(*names: str) -> Need:
    return Need("SLIPWAY_ROAD", "variable", " or ".join(names), "|".join(names))


SETTINGS: Mapping[str, tuple[Need, ...]] = {  # system → what its page asks for; what only some need is on the page
    "azure-devops": (HOST, IMAGE, _road("webapp", "kubernetes", "azure-ml"), GROUP),
    "azure-ml": (),  # arguments, which azure-devops gives
    "cloud-build": (),  # substitutions of the trigger
    "codepipeline": (),  # parameters of the stack
    "compose": (),  # Compose names what .env lacks
    "gitlab": (_road("fargate", "kubernetes"),),  # its own registry needs no setting
    "jenkins": (HOST, IMAGE, _road("box", "fargate", "kubernetes", "webapp", "cloudrun")),
}


def check(environ: Mapping[str, str], top: Path, in_git: bool, remote: bool) -> list[Finding]:
    """Judge the files of each system that is in deploy/, and the settings that are exported here.

    Parameters
    ----------
    environ : mapping
        Of this machine: a system keeps its settings itself, so that none is missing because it is not here.
    top : Path
        Of the checkout.
    in_git, remote : bool
        Whether the champion's bundle is committed; whether slipway.yaml or SLIPWAY_REMOTE names a store.
    """
    found: list[Finding] = []
    here = [system for system in SYSTEMS if (top / "deploy" / system).is_dir()]
    for system in here:
        found += [_files(system, top), *_programs(system, top), *_settings(system, environ, _fitting(environ, here, top))]
    if here not in ([], ["compose"]):
        found.append(_bundle(in_git, remote))
    return found


def _files(system: str, top: Path) -> Finding:
    what = f"deploy/{system}"
    shipped = road_files(system)
    missing = [path for path in shipped if not (top / path).is_file()]
    if missing:
        says = f"lacks {', '.join(path.removeprefix(f'{what}/') for path in missing)}"
        return Finding(what, MISSING, says, f"Restore them from git, or remove the folder. {page_of(system)} of Slipway")
    changed = [path for path, text in shipped.items() if (top / path).read_text(encoding="utf-8", errors="replace") != text]
    names = ", ".join(path.removeprefix(f"{what}/") for path in changed)
    return Finding(what, OK, f"is whole; not as this Slipway has it: {names}" if changed else "is whole")


def _programs(system: str, top: Path) -> list[Finding]:
    """Those that cannot be run."""
    programs = [path for path, text in road_files(system).items() if text.startswith("#!") and (top / path).is_file()]
    return [
        Finding(path, FAILED, "is not executable", f"chmod +x {path} && git add --chmod=+x {path}")
        for path in programs
        if not os.access(top / path, os.X_OK)
    ]


def _fitting(environ: Mapping[str, str], here: Collection[str], top: Path) -> set[str]:
    """The settings whose values suit a system that is here: they may be meant for that one alone."""
    needs = [need for system in here for need in SETTINGS[system]]
    found = {need.name for need in needs if re.fullmatch(need.form, environ.get(need.name, ""))}
    if (top / GITHUB).is_file() and environ.get("SLIPWAY_ROAD") and "SLIPWAY_ROAD" not in unknown_roads(environ):
        found.add("SLIPWAY_ROAD")
    return found


def _settings(system: str, environ: Mapping[str, str], fitting: Collection[str]) -> list[Finding]:
    needs, page = SETTINGS[system], f"Slipway's {page_of(system)}"
    wrong = [need for need in needs if environ.get(need.name) and not re.fullmatch(need.form, environ[need.name])]
    unseen = [need.name for need in needs if not environ.get(need.name)]
    found = [
        Finding(need.name, SKIPPED, f"is not for {system}, which expects {need.what}", page)
        if need.name in fitting
        else Finding(need.name, FAILED, f"is malformed: {system} expects {need.what}", page)
        for need in wrong
    ]
    if unseen or not needs:
        says = f"{', '.join(unseen)}: not set here, and not seen there" if unseen else "are not seen from here"
        found.append(Finding(f"{system} settings", SKIPPED, says, page))
    return found


def _bundle(in_git: bool, remote: bool) -> Finding:
    if in_git:
        return Finding("bundle", OK, "the champion's is in git: every system has it")
    if remote:
        return Finding("bundle", OK, "the champion's is not in git: each system fetches it, and needs a login at the store")
    cure = "slipway promote DIGEST --in-git, or set SLIPWAY_REMOTE there and here"
    return Finding("bundle", MISSING, "the champion's is not in git, and no remote store is set here", cure)
