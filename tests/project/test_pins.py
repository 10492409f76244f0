"""Locks as entries: what is read from them, and what an upgrade makes of a person's and of Slipway's."""

import re
from pathlib import Path

import pytest

from slipway.project.pins import SLIPWAY, lock_text, merge_pins, packaged, read_pins

ROOT = Path(__file__).resolve().parents[2]
HASH = "--hash=sha256:" + 64 * "0"
WHEEL = f"./vendor/slipway_ml-0.1.0-py3-none-any.whl {HASH}"


def pins(*lines: str):
    return read_pins("".join(f"{line}\n" for line in lines))


def versions(*lines: str) -> dict[str, str]:
    return {name: pin.version for name, pin in pins(*lines).items()}


def test_requirements_are_found_by_name_and_marker():
    text = f"""# title
Flask_Thing[async]==1.2 \\
    {HASH} \\
    {HASH}
    # via something
numpy==2.4 ; python_full_version < '3.12' \\
    {HASH}
numpy==2.5 ; python_full_version >= '3.12' {HASH}
# mine: for the report
wanted>=3
{WHEEL}
"""
    found = read_pins(text)
    assert {name: pin.version for name, pin in found.items()} == {
        "flask-thing": "1.2",
        "numpy ; python_full_version < '3.12'": "2.4",
        "numpy ; python_full_version >= '3.12'": "2.5",
        "wanted>=3": "wanted>=3",
        SLIPWAY: "0.1.0",
    }
    assert found["flask-thing"].lines == f"Flask_Thing[async]==1.2 \\\n    {HASH} \\\n    {HASH}"
    assert found["wanted>=3"].lines == "# mine: for the report\nwanted>=3"


@pytest.mark.parametrize("name", [f"requirements{each}.txt" for each in ("", "-train", "-test", "-sql", "-spark")])
def test_every_pin_and_hash_of_our_locks_is_read(name):
    text = packaged(name)
    assert text == (ROOT / name).read_text()
    found = read_pins(text)
    assert len(found) == len(re.findall("^[a-z]", text, re.M))
    assert sum(pin.lines.count("--hash=") for pin in found.values()) == text.count("--hash=")


def test_what_is_written_is_sorted_and_read_again():
    found = pins("flask==1", "# why", "attrs==2", f"slipway-ml==0.1.0 {HASH}")
    text = lock_text("# title", found, WHEEL)
    assert text == f"# title\n# why\nattrs==2\nflask==1\n{WHEEL}\n"


@pytest.mark.parametrize(
    "base, yours, new, after, says",
    [
        (["a==1"], ["a==1"], ["a==2"], ["a==2"], ["a 1 → 2"]),
        (["a==1"], ["a==1", "own==9"], ["a==1"], ["a==1", "own==9"], []),
        (["a==1"], ["a==3"], ["a==1"], ["a==3"], []),
        (["a==1"], ["a==3"], ["a==2"], ["a==3"], ["a 3, not 2"]),
        (["a==1"], ["a==2"], ["a==2"], ["a==2"], []),
        (["a==1"], ["a==1"], ["a==1", "b==5"], ["a==1", "b==5"], ["b absent → 5"]),
        (["a==1", "b==5"], ["a==1", "b==5"], ["a==1"], ["a==1"], ["b 5 → absent"]),
        (["a==1", "b==5"], ["a==1"], ["a==1", "b==5"], ["a==1"], []),
        ([WHEEL], [WHEEL], ["slipway-ml==0.2.0"], ["slipway-ml==0.2.0"], ["slipway-ml 0.1.0 → 0.2.0"]),
    ],
)
def test_own_pins_are_kept_and_the_others_follow(base, yours, new, after, says):
    merged = merge_pins(versions(*base), pins(*yours), pins(*new))
    assert merged.pins == pins(*after)
    assert [*merged.changes, *merged.kept] == says
