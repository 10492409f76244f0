"""What a device needs to answer as the service does: files of the bundle, and the policies, which are not in it.

The texts are here too, so that the JavaScript that reads this has none of its own.
"""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from slipway.errors import ServingError
from slipway.model.bundle import LISTS, MANIFEST, MODEL, SERVING, Bundle
from slipway.model.contents import Model, model_of
from slipway.serving.answer import shown_level
from slipway.serving.decoder import IGNORED
from slipway.table.cell import MISSING_MARKERS
from slipway.table.derived import derived
from slipway.table.expressions import formula
from slipway.table.faults import NO_ANSWER
from slipway.table.rules import Rule
from slipway.table.unlike import UNSEEN_LEVEL, beyond

if TYPE_CHECKING:
    from slipway.model.evaluation import Intervals
    from slipway.serving.service import Service

RULES = "rules.json"  # its name beside the files of the bundle
MOST_BYTES = 20_000_000  # of all graphs: a browser needs about 13 times as much memory to open them


class DeviceRule(msgspec.Struct, frozen=True):
    """What a value of one field must be.

    Attributes
    ----------
    low, high : float or None
        The range of numbers that are answered; None where it has no end.
    closed : bool
        Whether a level that training never saw is refused.
    markers : tuple of str
        In lower case, texts that mean a missing cell besides the usual ones.
    numbers : tuple of float
        The numbers that mean one.
    expected, outside, unlike : str
        Texts: what is expected; of a number that is refused; of a number or date that is answered with a warning. The last
        is empty where there is no such warning.
    """

    name: str
    low: float | None
    high: float | None
    closed: bool
    markers: tuple[str, ...]
    numbers: tuple[float, ...]
    expected: str
    outside: str
    unlike: str


class Formula(msgspec.Struct, frozen=True):
    """How a feature is computed: `slipway.table.expressions.formula`, and the levels of a binned number."""

    tree: Any
    levels: tuple[str, ...]


class DeviceInterval(msgspec.Struct, frozen=True):
    """The intervals of one level, as in evaluation.json."""

    level: float
    edges: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    least: float | None


class DeviceRules(msgspec.Struct, frozen=True):
    """rules.json.

    Attributes
    ----------
    fields : tuple of DeviceRule
        In the order of schema.json.
    missing : tuple of str
        Texts that mean a missing cell in every field.
    known : tuple of str
        Columns that are passed over with a warning.
    ids : tuple of str
        Columns that name a row.
    formulas : mapping of str to Formula
        By the expression that a feature has in model.json.
    interval : DeviceInterval or None
        What is shown beside a number.
    texts : mapping of str to str
        What is told of a row, by reason.
    """

    digest: str
    fields: tuple[DeviceRule, ...]
    missing: tuple[str, ...]
    known: tuple[str, ...]
    ids: tuple[str, ...]
    formulas: Mapping[str, Formula]
    interval: DeviceInterval | None
    texts: Mapping[str, str]


def device_files(bundle: Bundle) -> tuple[str, ...]:
    """The files of the bundle that a device downloads, besides `RULES`.

    Raises
    ------
    ServingError
        When its graphs are too large for a phone.
    """
    graphs = tuple(dict.fromkeys(member.graph for member in model_of(bundle).members))
    size = sum(bundle.files[name]["bytes"] for name in graphs)
    if size > MOST_BYTES:
        raise ServingError(
            f"serving.offline: the model has {size / 1e6:.0f} MB; a device may get at most {MOST_BYTES / 1e6:.0f} MB",
            "Set serving.offline to false, or train without the candidate that is so large, usually forest",
        )
    lists = (LISTS[SERVING],) if LISTS[SERVING] in bundle.lists else ()
    return (MANIFEST, *lists, "schema.json", MODEL, "golden.json", *graphs)


def device_rules(service: "Service") -> bytes:
    """The content of rules.json; the same for the same bundle and settings."""
    schema, ids = service.schema, tuple(service.ids)
    known = (service.problem.unlearned | schema.unlearned).difference(schema.names, ids)
    unlike = {field.name: beyond(field) for field in service.rules.ranged}
    rules = DeviceRules(
        digest=service.digest,
        fields=tuple(_field(rule, unlike.get(rule.field.name, "")) for rule in service.rules),
        missing=tuple(sorted(MISSING_MARKERS)),
        known=tuple(sorted(known)),
        ids=ids,
        formulas=_formulas(service, model_of(service.bundle)),
        interval=_interval(service.intervals),
        texts={"ignored": IGNORED, "not_finite": NO_ANSWER, "unseen_level": UNSEEN_LEVEL},
    )
    return msgspec.json.encode(rules, order="deterministic")


def _field(rule: Rule, unlike: str) -> DeviceRule:
    low, high = (bound if isfinite(bound) else None for bound in (rule.low, rule.high))
    return DeviceRule(
        name=rule.field.name,
        low=low,
        high=high,
        closed=rule.closed_levels,
        markers=tuple(sorted(rule.reader.markers - MISSING_MARKERS)),
        numbers=tuple(sorted(rule.reader.numeric_markers)),
        expected=rule.expected,
        outside="" if low is None and high is None else rule.outside.detail,
        unlike=unlike,
    )


def _formulas(service: "Service", model: Model) -> dict[str, Formula]:
    found = {}
    for member in model.members:
        features = member.encoding.features
        for feature, field in zip(features, derived(service.schema, features).fields):
            found[feature.expression] = Formula(formula(feature.expression), field.levels)
    return found


def _interval(intervals: "Intervals | None") -> DeviceInterval | None:
    level = shown_level(intervals)
    if not intervals or level is None:
        return None
    one = next(each for each in intervals.levels if each.level == level)
    return DeviceInterval(level, intervals.edges, one.below, one.above, intervals.least)
