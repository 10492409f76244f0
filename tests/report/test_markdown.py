import re
from dataclasses import replace

import msgspec
import pytest

from bundles import SCHEMA
from reports import documents
from slipway.report.figure import Table
from slipway.report.markdown import card, code, plain, table
from slipway.report.page import standalone
from slipway.table.schema import Field, Schema

EVIL = "a|b [x](http://x.example) <img src=x>\n# c `d`"


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_card_has_what_a_reader_asks(task):
    text = card(documents(task)).decode()
    for part in ("# Model card: ", "## Intended use", "## How good it is", "## Limits", "## Data", "## How to reproduce it"):
        assert part in text
    assert "Not stated: set `purpose` in slipway.yaml." in text
    assert "0.8000 (0.7000 to 0.9000)" in text and "**Few rows were held out.**" in text
    assert "slipway train --data 000000000000" in text


def test_what_a_cluster_learned_is_not_repeated_from_the_kept_sample():
    of = documents("regression")
    grown = msgspec.structs.replace(of.model.members[0], candidate="xgboost", settings={"max_iter": 9, "executors": 2})
    own = msgspec.structs.replace(grown, settings={"max_iter": 9})
    for members, repeated in (((own,), True), ((grown,), False)):
        one = replace(of, model=msgspec.structs.replace(of.model, members=members))
        for text in (card(one).decode(), standalone(one).decode()):
            assert ("slipway train --data" in text) == repeated
            assert ("learned from all rows of a cluster, of which only a sample is kept" in text) != repeated


def test_names_from_the_data_stay_text_and_in_their_cell():
    of = documents(schema=Schema((Field(EVIL, "number", minimum=0, maximum=1, example=0), *SCHEMA.fields)))
    text = card(replace(of, problem=EVIL, model=msgspec.structs.replace(of.model, target=EVIL))).decode()
    assert not re.search(r"(?<!\\)<img", text) and not re.search(r"(?<!\\)\]\(", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}
    assert [line for line in text.splitlines() if line.startswith("# ")] == [text.splitlines()[0]]


@pytest.mark.parametrize(
    "text",
    [
        "@octocat",
        "@org/team",
        "https://evil.example",
        "http://evil.example",
        "www.evil.example",
        "WWW.evil.example",
        "a@evil.example",
        "#12",
        "org/repo#12",
        "GH-12",
        "gh-12",
    ],
)
def test_nothing_becomes_a_link_or_a_mention_by_itself(text):
    """GitHub makes them of what Markdown leaves, where a backslash is gone."""
    shown = re.sub(r"\\(.)", r"\1", plain(f"a {text} b"))
    assert not re.search(r"(?i)@\w|://|www\.|#\d|gh-\d", shown)
    assert shown.replace("\u200d", "") == f"a {text} b"


def test_what_is_no_link_is_left_as_it_is():
    assert plain("C# 3: a/b, 12 # 3, gh-pages, wwww") == "C\\# 3: a/b, 12 \\# 3, gh-pages, wwww"
    assert plain("&commat;octocat") == "\\&commat;octocat"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("r-1", "`r-1`"),
        ("https://evil.example", "`https://evil.example`"),
        ("a` @octocat", "``a` @octocat``"),
        ("`a`` b", "``` `a`` b ```"),
        ("a`", "`` a` ``"),
        ("a\n\n# b", "`a # b`"),
        ("", ""),
    ],
)
def test_code_cannot_be_ended_by_what_is_in_it(text, shown):
    assert code(text) == shown


def test_ids_in_a_table_are_code_and_stay_in_their_cell():
    assert table(Table(("id", "b"), (("x|@y", "x|@y"),)), {0}).splitlines()[2] == "| `x\\|@y` | x\\|@\u200dy |"
