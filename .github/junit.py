"""A JUnit report as Markdown for the job summary: python junit.py report.xml"""

import sys
from pathlib import Path
from xml.etree import ElementTree

report = Path(sys.argv[1])
if not report.is_file():
    print("### Tests\n\nNo report: they did not run.")
    sys.exit()
cases = list(ElementTree.parse(report).iter("testcase"))
failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
skipped = sum(case.find("skipped") is not None for case in cases)
print(f"### Tests\n\n{len(cases) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped\n")
for case in failed:
    problem = case.find("failure") if case.find("failure") is not None else case.find("error")
    print(f"- `{case.get('classname')}::{case.get('name')}`: {(problem.get('message') or '').splitlines()[:1]}")
