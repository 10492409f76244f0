"""The libraries, and the Java, that the source and the search need and the package does not bring by itself."""

from collections.abc import Callable

from slipway.doctor.finding import FAILED, OK, Finding
from slipway.extras import extras_of, has_java, is_installed
from slipway.problem import Problem


def check(
    problem: Problem, installed: Callable[[str], bool] = is_installed, java: Callable[[], bool] = has_java
) -> list[Finding]:
    """A finding for each extra that the problem needs, and for Java if one of them is Spark; none if it needs none."""
    needed = extras_of(problem)
    found = [_extra(extra, installed(extra)) for extra in needed]
    return [*found, _java(java())] if "spark" in needed else found


def _extra(extra: str, installed: bool) -> Finding:
    name = f"slipway-ml[{extra}]"
    if installed:
        return Finding("extra", OK, f"the libraries of {name} are installed")
    return Finding("extra", FAILED, f"the libraries of {name} are not installed", f"pip install '{name}'", now=True)


def _java(there: bool) -> Finding:
    if there:
        return Finding("Java", OK, "found")
    return Finding(
        "Java", FAILED, "Spark needs it, and there is none", "Install a JRE, version 17 or newer, or set JAVA_HOME", now=True
    )
