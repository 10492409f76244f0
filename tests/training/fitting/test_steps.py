"""Fitted steps of scikit-learn as an encoding: the same matrix, for rows that were not fitted too."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.compose import make_column_selector as chosen
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from slipway.errors import TableError
from slipway.table.schema import MISSING, UNSEEN, Field, Schema
from slipway.training.fitting.pipelines import frame_of, require_same
from slipway.training.fitting.steps import STEPS, encoding_of

SCHEMA = Schema(
    (
        Field("age", "integer"),
        Field("bmi", "number"),
        Field("smoker", "category", levels=("no", "yes")),
        Field("region", "category", levels=("east", "north", "south")),
        Field("doors", "category", levels=("2", "4", "10")),
    )
)
NUMBERS, TEXTS = ["age", "bmi"], ["smoker", "region"]
UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
FILLED = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False))


def table(rows=80, seed=0, unseen=False):
    random = np.random.default_rng(seed)
    columns = {
        "age": random.integers(18, 65, rows).astype(float),
        "bmi": random.normal(30, 6, rows),
        "smoker": random.integers(0, 2, rows),
        "region": random.integers(0, 3, rows),
        "doors": random.integers(0, 3, rows),
    }
    columns["bmi"][::7] = np.nan
    columns["region"][3::9] = UNSEEN if unseen else MISSING
    columns["smoker"][5::11] = MISSING
    return columns


@pytest.mark.parametrize(
    "step",
    [
        make_column_transformer((make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS)),
        make_column_transformer((make_pipeline(MinMaxScaler(), SimpleImputer()), NUMBERS)),
        make_column_transformer((make_pipeline(StandardScaler(), RobustScaler(), MaxAbsScaler()), NUMBERS)),
        make_column_transformer((StandardScaler(with_mean=False), ["bmi"]), (RobustScaler(with_scaling=False), ["age"])),
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXTS), ("passthrough", NUMBERS)),
        make_column_transformer((OneHotEncoder(drop="first"), TEXTS), remainder="drop"),
        make_column_transformer((OneHotEncoder(drop="if_binary"), ["smoker", "doors"])),
        make_column_transformer((FILLED, TEXTS), ("drop", ["doors"])),
        make_column_transformer((make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder()), TEXTS)),
        make_column_transformer((OrdinalEncoder(**UNKNOWN), ["smoker", "region", "doors"]), remainder="passthrough"),
        make_column_transformer((OrdinalEncoder(**UNKNOWN, encoded_missing_value=-2), TEXTS)),
        make_column_transformer((OrdinalEncoder(**UNKNOWN, categories=[["south", "north", "east", np.nan]]), ["region"])),
        make_column_transformer((TargetEncoder(), TEXTS), (TargetEncoder(smooth=5.0), ["doors"])),
        make_pipeline(make_column_transformer((OrdinalEncoder(**UNKNOWN), TEXTS)), SimpleImputer(), StandardScaler()),
        make_pipeline(make_column_transformer((SimpleImputer(), NUMBERS), (FILLED, TEXTS)), SelectKBest(f_regression, k=4)),
        make_column_transformer((FILLED, chosen(dtype_exclude="number")), (SimpleImputer(), chosen(pattern="age|bmi"))),
        make_column_transformer((FILLED, [2, 3]), (SimpleImputer(), slice(0, 2)), (OneHotEncoder(), [False] * 4 + [True])),
        ColumnTransformer(
            [("one", SimpleImputer(), ["bmi"]), ("two", "passthrough", ["age"])], verbose_feature_names_out=False
        ),
        make_column_transformer((FeatureUnion([("filled", SimpleImputer()), ("missing", MissingIndicator())]), NUMBERS)),
        make_column_transformer((MissingIndicator(features="all"), [*NUMBERS, *TEXTS])),
    ],
)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_the_encoding_is_what_the_steps_make(step):
    y = np.random.default_rng(1).normal(size=80)
    fitted = step.fit(frame_of(SCHEMA, table()), y)
    encoding = encoding_of([fitted], SCHEMA)
    assert encoding.unfit is None
    require_same([fitted], encoding, SCHEMA, table())
    made, others = str(step), table(seed=2, unseen="OneHotEncoder()" not in str(step) and "MissingIndicator" not in str(step))
    if "first" in made or "if_binary" in made:
        others = table(seed=2)
    frame = frame_of(SCHEMA, others)
    frame.loc[others["region"] == UNSEEN, "region"] = "mars"
    expected = fitted.transform(frame)
    expected = np.asarray(expected.toarray() if hasattr(expected, "toarray") else expected, dtype=float)
    np.testing.assert_allclose(encoding.encode(others), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "step, says",
    [
        (
            make_pipeline(make_column_transformer((SimpleImputer(), NUMBERS)), PCA(1)),
            "the step PCA cannot be exported.*models.md",
        ),
        (
            make_column_transformer((FunctionTransformer(np.log1p), ["age"])),
            "FunctionTransformer cannot be exported.*features:",
        ),
        (make_column_transformer((SimpleImputer(add_indicator=True), NUMBERS)), "add_indicator.*MissingIndicator"),
        (make_column_transformer((MinMaxScaler(clip=True), NUMBERS)), r"MinMaxScaler\(clip=True\)"),
        (make_column_transformer((OneHotEncoder(min_frequency=40), TEXTS)), "infrequent categories"),
        (make_column_transformer((OrdinalEncoder(), TEXTS)), 'not seen.*handle_unknown="use_encoded_value"'),
        (make_column_transformer((OneHotEncoder(), ["age"])), "'age' as levels.*types: {age: category}"),
        (make_column_transformer((StandardScaler(), ["doors"])), "'doors', which is text.*types"),
        (make_column_transformer((SimpleImputer(strategy="most_frequent"), TEXTS)), "'smoker' reaches the estimator as text"),
    ],
)
def test_what_cannot_be_exported_is_named(step, says):
    with pytest.raises(TableError, match=says):
        encoding_of([step.fit(frame_of(SCHEMA, table()), np.arange(80.0))], SCHEMA)


def test_a_target_encoder_of_several_classes_is_named():
    step = make_column_transformer((TargetEncoder(), TEXTS)).fit(frame_of(SCHEMA, table()), np.arange(80) % 3)
    with pytest.raises(TableError, match="more than two classes.*target_type"):
        encoding_of([step], SCHEMA)


def test_a_column_that_the_table_lacks_is_named():
    fitted = make_column_transformer((SimpleImputer(), NUMBERS)).fit(frame_of(SCHEMA, table()))
    with pytest.raises(TableError, match="reads the column 'bmi', which the table does not have"):
        encoding_of([fitted], Schema((Field("age", "integer"),)))


def test_an_encoding_that_differs_is_refused():
    fitted = make_column_transformer((SimpleImputer(), NUMBERS)).fit(frame_of(SCHEMA, table()))
    other = make_column_transformer((SimpleImputer(strategy="median"), NUMBERS)).fit(frame_of(SCHEMA, table()))
    with pytest.raises(TableError, match="ColumnTransformer cannot be exported exactly"):
        require_same([fitted], encoding_of([other], SCHEMA), SCHEMA, table())


def test_cells_are_as_pandas_reads_them_from_a_file():
    flags = Schema((*SCHEMA, Field("owner", "category", levels=("False", "True"))))
    frame = frame_of(flags, table() | {"owner": np.arange(80) % 2})
    assert frame["doors"].dtype.kind == "i" and set(frame["doors"]) == {2, 4, 10}
    assert frame["owner"].dtype == bool and frame["smoker"].isna().any()


def test_the_documentation_lists_all_steps():
    told = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    others = {"SelectorMixin", "FunctionTransformer", "TransformerWrapper"}
    assert [name for name in STEPS.keys() - others if f"`{name}`" not in told] == []
