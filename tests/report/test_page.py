"""The report by itself: what it says, that nothing in it can run or load, and that it stays small."""

import re
from dataclasses import replace

import msgspec
import pytest

from bundles import SCHEMA
from page import Page
from reports import documents
from slipway.model.contents import Counts, Estimate, Ranked, Start
from slipway.model.evaluation import Importance
from slipway.model.meeting import Harm, Meeting
from slipway.report.documents import Documents, Verdict, joined, verdict_of
from slipway.report.markdown import card
from slipway.report.numbers import aligned
from slipway.report.page import EARLIER, standalone
from slipway.report.summary import advice
from slipway.report.worries import worries
from slipway.table.schema import Field, Schema

EVIL = "</style></title><script>alert(1)</script><img src=//x.example/a onerror=alert(1)>\"'\u202e"
TASKS = ("regression", "binary", "multiclass")


def read(of: Documents) -> str:
    return standalone(of).decode()


@pytest.mark.parametrize("task", TASKS)
def test_it_says_what_the_model_is_for_how_good_it_is_and_what_to_do(task):
    page = Page(read(documents(task)))
    question = {
        "regression": "Predicting charges from 4 fields",
        "binary": "Predicting approved from 4 fields",
        "multiclass": "Predicting grade from 4 fields",
    }
    assert page.one("h1")[1] == question[task]
    text = " ".join(page.one("main")[1].split())
    for part in (
        "0.8000",
        "interval 0.7000 to 0.9000",
        "Fitted to 100 rows. The figures come from 20 rows that were held out.",
        "Few rows were held out",
    ):
        assert part in text
    assert page.one("p", class_="value")[1] == "0.8000"


def test_the_purpose_of_slipway_yaml_is_the_question():
    assert Page(read(replace(documents(), purpose="Whom to grant a loan?"))).one("h1")[1] == "Whom to grant a loan?"


@pytest.mark.parametrize("task", TASKS)
def test_every_part_of_the_evaluation_is_shown(task):
    page = Page(read(documents(task)))
    titles = {text.strip() for _, text in page.all("h2") + page.all("figcaption")}
    common = {
        "Where it is worse",
        "Which fields matter most",
        "Would more rows help?",
        "The data",
        "What was compared",
    }
    own = {
        "regression": {"Actual against predicted", "Errors by size of the answer", "Prediction intervals"},
        "binary": {"Right and wrong labels", "What a threshold costs", "ROC curve", "Precision and recall"},
        "multiclass": {"Right and wrong labels", "Each label by itself", "Do the probabilities come true?"},
    }
    assert common | own[task] | {"age", "bmi", "smoker"} <= titles and "joined" not in titles, "it has no influence"
    for one in documents(task).evaluation.left_out:
        assert one.column in page.one("main")[1] and one.reason in page.one("main")[1]
    assert "slipway train --data 000000000000" in page.one("pre")[1]


def test_a_bundle_of_format_1_has_a_report_too():
    page = Page(read(replace(documents(), evaluation=None)))
    assert page.one("h1")[1] == "Predicting approved from 4 fields"
    assert not page.all("svg", class_="chart")


@pytest.mark.parametrize("task", TASKS)
def test_nothing_runs_and_nothing_comes_from_elsewhere(task):
    text = read(documents(task))
    page = Page(text)
    assert not {tag for tag, _, _ in page.elements} & {
        "script",
        "img",
        "link",
        "iframe",
        "image",
        "object",
        "use",
        "foreignObject",
    }
    names = {name for _, attributes, _ in page.elements for name in attributes}
    assert not names & {"style", "src", "href", "xlink:href"} and not any(name.startswith("on") for name in names)
    assert not re.search(r"https?:|url\(|@import|data:", text)


def test_names_from_the_data_are_only_text():
    schema = Schema((Field(EVIL, "category", levels=(EVIL, "no"), example="no"), *SCHEMA.fields))
    of = documents(schema=schema)
    model = msgspec.structs.replace(of.model, target=EVIL, classes=("N", EVIL))
    metrics = msgspec.structs.replace(
        of.metrics, notes=(EVIL,), leaderboard=(Ranked(EVIL, {EVIL: EVIL}, 1.0, 1.0, False, EVIL),)
    )
    text = read(replace(of, problem=EVIL, purpose=EVIL, model=model, metrics=metrics, verdict=Verdict(EVIL, (EVIL,), EVIL)))
    page = Page(text)
    assert not page.all("script") and not page.all("img")
    assert "\u202e" not in page.one("main")[1], "a sign that turns the direction is written out"


def test_a_wide_table_gives_a_small_page():
    fields = tuple(Field(f"sensor_{place:03}", "number", minimum=0, maximum=9, missing=0.1, example=1) for place in range(170))
    assert len(standalone(documents(schema=Schema(fields)))) < 1_000_000


def test_the_same_documents_give_the_same_bytes():
    assert standalone(documents()) == standalone(documents())


def met(rival="champion", gain=57.0, low=12.0, high=101.0, chance=0.01):
    figures = {"metric": "rmse", "rival": rival, "rows": 250, "challenger": 4240.0, "against": 4297.0, "confidence": 0.9}
    return Meeting(**figures, gain=gain, low=low, high=high, chance=chance, allowed=0.05, yearly=None, look=1)


@pytest.mark.parametrize(
    "verdict, served, says",
    [
        (Verdict(), False, "decide whether answers this good serve the purpose"),
        (Verdict("promoted"), False, "hen commit artifacts/ and push: this model replaces what runs now"),
        (Verdict("promoted", at="2026-11-21T23:00:00Z"), True, "This model runs now"),
        (
            Verdict("kept", ("the gain is too small",), against="12" * 32),
            False,
            "Keep what runs now. To serve this model all the same: slipway promote",
        ),
        (Verdict("kept", figures=met("baseline")), False, "Improve it: add rows or fields, and train again."),
        (Verdict("kept", ("only 9 rows are held out",)), False, "Add rows, and train again. To serve this model"),
        (Verdict("kept", ("it is the champion",), against="abcdef" * 10), False, "This model runs now."),
        (
            Verdict("kept", ("x: put it in drop",), figures=met("baseline"), doubted=True),
            False,
            "Do what the first reason says",
        ),
    ],
)
def test_the_advice_follows_the_verdict(verdict, served, says):
    text = Page(read(documents(digest="abcdef" * 10, verdict=verdict, served=served))).one("main")[1]
    assert says in " ".join(text.split())
    assert all(reason in text for reason in verdict.reasons) and (not verdict.at or "2026-11-21" in text)


@pytest.mark.parametrize("found, says", [(1, "Read the point under"), (3, "Read the 3 points under")])
def test_the_advice_counts_the_worries(found, says):
    assert says in advice(documents(verdict=Verdict("promoted")), found)


def test_a_verdict_that_people_wrote_otherwise_is_left_out():
    known = {"outcome": "promoted", "reasons": ["better"], "at": "2026-11-21", "changes": {"golden": None}}
    assert verdict_of(known) == Verdict("promoted", ("better",), "2026-11-21")
    assert verdict_of({"outcome": 7}) == verdict_of({}) == Verdict()


def changed(of, **figures):
    """The documents with other figures of the deciding metric: value, low, high, baseline, rows."""
    held, metric = of.metrics.holdout, of.metrics.metric
    one = held.metrics[metric]
    estimate = Estimate(*(figures.get(name, getattr(one, name)) for name in ("value", "low", "high")))
    held = msgspec.structs.replace(
        held, rows=figures.get("rows", held.rows), metrics={metric: estimate}, baseline={metric: figures.get("baseline", 0.5)}
    )
    return replace(of, metrics=msgspec.structs.replace(of.metrics, holdout=held))


@pytest.mark.parametrize(
    "figures, title",
    [
        ({"low": 0.45}, "It may be no better than guessing"),
        ({"low": 0.6, "high": 0.95}, "How good it is remains uncertain"),
        ({"value": 0.999, "low": 0.998, "high": 1.0}, "It is suspiciously good"),
        ({"rows": 199}, "Few rows were held out"),
    ],
)
def test_figures_that_should_worry(figures, title):
    calm = changed(documents(), low=0.79, high=0.81, rows=2_000)
    assert title not in [worry.title for worry in worries(calm)]
    assert title in [worry.title for worry in worries(changed(calm, **figures))]


def test_a_worse_part_worries_and_a_better_one_does_not():
    of = documents("regression")
    found = of.evaluation.slices
    assert "It is clearly worse for some rows" in [worry.title for worry in worries(of)]
    turned = [msgspec.structs.replace(one, apart=one.estimate.value < found.whole) for one in found.worst]
    slices = msgspec.structs.replace(found, worst=tuple(turned))
    better = replace(of, evaluation=msgspec.structs.replace(of.evaluation, slices=slices))
    assert "It is clearly worse for some rows" not in [worry.title for worry in worries(better)]


def test_the_leaderboard_says_what_left_early_and_that_its_mean_cannot_be_compared():
    of = documents()
    nothing = Ranked("baseline", {}, 4_900.0, 310.0, False, "ignores all features")
    early = Ranked("boosting", {"max_iter": 9}, 3_012.0, 84.0, False, "left after round 1 of 3")
    board = of.metrics.leaderboard
    for entries, title, warned in (
        ((*board, nothing, early), "All 2 settings and the baseline", True),
        ((*board, nothing), "All 1 setting and the baseline", False),
    ):
        page = Page(read(replace(of, metrics=msgspec.structs.replace(of.metrics, leaderboard=entries))))
        text = page.one("main")[1]
        assert title in [heading for _, heading in page.all("summary")]
        assert (EARLIER in text) == ("left after round 1 of 3" in text) == warned


@pytest.mark.parametrize("task", TASKS)
def test_on_a_phone_every_cell_of_a_wide_table_is_told_by_its_heading(task):
    text = read(documents(task))
    tables = re.findall(r'<table class="table stacked">.*?</table>', text, re.DOTALL)
    assert len(tables) >= 3
    for one in tables:
        heads = list(re.findall(r'<th scope="col"[^>]*>([^<]*)<', one))[1:]
        cells = re.findall(r"<td[^>]*>", one)
        assert [re.search('data-head="([^"]*)"', cell)[1] for cell in cells] == heads * (len(cells) // len(heads))


@pytest.mark.parametrize(
    "training, twin, candidate, says",
    [
        (
            1338,
            1088,
            "linear",
            "Fitted to 1,338 rows. The figures come from a second model with the same settings, fitted to "
            "1,088 rows and tested on the other 250.",
        ),
        (1088, 1088, "linear", "Fitted to 1,088 rows and tested on the other 250."),
        (1088, 0, "linear", "Fitted to 1,088 rows. The figures come from 250 rows that were held out."),
        (1088, 1088, "imported", "It was fitted elsewhere. The figures come from 250 rows that were held out here."),
    ],
)
def test_it_says_which_rows_the_figures_come_from(training, twin, candidate, says):
    of = documents()
    member = msgspec.structs.replace(of.model.members[0], candidate=candidate)
    model = msgspec.structs.replace(of.model, rows=Counts(training, 250, 0, twin), members=(member,))
    of = replace(of, model=model)
    assert says in Page(read(of)).one("p", class_="lead")[1] and f"- {says}" in card(of).decode()


@pytest.mark.parametrize(
    "task, by, told", [("regression", 1.05, False), ("regression", 1.2, True), ("binary", 1.05, False), ("binary", 1.2, True)]
)
def test_a_part_that_is_hardly_worse_does_not_worry(task, by, told):
    of = documents(task)
    whole = of.evaluation.slices.whole
    value = whole * by if task == "regression" else 1 - (1 - whole) * by
    part = msgspec.structs.replace(of.evaluation.slices.worst[0], estimate=Estimate(value, value, value), apart=True)
    slices = msgspec.structs.replace(of.evaluation.slices, worst=(part,))
    found = worries(replace(of, evaluation=msgspec.structs.replace(of.evaluation, slices=slices)))
    assert ("It is clearly worse for some rows" in [worry.title for worry in found]) == told


@pytest.mark.parametrize("low, told", [(0.01, True), (-0.01, False)])
def test_one_field_decides_only_where_it_is_needed_beyond_chance(low, told):
    of = documents()
    ranked = (Importance("age", Estimate(0.1, low, 0.2)), Importance("bmi", Estimate(0.001, -0.01, 0.01)))
    found = worries(replace(of, evaluation=msgspec.structs.replace(of.evaluation, importance=ranked)))
    assert ("One field, age, decides nearly everything" in [worry.title for worry in found]) == told


def test_probabilities_that_are_off_by_more_than_chance_worry():
    of = documents()
    assert "Probabilities are poorly calibrated" not in [worry.title for worry in worries(of)]
    found = of.evaluation.reliability
    wrong = msgspec.structs.replace(found, error=Estimate(0.09, 0.04, 0.14), chance=0.05)
    off = replace(of, evaluation=msgspec.structs.replace(of.evaluation, reliability=wrong))
    assert "They are off by 9 points on average. Use them to rank, not to count." in [worry.text for worry in worries(off)]


def test_without_costs_it_is_the_default_threshold_that_is_shown():
    of = documents("binary")
    free = tuple(msgspec.structs.replace(point, cost=None) for point in of.evaluation.curve)
    text = read(replace(of, evaluation=msgspec.structs.replace(of.evaluation, curve=free)))
    assert "This is the default: set costs in slipway.yaml" in text and "default threshold" in text
    assert "chosen threshold" not in text and "This is the default" not in read(of)


def test_it_says_when_a_champion_is_needed_to_repeat_it():
    of = documents()
    started = replace(of, model=msgspec.structs.replace(of.model, start=(Start("linear", {}),)))
    assert "It was also started from settings of the champion" in read(started) and "also started" not in read(of)
    assert b"with this bundle or its champion as the champion" in card(started)


def test_the_notes_of_the_training_are_among_the_worries():
    of = documents()
    noted = replace(of, metrics=msgspec.structs.replace(of.metrics, notes=("464 of 480 held-out rows have a twin",)))
    assert worries(noted)[-1].text == "464 of 480 held-out rows have a twin."


def test_a_note_keeps_the_names_of_columns_as_they_are():
    of = documents()
    notes = ("age nearly tells the target by itself.", "only 11 rows are held out")
    noted = replace(of, metrics=msgspec.structs.replace(of.metrics, notes=notes))
    assert [worry.text for worry in worries(noted)[-2:]] == [
        "age nearly tells the target by itself.",
        "Only 11 rows are held out.",
    ]


HARM = Harm(name="a = b", rows=200, challenger=2.0, champion=1.0, low=0.5, high=1.5, chance=0.001, refused=True)


@pytest.mark.parametrize(
    "figures, says",
    [
        (
            met(),
            "RMSE 4,240 on 250 rows, the champion 4,297 on the same: a gain of 57.0 (90 % interval 12.0 to 101.0). ",
        ),
        (met(chance=0.051), "It may be chance"),
        (met(low=-9.0, chance=0.05), "The gain is statistically significant."),
        (met(gain=-57.0, low=-101.0, high=-12.0), "It is not better"),
        (met("baseline"), "a baseline that ignores all fields 4,297"),
        (msgspec.structs.replace(met(), harms=(HARM,)), "But it does harm on a part of the rows: see the reasons."),
    ],
)
def test_it_says_by_how_much_it_is_better_than_what_ran_before(figures, says):
    page = Page(read(documents("regression", verdict=Verdict("promoted", figures=figures))))
    assert says in " ".join(page.one("main")[1].replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_model_far_better_than_the_baseline_keeps_its_digits():
    tiny = {"rival": "baseline", "gain": 1.8634, "low": 1.79, "high": 1.93, "metric": "rmse"}
    verdict = Verdict("promoted", figures=msgspec.structs.replace(met(), challenger=0.004579, against=1.868, **tiny))
    of = changed(documents("regression", verdict=verdict), value=0.004579, low=0.0041, high=0.0051, baseline=1.868)
    text = Page(read(of)).one("main")[1]
    assert "0.004579 (0.004100 to 0.005100)" in text and "RMSE 0.004579 on 250 rows" in text and "0.005" not in text.split()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([12.5, 0.01], ["12.50", "0.01"]),
        ([0.00012, 0.0001], ["0.000120", "0.000100"]),
        ([0.00002092, 0.00001], ["2.092e−05", "1e−05"]),
    ],
)
def test_numbers_that_are_read_together(values, shown):
    assert aligned(values) == shown


def test_figures_that_a_leak_made_are_not_called_better():
    verdict = Verdict("kept", ("x tells the target",), figures=met("baseline"), doubted=True)
    text = Page(read(documents("regression", verdict=verdict))).one("main")[1]
    assert "these figures cannot be trusted" in text and "significant" not in text


def test_the_champions_before_are_told_from_the_newest_on():
    said = [{"digest": name, "outcome": outcome} for name, outcome in (("a", "promoted"), ("b", "kept"), ("c", "promoted"))]
    of = joined(documents(), "d", {"outcome": "promoted"}, [*said, {"digest": "d", "outcome": "promoted"}])
    assert [each.digest for each in of.history] == ["c", "a"] and of.verdict.outcome == "promoted"
