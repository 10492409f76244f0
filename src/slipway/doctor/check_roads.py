"""Roads: do the variables name roads that there are, and is there what the deployment to each needs?"""

import re
from collections.abc import Mapping
from pathlib import Path

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.release.workflow.road_settings import OVERLAY, VARIABLES, needs_of, roads, unknown_roads
from slipway.release.workflow.workflow_settings import Need

ELSEWHERE = {"azure-ml": "azure-devops"}  # road → the CI system that alone has it


def check(environ: Mapping[str, str], top: Path) -> list[Finding]:
    """Judge the variables and the files of each road beyond the box.

    Parameters
    ----------
    environ : mapping
        Of this machine: the variables of an environment on GitHub are seen only where they are exported too.
    top : Path
        Of the checkout.
    """
    elsewhere = {name: system for name in VARIABLES if (system := _elsewhere(environ.get(name, ""), top))}
    unknown = {name: says for name, says in unknown_roads(environ).items() if name not in elsewhere}
    named = [name for name in VARIABLES if environ.get(name) or name == "SLIPWAY_ROAD"]
    found = [
        Finding(name, FAILED, unknown[name], f"gh variable set {name}")
        if name in unknown
        else Finding(name, SKIPPED, f"is {environ[name]!r}, a road of {elsewhere[name]} and none of GitHub's")
        if name in elsewhere
        else Finding(name, OK, environ[name])
        if environ.get(name)
        else Finding(name, SKIPPED, "is not set here, so the box is assumed", f"GitHub's: gh variable get {name}")
        for name in named
    ]
    for road in roads(environ):
        if road != "box":
            found += [_files(road, top), *(_setting(need, environ, road) for need in needs_of(environ, road))]
    overlay = environ.get(OVERLAY.name, "")
    if "kubernetes" in roads(environ) and re.fullmatch(OVERLAY.form, overlay):
        found.append(_overlay(top / "deploy/kubernetes" / overlay))
    return found


def _elsewhere(value: str, top: Path) -> str:
    """The CI system beyond GitHub that is in deploy/ and alone has this road; empty if there is none."""
    system = ELSEWHERE.get(value, "")
    return system if system and (top / "deploy" / system).is_dir() else ""


def _files(road: str, top: Path) -> Finding:
    what = f"deploy/{road}"
    if any((top / what).glob("*")):
        return Finding(what, OK, "is there")
    return Finding(what, MISSING, "is missing: the road has its files there", f"slipway upgrade --road {road}, then commit")


def _setting(need: Need, environ: Mapping[str, str], road: str) -> Finding:
    staged = f"; for staging: --env {road}-staging" if road in environ.get("SLIPWAY_STAGING", "").split() else ""
    where = f"gh variable set {need.name}{'' if need.shared else f' --env {road}{staged}'}. Here with export"
    value = environ.get(need.name, "")
    if not value:
        return Finding(need.name, MISSING, f"is not set here: expected {need.what}", where)
    if not re.fullmatch(need.form, value):
        return Finding(need.name, FAILED, f"is malformed: expected {need.what}", where)
    return Finding(need.name, OK, "is well-formed")


def _overlay(folder: Path) -> Finding:
    what = f"overlay {folder.name}"
    if (folder / "kustomization.yaml").is_file():
        return Finding(what, OK, "is there")
    return Finding(what, MISSING, f"deploy/kubernetes/{folder.name}/kustomization.yaml is missing", "Name another, or add it")
