"""The tests of a run in its summary."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.workflow.junit import summary

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="good"/>
<testcase classname="tests.a" name="left_out"><skipped message="why"/></testcase>
<testcase classname="tests.a" name="wrong"><failure message="assert 1 == 2&#10;more"/></testcase>
<testcase classname="tests.b" name="broken"><error/></testcase>
</testsuite></testsuites>"""


def test_what_failed_is_named_with_its_first_line(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert summary(tmp_path / "report.xml")[2:] == [
        "1 passed, 2 failed, 1 skipped",
        "",
        "- `tests.a::wrong`: assert 1 == 2",
        "- `tests.b::broken`: ",
    ]


def test_without_a_report_it_says_so(tmp_path):
    assert summary(tmp_path / "report.xml")[-1] == "No report: they did not run."


def test_a_report_that_was_cut_off_is_named(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT[:50])
    with pytest.raises(ReleaseError, match="is not a JUnit report"):
        summary(tmp_path / "report.xml")
