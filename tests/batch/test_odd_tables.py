"""Tables as they should not be, and what becomes of them."""

import pytest

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"


@pytest.mark.parametrize("cell, kept", [('"x', '"x\n"'), ('"x""', '"x""\n"'), ('"x,1\n\ny', '"x,1\n\ny\n"')])
def test_a_quote_that_the_end_of_a_file_leaves_open_is_closed(desk, cell, kept):
    for name in ("a1.csv", "a2.csv"):
        desk.write(f"{HEADER},note\n{GOOD},{cell}\n", name)
    desk.predict("a[12].csv")
    assert desk.read().decode() == f"{HEADER},note,prediction,warning\n" + 2 * f"{GOOD},{kept},29589.0,\n"
