"""The snippets of the form: whatever a field or a level is called, the text is a program of its language and sends the row."""

import ast
import json
import re
import shlex

import hypothesis.strategies as some
import pytest
from hypothesis import example, given
from pygments.lexers import get_lexer_by_name
from pygments.token import Error, String

from slipway.serving.snippets import snippets

URL = "http://127.0.0.1:8080/models/charges/predict"
NASTY = 'it\'s "new" \\ \\\\ $HOME `id` $(id) ${x} {x} #{y} %s </script> \u2028\u2029\u0085\u202e\ufeff ü😀 \t\r\n\b\f\x1b\x7f'
ROW = {NASTY: NASTY, "__proto__": 1e300, "if": -7.25e-05, "...": 19, "big": 10**20, "\\": '"', "'": "\\"}
LITERALS = re.compile(r'"(?:[^"\\]|\\.)*"')  # what it does not end at a line's end is found by `test_no_text_breaks_a_line`
UNESCAPED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ufeff]")

names = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
values = some.one_of(names, some.integers(-(10**25), 10**25), some.floats(allow_nan=False, allow_infinity=False))
rows = some.dictionaries(names, values, max_size=4)


def by_id(row, key=False):
    return {each.id: each.text for each in snippets(URL, row, key)}


def literals(text):
    return [json.loads(each) for each in LITERALS.findall(text)]


def test_each_language_is_there_once():
    assert [each.title for each in snippets(URL, ROW)] == ["curl", "Python", "JavaScript", "C#", "R"]


@given(row=rows)
@example(row=ROW)
@example(row={})
def test_the_shell_and_python_have_the_row(row):
    found = by_id(row)
    assert json.loads(shlex.split(found["curl"])[-1]) == row
    program = ast.parse(found["python"])
    [assigned] = [each for each in program.body if isinstance(each, ast.Assign) and each.targets[0].id == "row"]
    assert ast.literal_eval(assigned.value) == row


@given(row=rows)
@example(row=ROW)
@example(row={})
@pytest.mark.parametrize("language", ["javascript", "csharp", "r"])
def test_the_literals_of_the_others_are_the_row(language, row):
    """Their strings are literals of JSON: what each language reads in them is the same."""
    text = by_id(row)[language]
    said = [each for name, value in row.items() for each in (name, value) if isinstance(each, str)]
    found = literals(text)
    start = next((place for place in range(len(found)) if found[place : place + len(said)] == said), None)
    assert start is not None, text
    outside = LITERALS.sub("", text)
    for value in row.values():
        if not isinstance(value, str):
            assert any(float(number) == float(value) for number in re.findall(r"-?\d[\d.]*(?:e[+-]?\d+)?", outside))


@given(row=rows)
@example(row=ROW)
@pytest.mark.parametrize("language", ["javascript", "csharp", "r"])
def test_no_text_breaks_a_line(language, row):
    text = by_id(row)[language]
    assert not UNESCAPED.search(text)
    assert len(text.split("\n")) == len(by_id(dict.fromkeys(map(str, range(len(row))), 0))[language].split("\n")) or not row


@pytest.mark.parametrize("language", ["javascript", "csharp", "r"])
@pytest.mark.parametrize("row", [ROW, {}, {"age": 19, "smoker": "yes"}], ids=["nasty", "empty", "usual"])
def test_a_lexer_of_the_language_finds_no_error(language, row):
    tokens = list(get_lexer_by_name(language).get_tokens(by_id(row, key=True)[language]))
    assert not [text for kind, text in tokens if kind in Error]
    assert any(kind in String for kind, _ in tokens)


@pytest.mark.parametrize("key", [True, False])
def test_each_says_where_a_key_belongs(key):
    for each in snippets(URL, ROW, key):
        assert (each.text.count("YOUR-KEY"), each.text.count("X-API-Key")) == (key, key), each.title


def test_a_name_of_javascript_s_own_is_a_field():
    assert '["__proto__"]: 1e+300' in by_id(ROW)["javascript"]
