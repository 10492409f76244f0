"""card.md: the model card as Markdown, for a repository, a wiki or a pull request."""

import re
from collections.abc import Collection, Sequence

from slipway.report.documents import Documents
from slipway.report.figure import Table
from slipway.report.figures import described
from slipway.report.numbers import brief, counted, settings, share
from slipway.report.page import MOST_FIELDS, measured
from slipway.report.summary import answers, origin
from slipway.report.worries import worries
from slipway.table.faults import visible

MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")
LINKS = re.compile(r"(@|:(?=//)|www(?=\.)|#(?=\d)|GH-(?=\d))", re.IGNORECASE)  # GitHub makes links of them without any mark
OF_CLUSTER = (
    "It learned from all rows of a cluster, of which only a sample is kept: the table there must be unchanged, and the "
    "cluster must have as many cores."
)
JOINER = "\N{ZERO WIDTH JOINER}"
TASKS = {"regression": "regression", "binary": "binary classification", "multiclass": "multi-class classification"}


def card(of: Documents) -> bytes:
    """The card; the same documents give the same bytes."""
    model = of.model
    built = "; ".join(f"{each.candidate} ({settings(each.settings)})" for each in model.members)
    parts = [
        f"# Model card: {plain(of.problem)}",
        f"Predicts {plain(model.target)} from {counted(len(of.schema.names), 'field')}.",
        "## Model",
        *_listed(
            f"Target: {plain(model.target)} ({TASKS[model.task]})",
            *([f"Labels: {', '.join(map(plain, model.classes))}"] if model.classes else []),
            f"Built from: {plain(built)}",
            origin(of),
        ),
        "## Intended use",
        plain(of.purpose) if of.purpose else "Not stated: set `purpose` in slipway.yaml.",
        "## How good it is",
        " ".join(map(plain, answers(of))),
        table(measured(of.metrics)),
        "## Limits",
        *_listed(
            *(f"**{plain(each.title)}.** {plain(each.text)}" for each in worries(of)),
            "Its figures come from rows like those of the table. They cannot tell whether tomorrow’s rows will be like them.",
        ),
        *_fields(of),
        "## How to reproduce it",
        "With the same slipway.yaml, the same locked libraries and the same data"
        f"{', and with this bundle or its champion as the champion' if model.start else ''}:",
        *(["    slipway train", OF_CLUSTER] if model.of_cluster else [f"    slipway train --data {model.data[:12]}"]),
        *_listed(
            f"Data: `{model.data}`",
            f"Libraries: {', '.join(f'{name} {one}' for name, one in sorted(model.libraries.items()))}",
        ),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def _fields(of: Documents) -> list[str]:
    if not of.evaluation:
        return []
    rows = [(one.name, "computed", "", one.expression) for one in of.schema.features]
    rows += [
        (one.name, one.type, share(one.missing) if one.missing else "never", brief(described(one, of.schema)))
        for one in of.evaluation.fields[:MOST_FIELDS]
    ]
    left_out = [f"{plain(one.column)}: {plain(one.reason)}" for one in of.evaluation.left_out]
    data = ["## Data", table(Table(("field", "type", "missing", "values"), tuple(rows)))]
    return [*data, "Left out:", *_listed(*left_out)] if left_out else data


def _listed(*texts: str) -> list[str]:
    return ["\n".join(f"- {text}" for text in texts)]


def table(of: Table, ids: Collection[int] = ()) -> str:
    """A table; the cells in the columns `ids` are shown as code."""

    def line(cells: Sequence[str]) -> str:
        shown = (code(cell).replace("|", "\\|") if place in ids else plain(cell) for place, cell in enumerate(cells))
        return f"| {' | '.join(shown)} |"

    rule = "|" + "|".join("---:" if place in of.numbers else "---" for place in range(len(of.head))) + "|"
    head = f"| {' | '.join(map(plain, of.head))} |"
    return "\n".join([head, rule, *map(line, of.rows)])


def plain(text: str) -> str:
    """A text that Markdown shows as it is: a name from the data must not become a link, a mention or an element.

    GitHub looks for addresses, mentions and numbers of issues in what Markdown has made of a text, where a backslash before
    them is gone: a sign without width, which nobody sees, keeps them apart.
    """
    return MARKS.sub(r"\\\1", LINKS.sub(rf"\1{JOINER}", _line(text)))


def code(text: str) -> str:
    """A text as code, which it cannot end: its fence is longer than any in it."""
    shown = _line(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown else ""


def _line(text: str) -> str:
    return " ".join(visible(text).split())
