import pytest

from bundles import files
from slipway.model.contents import Start, model_of
from slipway.model.typed_document import Draft
from slipway.training.comparison.start import with_start
from slipway.training.fitting.candidates import Trial, trials
from tables import charges, problem

GRID = trials(["linear", "boosting"], 4, "regression", 0, log_target=False)
LINEAR = {"penalty": 3.25}
BOOSTING = {"learning_rate": 0.03, "max_leaf_nodes": 15}


@pytest.fixture
def asked(tmp_path):
    return problem(tmp_path, charges(40), "charges")


def champion(*members: tuple[str, dict], start: tuple[Start, ...] = (), **more):
    """A champion whose members have these settings."""
    model = model_of(Draft(files("regression")))
    (first,) = model.members
    made = [
        type(first)(
            candidate=name,
            settings=settings,
            input=first.input,
            link=first.link,
            base=first.base,
            encoding=first.encoding,
            weight=1 / len(members),
        )
        for name, settings in members
    ]
    fields = {name: getattr(model, name) for name in model.__struct_fields__}
    return type(model)(**fields | {"members": tuple(made), "start": start} | more)


def started(asked, model, log_target=False):
    return with_start(GRID, model, asked, "regression", log_target)


def test_settings_that_would_not_be_tried_are_tried_and_named(asked):
    found, start = started(asked, champion(("linear", LINEAR), ("boosting", BOOSTING)))
    assert found == [*GRID, Trial("linear", LINEAR), Trial("boosting", BOOSTING)]
    assert start == (Start("linear", LINEAR), Start("boosting", BOOSTING))


def test_without_a_champion_and_with_one_of_known_settings_nothing_is_named(asked):
    known = (GRID[0].candidate, GRID[0].described())
    assert started(asked, None) == started(asked, champion(known)) == (GRID, ())


def test_what_the_search_makes_of_a_trial_is_known(asked):
    """It learns in smaller steps in the end, and chooses how many."""
    boosting = next(trial for trial in GRID if trial.candidate == "boosting")
    finalist = boosting.refined(70).settled(137)
    assert finalist not in GRID and started(asked, champion((finalist.candidate, finalist.described()))) == (GRID, ())
    found, start = started(asked, champion(("boosting", BOOSTING | {"max_iter": 137})))
    assert found[-1] == Trial("boosting", BOOSTING) and start == (Start("boosting", BOOSTING),)


def test_a_champion_of_known_settings_passes_on_what_it_started_from(asked):
    """A training that is repeated starts from the same, whether its start won or not."""
    known, before = (GRID[0].candidate, GRID[0].described()), (Start("linear", LINEAR),)
    assert started(asked, champion(known, start=before)) == started(asked, champion(("linear", LINEAR), start=before))


def test_the_logarithm_of_the_target_is_a_setting(asked):
    model = champion(("linear", LINEAR | {"target": "log(1 + y)"}))
    found, start = started(asked, model, log_target=True)
    assert found[-1] == Trial("linear", LINEAR, log_target=True) and start[0].settings["target"] == "log(1 + y)"
    assert started(asked, model) == (GRID, ())


@pytest.mark.parametrize(
    "model",
    [
        champion(("forest", {"max_features": 0.123})),
        champion(("stacking", {"depth": 2})),
        champion(("linear", {"alpha": 3.25})),
        champion(("linear", LINEAR), target="premium"),
    ],
    ids=["not a candidate here", "of another version", "a setting of another version", "another target"],
)
def test_what_is_of_no_use_here_is_left_out(asked, model):
    assert started(asked, model) == (GRID, ())
