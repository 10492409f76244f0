"""A page as somebody without a browser's help sees it: forms, tables, texts and links."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from flask import Flask

from bundles import make_bundle
from slipway.model.encoding import Encoding, Output
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.table.schema import Field, Schema

TYPED = {"age": "45", "bmi": "33.3", "smoker": "no", "joined": "2021-11-05"}
VOID = {"meta", "link", "input", "br", "img"}


def start(folder: Path, task: str = "regression", settings: str = "", keys: str = "", **changes) -> Flask:
    """The app of a test bundle; `settings` are further lines of slipway.yaml, `changes` are the bundle's."""
    make_bundle(LocalStore(folder / "artifacts"), task, **changes)
    path = folder / "slipway.yaml"
    path.write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n{settings}")
    return build(load_problem(path, environ={}), {"SLIPWAY_API_KEYS": keys})


def crowded(serve: Callable[..., Flask], **changes) -> Flask:
    """What `serve` makes of a schema of 170 fields, all of the same weight."""
    fields = tuple(
        Field(f"s{place:03}", "number", minimum=0, maximum=9, missing=0.1, example=place % 9) for place in range(170)
    )
    encoding = Encoding(Schema(fields), tuple(Output("value", field.name, fill=0.0) for field in fields))
    rows = [{field.name: 5.0 for field in fields}]
    return serve(schema=Schema(fields), encoding=encoding, rows=rows, weights=np.ones((170, 1)), **changes)


class Page(HTMLParser):
    """Reads a page; every element must be closed properly, and an id may be there only once.

    Attributes
    ----------
    form : dict
        Name → value, as a browser would send it without any change.
    elements : list of (tag, attributes, text)
        In the order of their ends; the text is what is inside.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.form: dict[str, str] = {}
        self.elements: list[tuple[str, dict, str]] = []
        self._open: list[tuple[str, dict, list[str]]] = []
        self._select = ""
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {[tag for tag, _, _ in self._open]}"
        ids = [attributes["id"] for _, attributes, _ in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), "an id is there twice"

    def handle_starttag(self, tag: str, attrs: list) -> None:
        attributes = dict(attrs)
        self._fill(tag, attributes)
        if tag in VOID:
            self.elements.append((tag, attributes, ""))
        else:
            self._open.append((tag, attributes, []))

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        opened, attributes, text = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"
        self.elements.append((tag, attributes, "".join(text)))

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def all(self, tag: str, **wanted) -> list[tuple[dict, str]]:
        """Attributes and text of the elements with these attributes (class_ for class; None = has it)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [
            (attributes, text)
            for found, attributes, text in self.elements
            if found == tag and all(name in attributes and value in (None, attributes[name]) for name, value in wanted.items())
        ]

    def one(self, tag: str, **wanted) -> tuple[dict, str]:
        found = self.all(tag, **wanted)
        assert len(found) == 1, f"{len(found)} × {tag} {wanted}"
        return found[0]

    def labels(self) -> dict[str, str]:
        """Id of a control → text of its label."""
        return {attributes["for"]: text.strip() for attributes, text in self.all("label", for_=None)}

    def _fill(self, tag: str, attributes: dict) -> None:
        if tag == "input" and attributes["type"] != "file" and (attributes["type"] != "radio" or "checked" in attributes):
            self.form[attributes["name"]] = attributes.get("value") or ""
        elif tag == "select":
            self._select = attributes["name"]
            self.form[self._select] = ""
        elif tag == "option" and "selected" in attributes:
            self.form[self._select] = attributes["value"]
