"""Every setting once: its path, what it may be, its default, and a sentence of help.

The table feeds the validation of slipway.yaml, the overrides by environment variables, and docs/settings.md.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any

import yaml

TASKS = ("regression", "binary", "multiclass")
CANDIDATES = ("linear", "forest", "boosting")
TYPES = ("number", "integer", "category", "date")
POLICIES = ("reject", "warn")
RANGE_POLICIES = ("near", "warn", "reject")
EVERY_COLUMN = "*"
MEBIBYTE = 1 << 20
COMMAND = "one command, without pipes or redirections (no shell runs it)"
SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"}


@dataclass(frozen=True)
class Kind:
    """What a value may be.

    Parameters
    ----------
    expected : str
        In words, for messages and the docs.
    read : callable
        The value as the program wants it; ValueError when it is not of the kind.
    secret : str
        Why a refused value is not repeated in the message; empty when it is.
    """

    expected: str
    read: Callable[[Any], Any]
    secret: str = ""


def _text(value):
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or str(value).strip() == "":
        raise ValueError
    str(value).encode()  # half of a surrogate pair is no text: a ValueError too
    return str(value)


def _texts(value) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(_text(each) for each in values)


def _markers(value) -> dict[str, tuple[str, ...]]:
    """Column → its markers; those of a list are for every column."""
    if isinstance(value, Mapping):
        return {_text(name): _with_other_forms(markers) for name, markers in value.items()}
    return {EVERY_COLUMN: _with_other_forms(value)}


def _with_other_forms(value) -> tuple[str, ...]:
    """Texts, and of a number its other form too: what a file has as -999 is -999.0 in a column of doubles."""
    found = dict.fromkeys(_texts(value))
    for each in list(found):
        try:
            number = float(each)
        except ValueError:
            continue
        if number.is_integer():
            found |= dict.fromkeys((str(int(number)), repr(number)))
    return tuple(found)


def _number(value) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError
    return float(value)


def text() -> Kind:
    return Kind("a text", _text)


def texts() -> Kind:
    return Kind("a text or a list of texts", _texts)


def markers() -> Kind:
    return Kind("a text, a list of texts, or column names with either", _markers)


def one_of(*choices: str) -> Kind:
    def read(value):
        if value not in choices:
            raise ValueError
        return value

    return Kind("one of " + ", ".join(choices), read)


def some_of(*choices: str) -> Kind:
    def read(value):
        values = _texts(value)
        if not values or not set(values) <= set(choices) or len(set(values)) < len(values):
            raise ValueError
        return values

    return Kind("a list of " + ", ".join(choices) + ", each at most once", read)


def whole(least: int) -> Kind:
    def read(value):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError
        return value

    return Kind(f"a whole number of {least} or more", read)


def number(expected: str = "a number", low: float = float("-inf"), high: float = float("inf")) -> Kind:
    def read(value):
        if not low <= _number(value) <= high:
            raise ValueError
        return float(value)

    return Kind(expected, read)


def command() -> Kind:
    def read(value):
        words = shlex.split(value) if isinstance(value, str) else []
        if not words or "\n" in value.strip() or SHELL & set(words):
            raise ValueError
        return tuple(words)

    return Kind(COMMAND, read)


def remote() -> Kind:
    def read(value):
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?", _text(value)):
            raise ValueError
        return value.rstrip("/")

    return Kind("s3://bucket/prefix", read)


def variable() -> Kind:
    def read(value):
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError
        return value

    secret = "The value itself may be a secret, such as a URL with a password, and secrets do not belong in git"
    return Kind("the name of an environment variable", read, secret)


def query() -> Kind:
    def read(value):
        if not isinstance(value, Mapping):
            raise ValueError
        return _encodable(value)

    return Kind("a filter of MongoDB", read)


def _encodable(value):
    """The same with YAML's dates as date-times, because BSON has no others."""
    if isinstance(value, Mapping):
        return {str(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


def dotted_paths() -> Kind:
    def read(value):
        if not isinstance(value, Mapping):
            raise ValueError
        paths = {_text(name): _text(path) for name, path in value.items()}
        if any("" in path.split(".") or "$" in path for path in paths.values()):
            raise ValueError
        return paths

    return Kind("column names with the dotted path of a field each", read)


def column_types() -> Kind:
    def read(value):
        if not isinstance(value, Mapping) or not set(value.values()) <= set(TYPES):
            raise ValueError
        return {_text(name): kind for name, kind in value.items()}

    return Kind("column names with one of " + ", ".join(TYPES), read)


def column_formats() -> Kind:
    def read(value):
        if not isinstance(value, Mapping):
            raise ValueError
        return {_text(name): str(_text(example)) for name, example in value.items()}

    return Kind("column names with an example each", read)


def column_limits() -> Kind:
    def read(value):
        if not isinstance(value, Mapping):
            raise ValueError
        return {_text(name): _limits(pair) for name, pair in value.items()}

    return Kind("column names with a pair of numbers each, such as [0, 120]; null is no limit", read)


def _limits(pair) -> tuple[float | None, float | None]:
    low, high = (None if each is None else _number(each) for each in pair)
    if low is not None and high is not None and low > high:
        raise ValueError
    return low, high


@dataclass(frozen=True)
class Setting:
    """One setting of slipway.yaml; `path` has a dot for each level. `required` ones have no default."""

    path: str
    kind: Kind
    default: Any
    help: str
    required: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return variable_of(self.path)


SETTINGS = (
    Setting("name", text(), None,
            "Name of the problem. It salts the split: without holdout.salt, changing it redraws the hold-out.", True),
    Setting("source", texts(), None,
            "The table: CSV or Parquet files or globs, relative to this file; s3://bucket/glob; or mongodb.", True),
    Setting("fetch", command(), None,
            "The command that writes the files of source where they are absent: in a fresh clone, on a runner."),
    Setting("mongodb.url", variable(), "MONGO_DB_URL", "The environment variable that has the URL of the MongoDB server."),
    Setting("mongodb.database", text(), None, "The database of source: mongodb."),
    Setting("mongodb.collection", text(), None, "The collection, or view, of source: mongodb."),
    Setting("mongodb.filter", query(), {}, "Which documents to read, as find() takes it; by default all."),
    Setting("mongodb.fields", dotted_paths(), {},
            "The columns, and where each is in a document; by default all its top-level fields but _id."),
    Setting("target", text(), None, "The column to predict.", True),
    Setting("positive", text(), None, "For two classes: the label whose probability is answered."),
    Setting("task", one_of(*TASKS), None, "What kind of answer; inferred from the target when absent."),
    Setting("id", texts(), (), "Columns that name a row. They decide the split and are not learned from."),
    Setting("drop", texts(), (), "Columns to leave out: leaks, constants, free text."),
    Setting("types", column_types(), {}, "Types of columns where the inferred one is wrong."),
    Setting("formats", column_formats(), {},
            "How numbers and dates are written: per column, 1234.56 or 31 December 2024 as it is written there, such as "
            "\"1.234,56\", \"$1,234.56\" or \"31.12.2024\"."),
    Setting("missing", markers(), {},
            "Texts that mean a missing cell, besides the usual ones (empty, NA, NaN, null, ?): in every column, or by column. "
            "-999 is -999.0 too."),
    Setting("limits", column_limits(), {},
            "The least and the greatest number that is answered, by column. It replaces serving.out_of_range there."),
    Setting("metric", text(), None, "What to optimise. Default by task: rmse; roc_auc, or cost when costs are set; log_loss."),
    Setting("costs.false_positive", number("a number of 0 or more", 0), None, "Cost of answering positive wrongly."),
    Setting("costs.false_negative", number("a number of 0 or more", 0), None, "Cost of answering negative wrongly."),
    Setting("candidates", some_of(*CANDIDATES), CANDIDATES, "Which estimators to compare."),
    Setting("search.trials", whole(1), 8, "How many settings of each candidate to try."),
    Setting("sample.cells", whole(100_000), 10_000_000,
            "Most cells (rows times columns) that training holds; of a larger table it takes rows by their hash."),
    Setting("data.keep", whole(0), 5, "How many of the tables that trainings read are kept in the store; 0 keeps none."),
    Setting("data.max_bytes", whole(0), 2048 * MEBIBYTE, "Most bytes of them. The champion's is never removed."),
    Setting("holdout.share", number("a number from 0.05 to 0.5", 0.05, 0.5), 0.2, "Share of rows held out for the gate."),
    Setting("holdout.salt", text(), None, "Salt of the split; the name when absent."),
    Setting("gate.minimum", number(), None, "The metric that a challenger must reach on held-out rows."),
    Setting("gate.minimum_gain", number("a number of 0 or more", 0), 0.0,
            "By how much a challenger must be better than the champion, in units of the metric."),
    Setting("gate.confidence", number("a number from 0.5 to 0.999", 0.5, 0.999), 0.9,
            "Share of bootstrap draws the challenger must win; also the level of reported intervals."),
    Setting("remote", remote(), None, "Where bundles and the journal are kept besides: s3://bucket/prefix. "
            "slipway push and pull copy."),
    Setting("seed", whole(0), 0, "Seed of everything random in training."),
    Setting("serving.unknown_levels", one_of(*POLICIES), "reject",
            "What to do with a level that training never saw: reject the row, or answer with a warning."),
    Setting("serving.out_of_range", one_of(*RANGE_POLICIES), "near",
            "What to do with a number outside the range seen in training. near: answer with a warning up to one width of the "
            "range beyond either end, reject what is farther. warn: answer all with a warning. reject: reject all. "
            "Dates are always answered, with a warning."),
    Setting("serving.max_rows", whole(1), 10_000, "Most rows of one call of POST /predict."),
    Setting("serving.max_body_bytes", whole(1_024), 8 * MEBIBYTE, "Largest body of POST /predict and of the form."),
    Setting("serving.max_upload_bytes", whole(1_024), 100 * MEBIBYTE, "Largest body of POST /predict/file."),
    Setting("serving.cors_origins", texts(), (), "Origins whose pages may call the API; none by default."),
)


OBSOLETE = {  # names that were settings, with what to use instead
    "store": "Bundles are in artifacts/, beside slipway.yaml. To keep them elsewhere too: set remote",
}


def variable_of(path: str) -> str:
    """The environment variable that overrides a setting."""
    return "SLIPWAY_" + path.replace(".", "_").upper()


@dataclass(frozen=True)
class Variable:
    """A setting that only the environment has."""

    name: str
    default: str
    help: str


VARIABLES = (
    Variable("SLIPWAY_PROBLEM", "slipway.yaml", "Path of the problem file."),
    Variable("SLIPWAY_API_KEYS", "", "Comma-separated keys; when set, predictions and /metrics need one of them."),
    Variable("SLIPWAY_TRUSTED_PROXIES", "0", "How many proxies in front set X-Forwarded-For and X-Forwarded-Proto."),
    Variable("SLIPWAY_URL_PREFIX", "", "Path in front of the service, as in /models/charges; every link begins with it."),
    Variable("SLIPWAY_RELEASE", "", "Name of the release; set on a box, told by /readyz and a header of every answer."),
    Variable("SLIPWAY_COMMIT", "", "The commit it was made from; set on a box, told by /readyz."),
    Variable("PORT", "8080", "Port of the service."),
    Variable("WEB_CONCURRENCY", "", "Number of gunicorn workers; by default one per core, 2 to 4."),
)


def override(setting: Setting, value: str) -> Any:
    """The value of an environment variable, read like one in the file; commas separate the items of a list."""
    if setting.kind.expected.startswith(("a list", "a text or a list", "a text, a list")) and not value.startswith("{"):
        return [part.strip() for part in value.split(",") if part.strip()]
    if setting.kind.expected in ("a text", COMMAND):
        return value
    return yaml.safe_load(value)


def settings_page() -> str:
    """docs/settings.md."""
    rows = [
        f"| `{each.path}` | {each.kind.expected} | {_default(each)} | {each.help} |" for each in SETTINGS
    ]
    variables = [f"| `{each.name}` | {each.default and f'`{each.default}`'} | {each.help} |" for each in VARIABLES]
    return "\n".join([
        "# Settings", "",
        "Everything `slipway.yaml` may say. `make settings` writes this page from the program's own table.", "",
        "| setting | what it may be | default | |", "|---|---|---|---|", *rows, "",
        "Each can be overridden by an environment variable: `SLIPWAY_` and the path in capitals with `_` for dots,",
        "such as `SLIPWAY_SERVING_MAX_ROWS=500`. Commas separate the items of a list; a mapping is YAML, such as",
        "`SLIPWAY_TYPES='{zip: category}'`.", "",
        "Only the environment has:", "", "| variable | default | |", "|---|---|---|", *variables, "",
    ])


def _default(setting: Setting) -> str:
    if setting.required:
        return "(must be given)"
    if setting.default is None or setting.default in ((), {}):
        return ""
    shown = ", ".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    return f"`{shown}`"
