"""A JUnit report as Markdown, for the summary of a job."""

from pathlib import Path
from xml.etree import ElementTree

from slipway.errors import ReleaseError


def summary(report: Path) -> list[str]:
    """Lines of Markdown: how many tests passed, failed and were skipped, and the failed ones with their first line.

    Raises
    ------
    ReleaseError
        If the report is not XML, as when the tests were cut off.
    """
    if not report.is_file():
        return ["### Tests", "", "No report: they did not run."]
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except ElementTree.ParseError as error:
        raise ReleaseError(f"{report} is not a JUnit report: {error}", "See the log of the tests") from error
    failed = [(case, problem) for case in cases if (problem := _problem(case)) is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    lines = ["### Tests", "", f"{len(cases) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped", ""]
    return lines + [f"- `{case.get('classname')}::{case.get('name')}`: {_first_line(problem)}" for case, problem in failed]


def _problem(case: ElementTree.Element) -> ElementTree.Element | None:
    failure = case.find("failure")
    return case.find("error") if failure is None else failure


def _first_line(problem: ElementTree.Element) -> str:
    return (problem.get("message") or "").partition("\n")[0]
