"""The documents of a bundle, typed: model.json, schema.json, golden.json and metrics.json."""

from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from slipway.model.bundle import Bundle
from slipway.model.encoding import Output
from slipway.model.typed_document import Draft, document_of, unfit
from slipway.table.schema import Feature, Field, Schema

Link = Literal["identity", "expm1", "sigmoid", "softmax"]
WEIGHTS = 1e-9  # how far the sum of weights may be from 1


class Split(msgspec.Struct, frozen=True, omit_defaults=True):
    """How rows were divided: by the hash of a key, or in time.

    Attributes
    ----------
    share : float
        Fraction of rows held out.
    salt : str
        Differs between problems, so that they hold out different rows.
    columns : tuple of str
        The key: the group columns, else the id columns, else all features; none where rows are divided in time.
    time : Field or None
        The column that orders the rows, and how its cells are read.
    boundary : float or None
        Rows after it are held out; of a date in days since 1970-01-01.
    """

    share: float
    salt: str
    columns: tuple[str, ...]
    time: Field | None = None
    boundary: float | None = None

    def __post_init__(self) -> None:
        if (self.time is None) != (self.boundary is None):
            raise ValueError("time and boundary belong together")

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that tell where a row belongs."""
        return (*self.columns, *([self.time.name] if self.time else []))


IMPORTED = "imported"  # the candidate of a model that was fitted elsewhere


class Counts(msgspec.Struct, frozen=True, rename={"without_target": "without target"}):
    """Rows that the model learned from, held out, and left out; `twin` is what its twin learned from, 0 if unknown."""

    training: int
    holdout: int
    without_target: int
    twin: int = 0


class Outputs(msgspec.Struct, frozen=True):
    """The columns of the matrix, in order, and the features that are computed before them."""

    outputs: tuple[Output, ...]
    features: tuple[Feature, ...] = ()


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One estimator of a model.

    Attributes
    ----------
    settings : mapping
        Of the candidate, as reports show them.
    graph : str
        The file of its ONNX graph.
    input : str
        What the matrix is rounded to before it enters the graph.
    link, base
        The graph's raw scores plus `base`, one number per score, go through the link.
    weight : float
        The model answers the weighted sum of what its members answer.
    """

    candidate: str
    settings: dict[str, Any]
    graph: str = "model.onnx"
    input: Literal["float32", "float64"]
    link: Link
    base: tuple[float, ...]
    encoding: Outputs
    weight: float = 1.0


class Start(msgspec.Struct, frozen=True):
    """Settings that were tried because a champion had them; the search would not have come upon them."""

    candidate: str
    settings: dict[str, Any]


class Calibration(msgspec.Struct, frozen=True):
    """What makes of a binary model's probability p a calibrated one: sigmoid(slope · logit(p) + shift).

    Source: Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers (1999).
    """

    slope: float
    shift: float

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"calibration with the slope {self.slope}")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """model.json.

    Attributes
    ----------
    classes : tuple of str
        Of a binary model the positive one is the second; none for regression.
    threshold : float or None
        The probability from which a binary model answers the positive class.
    costs : tuple of float or None
        Declared costs of a false positive and a false negative.
    members : tuple of Member
        One, or several that are blended; their weights add up to 1.
    calibration : Calibration or None
        For binary models.
    start : tuple of Start
        What the training started from besides its own trials; none without a champion.
    data : str
        Fingerprint of what the training read.
    anchor : str, unset without one
        Fingerprint of the rows that the training kept apart as the anchor set.
    libraries : mapping
        Name → version, as it was trained.
    """

    task: Literal["regression", "binary", "multiclass"]
    target: str
    classes: tuple[str, ...]
    threshold: float | None
    metric: str
    costs: tuple[float, float] | None
    members: tuple[Member, ...]
    calibration: Calibration | None = None
    split: Split
    rows: Counts
    start: tuple[Start, ...] = ()
    data: str
    anchor: str | msgspec.UnsetType = msgspec.UNSET
    libraries: dict[str, str]

    def __post_init__(self) -> None:
        classes = len(self.classes)
        if not {"regression": classes == 0, "binary": classes == 2, "multiclass": classes > 2}[self.task]:
            raise ValueError(f"{self.task} with {classes} classes")
        if (self.threshold is not None) != (self.task == "binary"):
            raise ValueError(f"{self.task} with the threshold {self.threshold}")
        for member in self.members:
            if len(member.base) != (classes if self.task == "multiclass" else 1):
                raise ValueError(f"{self.task} of {classes} classes with {len(member.base)} numbers in base")
        if abs(sum(member.weight for member in self.members) - 1) > WEIGHTS:
            raise ValueError("the weights of the members do not add up to 1")
        if self.calibration and self.task != "binary":
            raise ValueError(f"{self.task} with a calibration")

    @property
    def of_cluster(self) -> bool:
        """Whether it learned from all rows of a cluster, of which `data` is a sample."""
        return any(member.candidate == "xgboost" and "executors" in member.settings for member in self.members)

    @property
    def kind(self) -> str:
        """The candidate, or those that are blended."""
        names = dict.fromkeys(member.candidate for member in self.members)
        return " + ".join(names)


class Answer(TypedDict):
    """An answer as the service gives it: a number, or a label and the probability of each."""

    prediction: float | str
    probabilities: NotRequired[dict[str, float]]


class Golden(msgspec.Struct, frozen=True):
    """golden.json: rows as requests carry them, and the answers to them."""

    rows: tuple[dict[str, int | float | str | None], ...]
    predictions: tuple[Answer, ...]

    def __post_init__(self) -> None:
        if not self.rows or len(self.rows) != len(self.predictions):
            raise ValueError(f"{len(self.predictions)} predictions for {len(self.rows)} rows")


class Estimate(msgspec.Struct, frozen=True):
    """The value of a metric on the hold-out, and its interval."""

    value: float
    low: float
    high: float


class Holdout(msgspec.Struct, frozen=True):
    """What was measured on the rows held out.

    Attributes
    ----------
    metrics : mapping
        Name → estimate.
    baseline : mapping
        Name → what a baseline reaches that ignores all features.
    """

    rows: int
    metrics: dict[str, Estimate]
    baseline: dict[str, float] = {}


class Ranked(msgspec.Struct, frozen=True):
    """A line of the leaderboard.

    Attributes
    ----------
    candidate : str
        ``baseline`` is the one that ignores all features.
    mean, error : float
        Of the metric over the folds, and its standard error.
    reason : str
        Why it is not eligible.
    """

    candidate: str
    settings: dict[str, Any]
    mean: float
    error: float
    eligible: bool
    reason: str


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """metrics.json.

    Attributes
    ----------
    metric : str
        Which one the gate decides by.
    confidence : float
        Of the intervals.
    leaderboard : tuple of Ranked
        The best first.
    importance : tuple of (str, float)
        Field and loss of the metric when it is shuffled, the largest first.
    notes : tuple of str
        What a reader of the results must know, each without a full stop.
    """

    metric: str
    greater_is_better: bool
    confidence: float
    holdout: Holdout
    leaderboard: tuple[Ranked, ...] = ()
    importance: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Each field's share of the importance of all; none where no field matters."""
        positive = {name: max(0.0, loss) for name, loss in self.importance}
        whole = sum(positive.values())
        return {name: loss / whole for name, loss in positive.items()} if whole else {}


def model_of(bundle: Bundle | Draft) -> Model:
    """model.json; BundleError if it is invalid."""
    return document_of(bundle, "model.json", Model, _members)


def schema_of(bundle: Bundle | Draft) -> Schema:
    """schema.json; BundleError if it is invalid."""
    schema = document_of(bundle, "schema.json", Schema)
    if len(set(schema.names)) < len(schema.names):
        raise unfit(bundle, "schema.json", "duplicate field name")
    return schema


def golden_of(bundle: Bundle | Draft) -> Golden:
    """golden.json; BundleError if it is invalid."""
    return document_of(bundle, "golden.json", Golden)


def metrics_of(bundle: Bundle | Draft) -> Metrics:
    """metrics.json; BundleError when it is none."""
    return document_of(bundle, "metrics.json", Metrics)


def _members(found: Any) -> Any:
    """A model.json of format 1, which had one estimator, as one with members."""
    if not isinstance(found, dict) or "encoding" not in found:
        return found
    own = {field.name for field in msgspec.structs.fields(Member)}
    member = {key: value for key, value in found.items() if key in own}
    return {key: value for key, value in found.items() if key not in own} | {"members": [member]}
