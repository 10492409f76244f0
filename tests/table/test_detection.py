"""How the cells of columns are written, found from all of them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.table.detection import Found, find, find_all, undeclared
from slipway.table.formats import format_of

INTEGERS = [str(number) for number in range(100, 800, 7)]
GERMAN = ["8.123,45", "12,00", "-3,5"]


@pytest.mark.parametrize(
    ("texts", "format_", "kind"),
    [
        (["1", "2.5"], "", "number"),
        (["\u22125", "1e5", "2"], "", "number"),
        (["5.678", "0.123"], "", "number"),
        (["\u0661\u0662", "3"], "", "number"),
        (["\u0661\u0662", "4,204", "3"], "1,234.56", "number"),
        (["1234.567", "5.678"], "", "number"),
        (["2024-01-01", "2024-01-02T10:00"], "", "date"),
        (["a", "b c"], "", "category"),
        (["10.0.0.1", "192.168.100.200"], "", "category"),
        ([], "", "category"),
        ([*INTEGERS, "4,204", "1,980"], "1,234.56", "number"),
        (["18", "18,5", "19"], "1.234,56", "number"),
        (["0,123", "5,678"], "1.234,56", "number"),
        (["1234,567", "5,678"], "1.234,56", "number"),
        (["1,5e-05", "2,1"], "1.234,56", "number"),
        (GERMAN, "1.234,56", "number"),
        (["1.234.567", "3"], "1.234,56", "number"),
        (["1.234", "12,5"], "1.234,56", "number"),
        (["4,204", "980.5"], "1,234.56", "number"),
        (["1,234.5", "3"], "1,234.56", "number"),
        (["1\u00a0234", "980"], "1 234,56", "number"),
        (["1 234.5", "980"], "1 234.56", "number"),
        (["1'234", "980"], "1'234.56", "number"),
        (["1\u2019234", "980"], "1'234.56", "number"),
        (["$1,234", "$980", "-$5"], "$1,234.56", "number"),
        (["8.123,45 €", "5 €"], "1.234,56 €", "number"),
        (["EUR 5", "EUR 6"], "EUR 1,234.56", "number"),
        (["12%", "5%"], "1,234.56%", "number"),
        (["$5", "6"], "$1,234.56", "number"),
        (["-$ 5", "$ 6"], "$ 1,234.56", "number"),
        (["$5", "€6"], "", "number"),
        (["18.2", "18,5"], "", "number"),
        (["1.234.567", "1,234,567"], "", "number"),
        ([*INTEGERS, "31.12.2024"], "", "number"),
        (["01023", "94110"], "", "category"),
        ([*INTEGERS, "01023", "unknown"], "", "category"),
        (["0", "1", "10"], "", "number"),
        (["01.5", "2"], "", "number"),
        (["31.12.2024", "1.2.2024 14:30"], "31.12.2024", "date"),
        (["01.02.2024"], "31.12.2024", "date"),
        (["31/12/2024", "01/02/2024"], "31/12/2024", "date"),
        (["12/31/2024", "01/02/2024"], "12/31/2024", "date"),
        (["31-12-2024", "01-02-2024"], "31-12-2024", "date"),
        (["2024/12/31"], "2024/12/31", "date"),
        (["2024.12.31", "2024-12-30"], "2024.12.31", "date"),
        (["2024-1-5", "2024-01-06"], "2024-12-31", "date"),
        (["13/01/2024", "01/13/2024"], "", "date"),
        ([*(f"{day}.1.2024" for day in range(1, 29)), "20240131"], "", "date"),
    ],
)
def test_a_column_that_tells(texts, format_, kind):
    found = find(texts)
    assert (found.format, found.choices, found.kind) == (format_, (), kind)
    assert bool(format_) <= bool(found.evidence)


@pytest.mark.parametrize(
    ("texts", "choices", "evidence"),
    [
        (["1.234", "5.678", "980"], ("1.234,56", "1234.56"), "1.234 is 1234 or 1.234"),
        (["1,234", "5,678"], ("1,234.56", "1234,56"), "1,234 is 1234 or 1.234"),
        (["$8,400"], ("$1,234.56", "$1234,56"), "$8,400 is 8400 or 8.400"),
        (["1.234", "1,234"], ("1.234,56", "1,234.56"), "1.234 is 1234 or 1.234"),
        (["03/04/2024", "01/02/2024"], ("31/12/2024", "12/31/2024"), "03/04/2024 is 3 April or March 4"),
        (["05/05/2024", "03-04-2024"], (), "written in different ways: 05/05/2024, 03-04-2024"),
        (["05/05/2024", "03/04/2024 10:00"], ("31/12/2024", "12/31/2024"), "03/04/2024 10:00 is 3 April or March 4"),
    ],
)
def test_a_column_that_does_not_tell_is_asked_about(texts, choices, evidence):
    found = find(texts)
    assert (found.format, found.choices, found.evidence) == ("", choices, evidence)


@pytest.mark.parametrize(
    ("texts", "evidence"),
    [
        (GERMAN, "all 3 different cells, e.g. 8.123,45"),
        ([*INTEGERS, "4,204", "unknown"], "all but 1 of 102 different cells, e.g. 4,204"),
        (["2024-12-30", "31.12.2024"], "all 2 different cells, e.g. 31.12.2024"),
        (["18.2", "18,5"], "written in different ways: 18.2, 18,5"),
        (["18", "31.12.2024"] + INTEGERS, "written in different ways: 18, 31.12.2024"),
        (["$5", "€6"], "different units: $5, €6"),
        (["94110", "01023"], "leading zeros, e.g. 01023"),
        (["1" * 50 + ",5"], "the only cell is " + "1" * 30 + "…"),
    ],
)
def test_the_evidence(texts, evidence):
    found = find(texts)
    assert found.evidence == evidence
    assert found.is_mixed == evidence.startswith(("written", "different"))
    assert found.are_codes == evidence.startswith("leading")


@pytest.mark.parametrize(
    ("texts", "format_", "odd"),
    [
        ([*INTEGERS, "4,204", "unknown"], "1,234.56", ("unknown",)),
        ([*INTEGERS, "unknown", "none yet"], "", ("unknown", "none yet")),
        ([*(f"{day}.1.2024" for day in range(1, 29)), "unknown", "00.00.0000"], "31.12.2024", ("unknown", "00.00.0000")),
        ([*(f"2024-01-{day:02}" for day in range(1, 29)), "open"], "", ("open",)),
        (["5%", "10%", "unknown"], "", ()),
        ([*INTEGERS[:20], *"abcdef"], "", ()),
    ],
)
def test_a_few_odd_texts_may_mean_a_missing_cell(texts, format_, odd):
    found = find(texts)
    assert (found.format, found.odd) == (format_, odd)


@pytest.mark.parametrize(
    ("others", "texts", "format_", "choices"),
    [
        ({"b": ["12.34"]}, ["1.234"], "1234.56", ()),
        ({"b": ["12,34"]}, ["1.234"], "1.234,56", ()),
        ({"b": ["12,34"]}, ["1,234"], "1.234,56", ()),
        ({"b": GERMAN, "c": ["text"]}, ["1,234"], "1.234,56", ()),
        ({"b": ["1,234,567"]}, ["1.234"], "1234.56", ()),
        ({"b": ["12,34"], "c": ["12.34"]}, ["1.234"], "", ("1.234,56", "1234.56")),
        ({"b": ["31.12.2024"]}, ["1.234"], "", ("1.234,56", "1234.56")),
        ({"b": ["4,204", "980"]}, ["1.234"], "", ("1.234,56", "1234.56")),
        ({"b": ["12%"]}, ["1.234"], "", ("1.234,56", "1234.56")),
        ({"b": ["12,34"]}, ["4,204", "980"], "", ("1,234.56", "1234,56")),
        ({"b": ["12,34"]}, ["12%"], "1.234,56%", ()),
        ({"b": ["12,34"]}, ["12", "5"], "", ()),
        ({"b": ["12.34"]}, ["1 234"], "1 234.56", ()),
        ({"b": ["31/12/2024"]}, ["03/04/2024"], "", ("31/12/2024", "12/31/2024")),
    ],
)
def test_other_columns_settle_the_decimal_mark_when_they_agree(others, texts, format_, choices):
    found = find_all({"a": texts, **others})
    assert (found["a"].format, found["a"].choices) == (format_, choices)
    assert set(found) == {"a", *others}


def test_what_other_columns_settle_is_said():
    found = find_all({"a": ["1.234", "5.678"], "b": ["12,34"]})
    assert found["a"].evidence == "all 2 different cells, e.g. 1.234; other columns have the decimal mark ,"


@pytest.mark.parametrize(
    ("texts", "cure"),
    [
        (["1", "2.5"], None),
        (["1.234"], None),
        (["2024-01-01"], None),
        (["01023"], None),
        (["a", "b"], None),
        (["18.2", "18,5"], "Write the cells in one way, or add the column to drop (written in different ways: 18.2, 18,5)"),
        (
            GERMAN,
            'Add the column to formats in slipway.yaml, with the example "1.234,56" (all 3 different cells, e.g. 8.123,45)',
        ),
        (
            ["03/04/2024"],
            'Add the column to formats in slipway.yaml, with the example "31/12/2024" or "12/31/2024" '
            "(03/04/2024 is 3 April or March 4)",
        ),
    ],
)
def test_the_cure_of_a_column_without_an_entry(texts, cure):
    assert undeclared(texts, False) == cure


NUMBERS = st.text("0123456789", min_size=1, max_size=7).flatmap(
    lambda digits: st.sampled_from([digits, f"{int(digits):,}", f"{digits}.5", f"{int(digits):,}.25", f"-{digits}"])
)
SWAPPED = str.maketrans(",.", ".,")


@given(texts=st.lists(NUMBERS, min_size=1, max_size=8, unique=True), swap=st.booleans(), unit=st.sampled_from(["", "$", "€ "]))
def test_what_is_found_reads_every_number(texts, swap, unit):
    texts = [unit + (text.translate(SWAPPED) if swap else text) for text in texts]
    found = find(texts)
    if found.evidence.startswith("leading zeros"):
        return
    assert found.kind == "number" and found.odd == ()
    for example in found.choices or (found.format or "1234.56",):
        assert None not in map(format_of(example).plain, texts)
    right = [text.replace("." if swap else ",", "").replace(",", ".").removeprefix(unit) for text in texts]
    readings = [list(map(format_of(each).plain, texts)) for each in found.choices or (found.format or "1234.56",)]
    assert right in readings or not any("," in text for text in texts), "what was meant is among what is found or asked"


@given(st.lists(st.text(max_size=12).map(str.strip).filter(bool), max_size=30, unique=True))
def test_any_texts_are_told_apart_from_numbers_and_dates(texts):
    found = find(texts)
    if found.format:
        odd = [text for text in texts if format_of(found.format).plain(text) is None]
        assert tuple(odd) == found.odd


def test_a_large_column_takes_no_long_time():
    before = time.process_time()
    assert find([f"{number},5" for number in range(50_000)]).format == "1.234,56"
    assert find([f"name {number}" for number in range(200_000)]) == Found()
    assert find([str(number / 7) for number in range(200_000)]).kind == "number"
    assert find(["1" + ",111" * 200_000, "9" * 200_000, " x" * 200_000]) == Found()
    assert time.process_time() - before < 10
