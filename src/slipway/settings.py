"""How settings are read, from slipway.yaml or the environment, and docs/settings.md.

A setting is a field of a struct, annotated with a sentence of help; `slipway.problem` has the structs.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from msgspec import NODEFAULT, Struct, structs

from slipway.errors import ProblemError
from slipway.kinds import REFUSED, Kind, kind_of

BOOLEAN = 'YAML reads yes, no, on and off as true and false: put the text in quotes, such as "yes"'


@dataclass(frozen=True)
class Setting:
    """One setting; `path` has a dot for each level. `required` ones have no default."""

    path: str
    kind: Kind
    default: Any
    help: str
    required: bool

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return variable_of(self.path)


@dataclass(frozen=True)
class Variable:
    """A setting that only the environment has."""

    name: str
    default: str
    help: str


VARIABLES = (
    Variable("SLIPWAY_PROBLEM", "slipway.yaml", "Path of the problem file."),
    Variable("SLIPWAY_API_KEYS", "", "Comma-separated keys; when set, predictions, /metrics and /live need one of them."),
    Variable("SLIPWAY_API_KEYS_FILE", "", "Path of a file with one key per line, read again when it changes."),
    Variable("SLIPWAY_LOG", "", "Folder of the prediction log; by default log/ beside slipway.yaml."),
    Variable("SLIPWAY_LOG_KEY", "", "Secret of at least 16 characters for the columns of log.hash."),
    Variable("SLIPWAY_STREAM", "", "URL of the broker of slipway consume, redis://…, rediss://… or kafka://…, a secret."),
    Variable("SLIPWAY_WEBHOOK", "", "A secret https:// URL that slipway watch tells of a change, in Slack's form."),
    Variable("SLIPWAY_SMTP_URL", "", "The same by e-mail: smtps://USER:PASSWORD@HOST:465/?from=…&to=…, a secret."),
    Variable("SLIPWAY_WHY", "", "Why there was a training, for slipway diff; set by retrain.yaml."),
    Variable("MLFLOW_TRACKING_URI", "", "Address of an MLflow server; when set, every training is logged there."),
    Variable("SLIPWAY_TRUSTED_PROXIES", "0", "How many proxies in front set X-Forwarded-For and X-Forwarded-Proto."),
    Variable("SLIPWAY_URL_PREFIX", "", "Path in front of the service, as in /models/charges; every link begins with it."),
    Variable("SLIPWAY_RELEASE", "", "Name of the release, which sets it; reported by /readyz and a header of every answer."),
    Variable("SLIPWAY_COMMIT", "", "The commit of the release, which sets it; reported by /readyz."),
    Variable("SLIPWAY_REGISTRY", "", "In CI: host of the registry of images, as in NAME.azurecr.io; by default ECR."),
    Variable("SLIPWAY_REPOSITORY", "", "In CI: the image's name in SLIPWAY_REGISTRY, as in insurance."),
    Variable("SLIPWAY_ROAD", "box", "On GitHub: where releases go, as in box fargate."),
    Variable("SLIPWAY_STAGING", "", "On GitHub: where each release goes first, for a trial before production."),
    Variable("SLIPWAY_PLATFORM", "linux/amd64", "On GitHub: what images are built for; or linux/arm64."),
    Variable("SLIPWAY_OVERLAY", "", "On GitHub, in the environment kubernetes: a folder in deploy/kubernetes."),
    Variable("SLIPWAY_CLUSTER", "", "On GitHub, in the environment kubernetes: name of the cluster."),
    Variable("NPM_CONFIG_REGISTRY", "", "A mirror of the npm registry; the build of an image with serving.offline reads it."),
    Variable("PORT", "8080", "Port of the service."),
    Variable("WEB_CONCURRENCY", "", "Number of gunicorn workers; by default one per core, 2 to 4."),
)
OBSOLETE = {  # names that were settings, with what to use instead
    "store": "Bundles are in artifacts/, beside slipway.yaml. To keep them elsewhere too: set remote",
}


def variable_of(path: str) -> str:
    """The environment variable that overrides a setting."""
    return "SLIPWAY_" + path.replace(".", "_").upper()


def groups_of(struct: type[Struct]) -> dict[str, type[Struct]]:
    """The fields of a struct that are structs themselves."""
    found = ((field.name, _given(field.type)) for field in structs.fields(struct))
    return {name: hint for name, hint in found if isinstance(hint, type) and issubclass(hint, Struct)}


def settings_of(struct: type[Struct], prefix: str = "", needed: bool = True) -> Iterator[Setting]:
    """The settings that a struct and its groups have; those of a group that may be absent are not `needed`."""
    groups = groups_of(struct)
    for field in structs.fields(struct):
        path, default = f"{prefix}{field.name}", field.default
        if field.name in groups:
            yield from settings_of(groups[field.name], f"{path}.", default is not None)
            continue
        if default is NODEFAULT:
            default = None if field.default_factory is NODEFAULT else field.default_factory()
        for mark in getattr(field.type, "__metadata__", ()):
            if isinstance(mark, str):
                yield Setting(path, kind_of(_given(field.type)), default, mark, needed and field.required)


def _given(hint: Any) -> Any:
    """A type without its None."""
    inner = getattr(hint, "__origin__", hint)
    present = [each for each in get_args(inner) if each is not type(None)]
    return present[0] if type(None) in get_args(inner) else hint


def read_document(document: Mapping[Any, Any], settings: Collection[Setting], where: str) -> dict[str, Any]:
    """Values by path of setting; ProblemError for what is no setting or not of its kind."""
    known = {setting.path: setting for setting in settings}
    groups = {path.partition(".")[0] for path in known if "." in path}
    values = {}
    for path, value in _entries(document, known, groups, where):
        if path in OBSOLETE:
            raise ProblemError(f"{where}: {path}: no longer a setting", OBSOLETE[path])
        if path not in known:
            cure = meant(path, [*known, *groups]) or _elsewhere(path, known) or "docs/settings.md lists all of them"
            raise ProblemError(f"{where}: {path}: no such setting", cure)
        if value is not None:
            values[path] = _read(known[path], value, f"{where}: {path}")
    return values


def _entries(
    document: Mapping[Any, Any],
    known: Collection[str],
    groups: Collection[str],
    where: str,
) -> Iterator[tuple[str, Any]]:
    """Path of each setting, and its value."""
    for key, value in document.items():
        group, _, inner = str(key).partition(".")
        if inner and group in groups:
            raise ProblemError(f"{where}: {key}: no such setting", f"Write {inner} inside the group {group}:")
        if key not in groups:
            yield str(key), value
        elif isinstance(value, Mapping):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        elif value is not None:
            names = ", ".join(path.removeprefix(f"{key}.") for path in known if path.startswith(f"{key}."))
            raise ProblemError(f"{where}: {key}: expected a group with {names}, got {described(value)}")


def read_environment(environ: Mapping[str, str], settings: Collection[Setting]) -> dict[str, Any]:
    """The same of the variables that override settings."""
    for name, cure in OBSOLETE.items():
        if environ.get(variable_of(name)):
            raise ProblemError(f"{variable_of(name)}: no longer a setting", cure)
    values = {}
    for setting in settings:
        text = environ.get(setting.variable)
        if text or text == "" and (setting.required or setting.default is not None):  # a workflow's unset ones are empty
            try:
                value = setting.kind.parse(text)
            except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date that does not exist
                raise ProblemError(f"{setting.variable}: expected {setting.kind.expected}") from error
            values[setting.path] = _read(setting, value, setting.variable)
    return values


def _read(setting: Setting, value: Any, where: str) -> Any:
    kind = setting.kind
    try:
        return kind.read(value)
    except REFUSED as error:
        if kind.secret:
            raise ProblemError(f"{where}: expected {kind.expected}", kind.secret) from None
        if isinstance(value, Mapping) and "column names" in kind.expected and (entry := _wrong_entry(kind, value)):
            where, value = f"{where}.{entry[0]}", entry[1]
        inside = _inside(value)
        wrong = [each for each in inside if isinstance(each, str) and each not in kind.choices]
        cure = BOOLEAN if any(isinstance(each, bool) for each in inside) else meant(wrong[0], kind.choices) if wrong else ""
        raise ProblemError(f"{where}: expected {kind.expected}, got {described(value)}", cure) from error


def _wrong_entry(kind: Kind, value: Mapping[Any, Any]) -> tuple[Any, Any] | None:
    """The first entry of a mapping that is refused by itself."""
    for name, each in value.items():
        try:
            kind.read({name: each})
        except REFUSED:
            return name, each
    return None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def meant(word: str, known: Collection[str]) -> str:
    """The question whether the nearest of these was meant; empty when none is near."""
    close = get_close_matches(word.lower(), known, 1)
    return f"Did you mean {close[0]}?" if close else ""


def _elsewhere(name: str, known: Collection[str]) -> str:
    """The same for a setting that is in a group."""
    return next((f"Did you mean {path}?" for path in known if path.endswith(f".{name}")), "")


def described(value: Any) -> str:
    """What was given, in a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, (int, float)):
        return f"{value}"
    if isinstance(value, list):
        return f"the list {value!r}"[:60]
    return {dict: "a mapping", type(None): "nothing"}.get(type(value), f"a {type(value).__name__}")


def settings_page(settings: Collection[Setting]) -> str:
    """docs/settings.md."""
    rows = [f"| `{each.path}` | {each.kind.expected} | {_default(each)} | {each.help} |" for each in settings]
    variables = [f"| `{each.name}` | {each.default and f'`{each.default}`'} | {each.help} |" for each in VARIABLES]
    return "\n".join(
        [
            "# Settings",
            "",
            "Everything `slipway.yaml` may say. `make settings` writes this page from the code.",
            "",
            "| setting | what it may be | default | |",
            "|---|---|---|---|",
            *rows,
            "",
            "Each can be overridden by an environment variable: `SLIPWAY_` and the path in capitals with `_` for dots,",
            "such as `SLIPWAY_SERVING_MAX_ROWS=500`. Commas separate the items of a list; a mapping is YAML, such as",
            "`SLIPWAY_TYPES='{zip: category}'`.",
            "",
            "Only the environment has:",
            "",
            "| variable | default | |",
            "|---|---|---|",
            *variables,
            "",
        ]
    )


def _default(setting: Setting) -> str:
    if setting.required:
        return "(must be given)"
    if setting.default is None or setting.default in ((), {}):
        return ""
    shown = ", ".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    return f"`{shown}`"
