"""evaluation.json made by hand, for the bundles made by hand: every part of it, with figures of a plausible shape."""

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.evaluation import (
    ClassLine,
    Distribution,
    Effect,
    EffectPoint,
    Evaluation,
    FieldProfile,
    Importance,
    IntervalLevel,
    Intervals,
    LearningPoint,
    LeftOut,
    Recalibration,
    Reliability,
    ReliabilityBin,
    ResidualBand,
    Residuals,
    Slice,
    Slices,
    ThresholdPoint,
)
from slipway.table.schema import Field, Schema

CLASSES = {"regression": (), "binary": ("N", "Y"), "multiclass": ("a", "b", "c")}
METRICS = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}


def evaluation(task: str, schema: Schema) -> Evaluation:
    """The evaluation of a bundle of this task."""
    classes = CLASSES[task]
    unit = 1_000.0 if task == "regression" else 0.1
    parts = {"regression": numbers, "binary": two_classes, "multiclass": several_classes}[task]()
    return Evaluation(
        metric=METRICS[task],
        confidence=0.9,
        rows=20,
        target=counted(classes) if classes else Distribution(counts=(40, 30, 20, 10), low=1_000.0, high=50_000.0),
        fields=tuple(profile(field) for field in schema),
        left_out=(LeftOut("id", "names the row"), LeftOut("note", "dropped in slipway.yaml")),
        importance=tuple(
            Importance(name, about(unit * weight, unit / 4))
            for name, weight in zip(schema.names, np.linspace(3, 0, len(schema.names)).tolist())
        ),
        effects=tuple(effect(field, classes[-1] if classes else "", unit) for field in schema),
        slices=slices(schema, task, unit),
        learning_curve=tuple(LearningPoint(rows, about(unit * (4 + 100 / rows), unit / 2)) for rows in (10, 20, 30, 45, 80)),
        learning="From 45 rows on, more rows gained nothing that can be told from chance.",
        **parts,
    )


def about(value: float, error: float) -> Estimate:
    return Estimate(value, value - error, value + error)


def counted(levels: tuple[str, ...]) -> Distribution:
    return Distribution(counts=tuple(range(60, 60 - len(levels), -1)), levels=levels, distinct=len(levels))


def profile(field: Field) -> FieldProfile:
    if field.type == "category":
        return FieldProfile(name=field.name, type=field.type, missing=field.missing, distribution=counted(field.levels))
    low, high = (0.0, 1.0) if field.minimum is None else (field.minimum, field.maximum)
    shape = Distribution(counts=(20, 50, 25, 5), low=low, high=high)
    return FieldProfile(name=field.name, type=field.type, missing=field.missing, distribution=shape)


def effect(field: Field, of: str, unit: float) -> Effect:
    values = field.levels or np.linspace(field.minimum or 0, field.maximum or 1, 9).tolist()
    points = [
        EffectPoint(at=value, mean=unit * (place + 2), low=unit * (place + 1), high=unit * (place + 4))
        for place, value in enumerate(values)
    ]
    return Effect(field=field.name, of=of, points=tuple(points))


def slices(schema: Schema, task: str, unit: float) -> Slices:
    worse = 1 if METRICS[task] != "roc_auc" else -1
    found = [
        Slice(
            field=name,
            part="the upper half",
            rows=40 - place,
            estimate=about(unit * (5 + worse * (2 - place)), unit),
            apart=not place,
        )
        for place, name in enumerate(schema.names)
    ]
    return Slices(metric=METRICS[task], whole=unit * 5, worst=tuple(found), examined=len(found))


def numbers() -> dict:
    predicted = [float(value) for value in range(2_000, 42_000, 2_000)]
    actual = [value + 1_500 * (-1) ** place for place, value in enumerate(predicted)]
    bands = [
        ResidualBand(low=low, high=low + 10_000.0, rows=5, q10=-1_500.0, median=0.0, q90=1_500.0)
        for low in (2_000.0, 12_000.0, 22_000.0, 32_000.0)
    ]
    widths = [
        IntervalLevel(level=level, below=(width, 2 * width), above=(width, 3 * width), coverage=about(level, 0.05))
        for level, width in ((0.8, 1_000.0), (0.9, 1_500.0), (0.95, 2_500.0))
    ]
    return {
        "residuals": Residuals(predicted=tuple(predicted), actual=tuple(actual), bands=tuple(bands)),
        "intervals": Intervals(edges=(20_000.0,), levels=tuple(widths), least=0.0),
    }


def two_classes() -> dict:
    bins = [ReliabilityBin(predicted=share, observed=about(share + 0.02, 0.05), rows=5) for share in (0.1, 0.4, 0.6, 0.9)]
    curve = [
        ThresholdPoint(
            threshold=share,
            precision=0.5 + share / 2,
            recall=1 - share**2,
            false_positive_rate=(1 - share) ** 2,
            accuracy=0.9 - (share - 0.5) ** 2,
            f1=0.8 - (share - 0.4) ** 2,
            cost=1 + (share - 0.5) ** 2,
        )
        for share in np.linspace(0.05, 0.95, 19).round(2).tolist()
    ]
    return {
        "reliability": Reliability(bins=tuple(bins), error=about(0.02, 0.01), chance=0.04),
        "recalibration": Recalibration(method="logit", before=0.48, after=0.45, gain=about(0.03, 0.01)),
        "threshold": 0.5,
        "curve": tuple(curve),
        **table(("N", "Y"), ((8, 2), (1, 9))),
    }


def several_classes() -> dict:
    bins = [ReliabilityBin(predicted=share, observed=about(share - 0.02, 0.05), rows=10) for share in (0.5, 0.8)]
    return {
        "reliability": Reliability(bins=tuple(bins), error=about(0.02, 0.01), chance=0.04),
        **table(("a", "b", "c"), ((6, 1, 0), (1, 5, 1), (0, 1, 5))),
    }


def table(labels: tuple[str, ...], confusion: tuple[tuple[int, ...], ...]) -> dict:
    lines = [
        ClassLine(label=label, rows=sum(row), precision=about(0.8, 0.1), recall=about(0.7, 0.1), f1=about(0.75, 0.1))
        for label, row in zip(labels, confusion)
    ]
    return {"classes": tuple(lines), "confusion": confusion}
