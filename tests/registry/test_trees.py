"""One row walked down the trees gives what XGBoost gives, to the last bit."""

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ArtifactRefused
from registry.trees import Trees

WIDTH = 6


def taught(rows, label, **parameters):
    given = {"objective": "binary:logistic", "nthread": 1, **parameters}
    booster = xgb.train(given, xgb.DMatrix(rows, label=label), parameters.pop("rounds", 25))
    return xgb.Booster(model_file=bytearray(booster.save_raw("ubj")))


def rows_of(seed, count):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, WIDTH))
    rows[random.random(rows.shape) < 0.15] = np.nan
    return rows


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    depth=st.integers(1, 6),
    eta=st.floats(0.01, 1.0),
    base=st.none() | st.floats(0.01, 0.99),
    parallel=st.sampled_from([1, 1, 3]),
)
def test_a_row_alone_is_scored_as_xgboost_scores_it(seed, depth, eta, base, parallel):
    rows = rows_of(seed, 300)
    chosen = {} if base is None else {"base_score": base}
    label = np.nan_to_num(rows[:, 0]) + rows_of(seed + 1, 300)[:, 1] > 0
    booster = taught(
        rows, label, max_depth=depth, eta=eta, num_parallel_tree=parallel, seed=seed, **chosen
    )
    asked = np.vstack([rows_of(seed + 2, 60), rows[:20], np.full((1, WIDTH), np.nan)])
    # A threshold is a value of a row, and so is asked about as well.
    expected = booster.inplace_predict(asked.astype(np.float32), predict_type="margin")

    trees = Trees(booster)

    assert [trees.margin(row) for row in asked] == expected.tolist()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"objective": "reg:squarederror"}, "gbtree with reg:squarederror"),
        ({"booster": "gblinear"}, "gblinear with binary:logistic"),
        ({"booster": "dart"}, "dart with binary:logistic"),
    ],
)
def test_what_is_not_trees_for_a_yes_or_no_is_refused(parameters, told):
    rows = np.nan_to_num(rows_of(0, 100))

    with pytest.raises(ArtifactRefused, match=told):
        Trees(taught(rows, rows[:, 0] > 0, **parameters))


def test_a_split_by_categories_is_refused():
    codes = np.random.default_rng(0).integers(0, 4, size=(200, 1)).astype(float)
    matrix = xgb.DMatrix(codes, label=codes[:, 0] % 2, feature_types=["c"], enable_categorical=True)
    booster = xgb.train({"objective": "binary:logistic", "max_cat_to_onehot": 1}, matrix, 2)

    with pytest.raises(ArtifactRefused, match="categories"):
        Trees(booster)
