"""The text of a new slipway.yaml: what a look at the table found, with the reasons as comments."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import yaml

from slipway.problem import Problem
from slipway.table.formats import ASK
from slipway.table.inference import Target
from slipway.training.inspection.order import Order
from slipway.training.inspection.profile import Finding
from slipway.training.inspection.written import Written

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*-]*")
RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
WIDEST = 40  # of the names of columns in a comment
COMMENT = 29  # where the comment of a line begins
LONGEST_KEY = 1_000
RARE = 0.1
POLICIES = """
gate:
  # minimum: …               # what a challenger must reach on held-out rows
  minimum_gain: 0             # by how much it must beat the champion
  confidence: 0.9             # at most 10% of years may promote a model that is not better

serving:
  unknown_levels: reject      # or warn: answer, and say so
  out_of_range: near          # or warn, reject
# limits: {column: [0, 120]}  # the lowest and highest value that gets an answer, instead of out_of_range

log:                          # what the service keeps of the rows that it answers: read it before the first commit
  to: files                   # in log/, not in git; or none. Each row, its answer and its ids, to see drift
  omit: []                    # columns that are not kept
  hash: []                    # columns of which a keyed hash is kept; needs SLIPWAY_LOG_KEY
  keep_days: 90
"""


def problem_text(
    draft: Problem,
    origin: Sequence[str],
    target: Target,
    table: Written,
    findings: Sequence[Finding],
    order: Order | None = None,
) -> str:
    """slipway.yaml for this table.

    Parameters
    ----------
    draft : Problem
        With what the person gave: name, task, positive.
    origin : sequence of str
        The lines on where the table is.
    target : Target
    table : Written
    findings : sequence of Finding
        On every column but the target.
    order : Order, optional
        The column in whose order the rows are.
    """
    learned = [finding for finding in findings if finding.use == "feature"]
    markers = {target.name: table.markers.get(target.name, {})} | {each.name: each.markers for each in learned}
    return "\n".join(
        [
            "# What to predict, and from what. Slipway's docs/settings.md lists every setting.",
            f"name: {scalar(draft.name)}",
            _line("# purpose: …", "one sentence; the report begins with it"),
            *origin,
            f"target: {scalar(target.name)}",
            *_task(draft, target),
            "",
            *_time(order),
            *_group("id", "names a row: decides who is held out, and is not learned from", findings),
            *_group("drop", "left out", findings),
            *_types(table, learned),
            *_formats(table, [target.name, *(each.name for each in learned)]),
            *_missing(markers),
            *_learned(learned),
            POLICIES,
        ]
    )


def _task(draft: Problem, target: Target) -> list[str]:
    given = "given" if draft.task else ""
    if target.task == "regression":
        return [_line("task: regression", given or "the target is a number"), _line("metric: rmse", "or mae, r2")]
    if target.task == "multiclass":
        labels = f"{len(target.classes)} labels: {shown(', '.join(target.classes[:8]))}"
        return [_line("task: multiclass", labels), _line("metric: log_loss", "or accuracy, balanced_accuracy, f1_macro")]
    why = "given" if draft.positive else "guessed: change it if the other label is the question"
    share = float((target.y == 1).mean())
    rare = share < RARE
    says = f"only {share:.1%} are positive, so ranking them matters" if rare else f"{share:.1%} are positive"
    return [
        _line("task: binary", given) if given else "task: binary",
        _line(f"positive: {scalar(target.classes[1], True)}", why),
        _line(f"metric: {'pr_auc' if rare else 'roc_auc'}", f"{says}; or log_loss, brier, f1, accuracy"),
        _line("# costs:", "what wrong answers cost; then metric: cost, and the threshold follows"),
        "#   false_positive: 1",
        "#   false_negative: 10",
    ]


def _time(order: Order | None) -> list[str]:
    """The column that orders the rows: set where a random split flatters, else only proposed."""
    if order is None:
        return []
    setting = f"time: {scalar(order.column)}" if order.flatters else f"# time: {scalar(order.column)}"
    return [_line(setting, "the latest rows are held out, and training learns from the past:"), f"# {shown(order.says)}"]


def _group(use: str, says: str, findings: Iterable[Finding]) -> list[str]:
    chosen = [finding for finding in findings if finding.use == use]
    lines = [f"{use}:  # {says}"] if chosen else []
    for finding in chosen:
        back = "; if not, take it out of this list" if finding.leak else ""
        lines.append(f"  - {scalar(finding.name)}  # {shown(finding.says)}{back}")
    return lines


def _types(table: Written, learned: Iterable[Finding]) -> list[str]:
    found = {each.name: table.found_in(each.name) for each in learned}
    return _mapping(
        "types:",
        "where reading a number would lose information",
        {name: ("category", each.evidence) for name, each in found.items() if each.are_codes},
    )


def _formats(table: Written, names: Iterable[str]) -> list[str]:
    entries = {}
    for name in names:
        found = table.found_in(name)
        if found.format:
            entries[name] = (scalar(found.format, True), found.evidence)
        elif found.choices:
            one, two = (scalar(each, True) for each in found.choices)
            entries[name] = (scalar(ASK, True), f"{found.evidence}: write {one} or {two}")
    return _mapping("formats:", "how 1234.56, or 31 December 2024, is written there", entries)


def _missing(markers: Mapping[str, Mapping[str, int]]) -> list[str]:
    return _mapping(
        "missing:",
        "texts that seem to mean a missing cell, besides the usual ones",
        {
            name: (f"[{', '.join(map(scalar, each))}]", f"{sum(each.values()):,} cells")
            for name, each in markers.items()
            if each
        },
    )


def _mapping(title: str, says: str, entries: Mapping[str, tuple[str, str]]) -> list[str]:
    """A setting by column: value and evidence of each."""
    if not entries:
        return []
    lines = [_line(f"  {_key(scalar(name))}: {value}", shown(evidence)) for name, (value, evidence) in entries.items()]
    return [_line(title, says), *lines]


def _key(name: str) -> str:
    """A key of YAML, which takes long ones only behind a question mark."""
    return name if len(name) <= LONGEST_KEY else f"? {name}\n  "


def _learned(learned: Sequence[Finding]) -> list[str]:
    width = min(WIDEST, max([len(shown(each.name)) for each in learned], default=0))
    return [
        "",
        "# Learned from (set types: {column: number | integer | category | date} where a type is wrong):",
        *(f"#   {shown(each.name):<{width}}  {shown(each.says)}" for each in learned),
    ]


def _line(text: str, comment: str) -> str:
    return f"{text:<{COMMENT - 1}} # {comment}"


def scalar(text: str, always: bool = False) -> str:
    """A text of YAML, in quotes where it needs them or `always`."""
    if PLAIN.fullmatch(text) and text.lower() not in RESERVED and not always:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).rstrip("\n")


def shown(text: str) -> str:
    """A text for a comment or a terminal: on one line, control characters and their like escaped."""
    line = " ".join(text.split())
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
