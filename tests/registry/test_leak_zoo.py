"""Every known way to see the future is caught, and no clean feature is.

Each leak is planted in a random walk, where nothing can be foreseen, beside clean features.
"""

from datetime import timedelta
from itertools import pairwise

import markets
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.model_selection import KFold

from market import features
from registry import evaluation, leaks, probes, splits
from registry.labels import label
from registry.splits import Split

MINUTE = timedelta(minutes=1)
HORIZON = 30
BARS = markets.walk(21, days=2, volatility=0.002)
TABLE = label(BARS["close"], interval=MINUTE, horizon=HORIZON, cost=0.0005)


def clean(bars):
    close = bars["close"]
    return pd.DataFrame(
        {
            "back": close.pct_change(5),
            "mean": close.rolling(20).mean() / close - 1,
            "scaled": (close - close.expanding(20).mean()) / close.expanding(20).std(),
            "slow": close.ewm(span=30, adjust=False).mean() / close - 1,
            "hour before": close.resample("1h").last().shift(1).reindex(bars.index, method="ffill"),
        }
    )


def centred_window(bars):
    return bars["close"].rolling(21, center=True, min_periods=1).mean() / bars["close"] - 1


def back_fill(bars):
    rare = bars["close"].pct_change(5).where(np.arange(len(bars)) % 7 == 6)
    return rare.bfill()


def whole_sample_scaling(bars):
    return (bars["close"] - bars["close"].mean()) / bars["close"].std()


def whole_sample_rank(bars):
    return bars["volume"].rank(pct=True)


def resample_close(bars):
    return bars["close"].resample("1h").last().reindex(bars.index, method="ffill")


def target_encoding(bars):
    rises = (bars["close"].shift(-HORIZON) / bars["close"] - 1 > 0).astype(float)
    return rises.groupby(bars.index.minute % 10).transform("mean")


def next_bar_where_there_is_one(bars):
    return bars["close"].shift(-1).fillna(bars["close"]) / bars["close"] - 1


def high_of_the_next_hour(bars):
    return bars["high"][::-1].rolling(60, min_periods=1).max()[::-1]


LEAKS = [
    centred_window,
    back_fill,
    whole_sample_scaling,
    whole_sample_rank,
    resample_close,
    target_encoding,
    next_bar_where_there_is_one,
    high_of_the_next_hour,
]


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_leak_is_caught_by_its_name_and_nothing_beside_it(leak, seed):
    def compute(bars):
        return clean(bars).assign(leak=leak(bars))

    assert leaks.looking_ahead(compute, BARS, seed=seed) == ("leak",)


@pytest.mark.parametrize("seed", range(10))
def test_clean_features_are_never_accused(seed):
    assert leaks.looking_ahead(clean, BARS, seed=seed) == ()


@pytest.mark.parametrize("source", [markets.walk, markets.clustered, markets.planted])
def test_none_of_the_features_that_we_trade_on_looks_ahead(source):
    assert leaks.looking_ahead(features.compute, source(5, days=1)) == ()


def test_holes_in_the_bars_accuse_no_feature():
    bars = markets.walk(6, days=2)
    kept = bars.drop(bars.index[-600::40])

    assert leaks.looking_ahead(lambda rows: features.compute(rows, MINUTE), kept) == ()


def test_a_feature_that_waits_for_a_fixed_number_of_later_bars_is_caught_by_their_order():
    def compute(bars):
        later = bars["close"].iloc[-1] if len(bars) == leaks.STRETCH else 0.0
        return clean(bars).assign(leak=later * (len(bars) == leaks.STRETCH))

    assert leaks.looking_ahead(compute, BARS) == ("leak",)


def test_a_feature_that_never_has_a_value_is_not_called_clean():
    def compute(bars):
        return clean(bars).assign(never=np.nan)

    assert leaks.looking_ahead(compute, BARS) == ("never",)


def shuffled(table):
    folds = KFold(5, shuffle=True, random_state=1).split(table)
    return [Split(train=train, test=test) for train, test in folds]


def overlapping(table):
    edges = np.linspace(0, len(table), 6).astype(int)
    return [
        Split(train=np.arange(first), test=np.arange(first, end))
        for first, end in pairwise(edges[1:])
    ]


def ours(table):
    embargo = HORIZON * MINUTE
    return [
        *splits.walk_forward(table, folds=4, embargo=embargo),
        splits.hold_out(table, share=0.2, embargo=embargo),
        *splits.combinatorial(table, groups=6, tested=2, embargo=embargo),
    ]


@pytest.mark.parametrize("leaking", [shuffled, overlapping], ids=["shuffled CV", "label overlap"])
def test_a_split_that_teaches_what_it_examines_is_caught_every_time(leaking):
    assert all(leaks.meeting(TABLE, split) >= HORIZON - 1 for split in leaking(TABLE))


def test_no_split_of_ours_teaches_what_it_examines():
    assert [leaks.meeting(TABLE, split) for split in ours(TABLE)] == [0] * 20


def test_meeting_rows_are_counted_one_by_one():
    split = Split(train=np.array([0, 5, 39, 40, 71, 100]), test=np.arange(41, 70))

    begin, end = TABLE["decided"].to_numpy(), TABLE["ended"].to_numpy()
    expected = sum(
        bool(((begin[split.test] < end[n]) & (end[split.test] > begin[n])).any())
        for n in split.train
    )

    assert leaks.meeting(TABLE, split) == expected == 3


def accuracy_gain(split):
    y = probes.shuffle_blocks(TABLE["y"].to_numpy(), mean_length=10 * HORIZON, seed=4)
    # Time itself: what a slow feature is to a model that has taught the rows on either side.
    x = np.arange(len(y), dtype=np.float32).reshape(-1, 1)
    matrix = xgb.DMatrix(x[split.train], y[split.train])
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, matrix, 30)
    base = float(y[split.train].mean())
    said = booster.predict(xgb.DMatrix(x[split.test])).astype(float)
    return evaluation.score(said, y[split.test], base_rate=base).gain


def test_shuffled_labels_are_learnt_only_by_a_procedure_that_leaks():
    assert min(accuracy_gain(split) for split in shuffled(TABLE)) > 0.1
    assert np.mean([accuracy_gain(split) for split in ours(TABLE)[:5]]) < 0.002
