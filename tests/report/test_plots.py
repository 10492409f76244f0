import re
from xml.etree import ElementTree

import pytest

from slipway.report.axis import Axis, spanning, text_width
from slipway.report.plots import HEIGHT, WIDTH, Band, Columns, Dots, Line, Rule, Whiskers, plot

SVG = "{http://www.w3.org/2000/svg}"
LAYERS = (
    Band([(0, 1, 3), (5, 2, 4), (10, 0, 5)]),
    Columns([0, 5, 10], [2, 4]),
    Line([(0, 2), (10, 4)], dots=True),
    Dots([(3, 3), (-50, 900)], "quiet"),
    Whiskers([(5, 1, 3)]),
    Rule(x=5),
    Rule(y=2),
)
EVIL = "</title><script>alert(1)</script>\"'&"


def drawn(title="A plot", x=None, y=None, layers=LAYERS):
    svg = plot(title, "What it shows.", x or Axis("age", 0, 10), y or Axis("charges", 0, 5), layers)
    return ElementTree.fromstring(str(svg).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def test_whoever_cannot_see_it_is_told_what_it_shows():
    svg = drawn()
    assert svg.get("role") == "img"
    assert [(part.tag.removeprefix(SVG), part.text) for part in svg[:2]] == [("title", "A plot"), ("desc", "What it shows.")]


def test_names_from_the_data_cannot_leave_their_place():
    svg = drawn(EVIL, Axis(EVIL, 0, 1), Axis(EVIL, 0, 1))
    assert svg[0].text == EVIL
    assert [text.text for text in svg.iter(f"{SVG}text") if "axis" in text.get("class")] == [EVIL, EVIL]
    assert not list(svg.iter(f"{SVG}script"))


def test_colours_and_sizes_are_left_to_the_look():
    names = {name for part in drawn().iter() for name in part.attrib}
    assert names <= {"class", "viewBox", "role", "d", "x", "y", "cx", "cy", "r", "width", "height"}


def test_nothing_is_drawn_beyond_the_plot():
    for part in drawn().iter():
        for place, most in (("x", WIDTH), ("cx", WIDTH), ("y", HEIGHT), ("cy", HEIGHT)):
            assert 0 <= float(part.get(place, 0)) <= most
        for across, up in re.findall(r"[ML]([\d.]+) ([\d.]+)", part.get("d", "")):
            assert 0 <= float(across) <= WIDTH and 0 <= float(up) <= HEIGHT


def shown(text):
    return text[0].tail if len(text) else text.text


def box(text):
    """Left, top, right and bottom of a label, estimated."""
    x, y, width = float(text.get("x")), float(text.get("y")), text_width(shown(text))
    left = x - {"start": 0, "middle": width / 2, "end": width}[text.get("class").split()[1]]
    return left, y - 10, left + width, y + 2


@pytest.mark.parametrize(
    "x, y",
    [
        (Axis("age", 18, 64), Axis("charges", 1121.87, 63770.43)),
        (Axis("predicted", -1e9, 1e9), Axis("actual", -2e-7, 3e-7)),
        (Axis("x" * 80, 0, 1, "share"), Axis("収入" * 40, 0, 1, "share")),
        (Axis("joined", 18262, 19722, "date"), Axis("rows", 0, 123_456_789)),
        (spanning("one", [7.0]), spanning("none", [])),
        (Axis("huge", 1e15, 9e17), Axis("tiny", 0.99999, 1.00001)),
    ],
)
def test_no_label_touches_another(x, y):
    boxes = [box(text) for text in drawn(x=x, y=y, layers=()).iter(f"{SVG}text") if shown(text)]
    assert len(boxes) >= 5
    for at, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1 and right <= WIDTH + 1 and top >= 0 and bottom <= HEIGHT
        for other in boxes[at + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_a_name_that_was_cut_is_there_in_full():
    svg = drawn(x=Axis("x" * 80, 0, 1))
    assert "x" * 80 in [title.text for title in svg.iter(f"{SVG}title")]
