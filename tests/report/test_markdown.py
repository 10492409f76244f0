import re
from dataclasses import replace

import msgspec
import pytest

from bundles import SCHEMA
from reports import documents
from slipway.report.markdown import card
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


def test_names_from_the_data_stay_text_and_in_their_cell():
    of = documents(schema=Schema((Field(EVIL, "number", minimum=0, maximum=1, example=0), *SCHEMA.fields)))
    text = card(replace(of, problem=EVIL, model=msgspec.structs.replace(of.model, target=EVIL))).decode()
    assert not re.search(r"(?<!\\)<img", text) and not re.search(r"(?<!\\)\]\(", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}
    assert [line for line in text.splitlines() if line.startswith("# ")] == [text.splitlines()[0]]
