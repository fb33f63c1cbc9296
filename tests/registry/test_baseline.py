"""The plain rival is a logistic regression, and its trees say exactly what it says."""

import numpy as np
import pytest
import xgboost as xgb
from sklearn.linear_model import LogisticRegression

from registry import baseline, served

RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def rows():
    """Give 3,000 rows of a smooth, a constant, a yes-or-no, a coarse and a heavy-tailed feature."""
    columns = RANDOM.standard_normal((3000, 5))
    columns[:, 1] = 1.5
    columns[:, 2] = columns[:, 2] > 0
    columns[:, 3] = np.round(columns[:, 3])
    columns[:, 4] = RANDOM.standard_cauchy(3000)
    return columns.astype(np.float32)


@pytest.fixture(scope="module")
def outcomes(rows):
    risk = np.abs(rows[:, 0]) + rows[:, 2] + RANDOM.standard_normal(3000)
    return (risk > 1.3).astype("int8")


@pytest.fixture(scope="module")
def steps(rows, outcomes):
    return baseline.fit(rows, outcomes, None, edges=baseline.cut(rows), strength=0.1)


def served_margins(steps, taught, rows):
    booster = served.read_booster(bytes(baseline.to_booster(steps, taught).save_raw("ubj")))
    return booster.inplace_predict(rows, predict_type="margin", validate_features=False)


def test_the_served_trees_say_what_the_regression_says(rows, steps):
    assert served_margins(steps, rows, rows) == pytest.approx(steps.margins(rows), abs=1e-5)


def test_a_row_alone_scores_as_it_does_among_others(rows, steps):
    # XGBoost goes another way through a tree for one row than for many; a trader has one.
    alone = [served_margins(steps, rows, row.reshape(1, -1))[0] for row in rows[:50]]

    assert alone == served_margins(steps, rows, rows[:50]).tolist()


def test_a_value_on_an_edge_falls_on_the_same_side(rows, steps):
    on = np.array(
        [
            [cuts[n % len(cuts)] if len(cuts) else 1.5 for cuts in steps.edges]
            for n in range(baseline.PIECES)
        ],
        dtype=np.float32,
    )
    below = np.nextafter(on, np.float32(-np.inf))

    for exact in (on, below):
        assert served_margins(steps, rows, exact) == pytest.approx(steps.margins(exact), abs=1e-5)
    assert not np.allclose(steps.margins(on), steps.margins(below))


def test_it_is_scikit_learns_logistic_regression_on_what_each_value_reaches(rows, outcomes, steps):
    reached = np.column_stack(
        [rows[:, n] >= edge for n, cuts in enumerate(steps.edges) for edge in cuts]
    )
    plain = LogisticRegression(C=0.1, max_iter=1000, tol=1e-6).fit(reached, outcomes)

    assert steps.margins(rows) == pytest.approx(plain.decision_function(reached), abs=0.01)


def test_it_finds_what_is_not_linear_and_flattens_as_it_is_told(rows, outcomes, steps):
    flat = baseline.fit(rows, outcomes, None, edges=steps.edges, strength=0.0001)

    # Both ends of the first feature foretell a 1; its middle does not.
    heights = steps.heights[0]
    assert min(heights[0], heights[-1]) > heights[len(heights) // 2] + 0.5
    assert np.ptp(flat.margins(rows)) < np.ptp(steps.margins(rows)) / 3


def test_a_missing_value_counts_as_one_in_the_middle(rows, steps):
    middle = rows[:1].copy()
    middle[0, 0] = steps.edges[0][baseline.PIECES // 2 - 1]
    missing = middle.copy()
    missing[0, 0] = np.nan

    same = served_margins(steps, rows, np.vstack([middle, missing]))

    assert same[0] == same[1]


def test_weights_count_rows_as_often(rows, outcomes):
    edges = baseline.cut(rows)
    twice = np.repeat(np.arange(3000), np.arange(3000) % 2 + 1)

    repeated = baseline.fit(rows[twice], outcomes[twice], None, edges=edges, strength=0.1)
    weighted = baseline.fit(rows, outcomes, np.arange(3000) % 2 + 1.0, edges=edges, strength=0.1)

    assert weighted.margins(rows) == pytest.approx(repeated.margins(rows), abs=1e-4)


def test_a_feature_that_tells_most_gains_most(rows, steps):
    gains = baseline.to_booster(steps, rows).get_score(importance_type="total_gain")

    assert max(gains, key=gains.get) in {"f0", "f2"}
    assert "f1" not in gains
    assert isinstance(baseline.to_booster(steps, rows), xgb.Booster)
