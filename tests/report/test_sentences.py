"""What figures and sentences of the report say."""

from dataclasses import replace

import msgspec
import pytest

from bundles import SCHEMA
from page import Page
from reports import documents
from slipway.model.contents import Estimate
from slipway.model.evaluation import IntervalLevel, Intervals, Residuals
from slipway.model.metrics import METRICS
from slipway.report.figures import effect_figures, target_figure
from slipway.report.fit import fit_figures
from slipway.report.meanings import GREATER
from slipway.report.numbers import settings
from slipway.report.page import sections, standalone
from slipway.report.summary import answers
from slipway.report.worries import worries


def with_slices(values, metric="rmse", whole=5_000.0):
    """The documents with a part for each of these values of the metric, all of them apart."""
    of = documents("regression")
    found = of.evaluation.slices
    parts = [
        msgspec.structs.replace(found.worst[0], part=f"part {place}", estimate=Estimate(value, value, value), apart=True)
        for place, value in enumerate(values)
    ]
    slices = msgspec.structs.replace(found, metric=metric, whole=whole, worst=tuple(parts), examined=9)
    return replace(of, evaluation=msgspec.structs.replace(of.evaluation, slices=slices))


@pytest.mark.parametrize(
    "values, metric, whole, says, hidden",
    [
        ((7e3, 6e3, 4e3), "rmse", 5e3, "2 of 9 parts are worse by more than chance", "age: part 2"),
        ((0.6, 0.9), "roc_auc", 0.8, "1 of 9 parts is worse by more than chance", "age: part 1"),
        ((4e3, 3e3), "rmse", 5e3, "", "Where it is worse"),
    ],
)
def test_only_worse_parts_are_listed(values, metric, whole, says, hidden):
    of = with_slices(values, metric, whole)
    text = " ".join(Page(standalone(of).decode()).one("main")[1].split())
    assert says in text and hidden not in text
    assert ("It is clearly worse for some rows" in text) == bool(says)


@pytest.mark.parametrize(
    "metric, wrong, rows, says",
    [
        ("rmse", 30.0, 250, "10 of 250 rows make up 97\N{NO-BREAK SPACE}% of the squared error. Look at these rows first."),
        (
            "rmse",
            30.0,
            9_000,
            "10 of 250 rows in a sample make up 97\N{NO-BREAK SPACE}% of the squared error. Look at these rows first.",
        ),
        ("rmse", 2.0, 250, ""),
        ("mae", 30.0, 250, ""),
    ],
)
def test_a_few_rows_that_decide_the_metric_worry(metric, wrong, rows, says):
    of = documents("regression")
    residuals = Residuals(predicted=(0.0,) * 250, actual=(wrong,) * 10 + (1.0,) * 240, bands=of.evaluation.residuals.bands)
    evaluation = msgspec.structs.replace(of.evaluation, metric=metric, rows=rows, residuals=residuals)
    told = {worry.title: worry.text for worry in worries(replace(of, evaluation=evaluation))}
    assert told.get("A few rows decide the metric", "") == says


def test_which_metrics_grow_with_quality():
    assert GREATER == {name for name, metric in METRICS.items() if metric.greater_is_better}


@pytest.mark.parametrize(
    "ends, says",
    [
        (
            (1_863.0, 67_611.0),
            "from 1,863 to 67,611. The first and the last column also count what lies beyond 1,000 and 50,000.",
        ),
        ((1_000.0, 50_000.0), "from 1,000 to 50,000."),
        ((None, None), "from 1,000 to 50,000."),
    ],
)
def test_the_range_of_the_target_is_that_of_its_rows(ends, says):
    of = documents("regression")
    target = msgspec.structs.replace(of.evaluation.target, least=ends[0], most=ends[1])
    figure = target_figure(target, "charges")
    assert figure.sentence == f"100 rows, {says}"


def test_bands_and_whiskers_are_explained():
    of = documents("regression")
    keys = {one.title: {text for _, text in one.key} for each in sections(of) for one in each.figures}
    interval = "90\N{NO-BREAK SPACE}% interval"
    assert keys["age"] == {"mean of all rows", "80\N{NO-BREAK SPACE}% of the rows"}
    assert keys["smoker"] == {"80\N{NO-BREAK SPACE}% of the rows"}
    assert keys["Which fields matter most"] == keys["Would more rows help?"] == {interval}
    assert keys["Where it is worse"] == {f"{interval}, for all parts at once"}
    assert keys["Errors by size of the answer"] == {"median", "80\N{NO-BREAK SPACE}% of the errors"}
    assert interval in {text for each in fit_figures(documents()) for _, text in each.key}


def test_an_effect_names_its_ends_in_no_order():
    sentences = {one.title: one.sentence for one in effect_figures(documents("regression").evaluation, SCHEMA, "charges")}
    assert sentences["smoker"] == "Lowest at no (2,000), highest at yes (3,000), all other fields unchanged."


def test_the_first_screen_is_in_plain_words():
    numbers = " ".join(answers(changed_metrics(documents("regression"), mae=(4_000.0, 8_585.0))))
    assert "A constant answer would be off by 8,585 on average." in numbers
    ranked = " ".join(answers(documents()))
    assert "Given one Y row and one other row, it ranks the Y one higher 80.0\N{NO-BREAK SPACE}% of the time" in ranked


def changed_metrics(of, **found):
    """The documents with further metrics: value and baseline."""
    held = of.metrics.holdout
    metrics = held.metrics | {name: Estimate(value, value, value) for name, (value, _) in found.items()}
    baseline = held.baseline | {name: dummy for name, (_, dummy) in found.items()}
    held = msgspec.structs.replace(held, metrics=metrics, baseline=baseline)
    return replace(of, metrics=msgspec.structs.replace(of.metrics, holdout=held))


@pytest.mark.parametrize(
    "above, says",
    [
        (3_300.0, "the actual value is within ±3,300 in 90\N{NO-BREAK SPACE}% of cases."),
        (4_000.0, "the actual value is between 3,300 below and 4,000 above in 90\N{NO-BREAK SPACE}% of cases."),
    ],
)
def test_an_interval_of_equal_sides_is_said_once(above, says):
    of = documents("regression")
    level = IntervalLevel(level=0.9, below=(3_300.0,), above=(above,), coverage=Estimate(0.9, 0.8, 0.95))
    evaluation = msgspec.structs.replace(of.evaluation, intervals=Intervals(edges=(), levels=(level,)))
    assert f"For a medium-sized answer, {says}" in answers(replace(of, evaluation=evaluation))


def test_settings_are_told_in_words():
    assert settings({"native_levels": True, "max_iter": 9}) == "max iter 9, categories as sets: yes"
