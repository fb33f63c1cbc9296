"""A feature row depends on the bars up to its own, the same live as in training."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader import features, kernels
from trader.bars import Bar
from trader.features import NAMES, WARM_UP, Features, compute

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LENGTH = WARM_UP + 40


def frame(seed, length=LENGTH, *, start=NOON, quiet=0.1, scale=1.0):
    """Make bars with still ones, dead ones and spikes among them."""
    random = np.random.default_rng(seed)
    steps = random.standard_t(3, length) * 0.002
    steps[random.random(length) < quiet] = 0.0
    closes = np.round(np.exp(steps.cumsum()) * scale, 12)
    opens = np.r_[closes[0], closes[:-1]]
    reach = 1 + np.abs(random.normal(0, 0.001, length)) * (random.random(length) > quiet)
    volumes = np.round(random.exponential(100, length), 8) * (random.random(length) > quiet)
    return pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, closes) * reach,
            "low": np.minimum(opens, closes) / reach,
            "close": closes,
            "volume": volumes,
        },
        index=pd.date_range(start, periods=length, freq="1min"),
    )


def as_bars(table):
    return [
        Bar(
            symbol="XRP/USD",
            interval=MINUTE,
            start=at.to_pydatetime(),
            trades=1,
            **{name: Decimal(repr(float(row[name]))) for name in row.index},
        )
        for at, row in table.iterrows()
    ]


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_live_rows_equal_training_rows_to_the_last_bit(seed):
    bars = frame(seed)
    live = Features()

    rows = [live.update(bar) for bar in as_bars(bars)]

    known = compute(bars).to_numpy()
    assert [row is None for row in rows] == [True] * (WARM_UP - 1) + [False] * (
        LENGTH - WARM_UP + 1
    )
    assert np.array_equal(np.array(rows[WARM_UP - 1 :]), known[WARM_UP - 1 :])


@given(SEEDS, st.integers(2, LENGTH))
@settings(max_examples=15, deadline=None)
def test_no_row_looks_ahead(seed, cut):
    bars = frame(seed)

    pd.testing.assert_frame_equal(
        compute(bars.head(cut)), compute(bars).head(cut), check_exact=True
    )


@given(SEEDS, st.integers(0, 40))
@settings(max_examples=15, deadline=None)
def test_what_came_before_the_warm_up_leaves_no_trace(seed, skipped):
    bars = frame(seed)

    late = compute(bars.iloc[skipped:]).iloc[WARM_UP - 1 :]

    pd.testing.assert_frame_equal(late, compute(bars).loc[late.index], check_exact=True)


@given(SEEDS, st.integers(0, LENGTH))
@settings(max_examples=15, deadline=None)
def test_a_restored_copy_goes_on_as_if_nothing_had_happened(seed, cut):
    bars = as_bars(frame(seed))
    original = Features()
    for bar in bars[:cut]:
        original.update(bar)

    copy = Features.restore(original.snapshot())

    for bar in bars[cut:]:
        one, other = original.update(bar), copy.update(bar)
        assert (one is None) == (other is None)
        assert one is None or np.array_equal(one, other)


@given(SEEDS, st.sampled_from([1e-8, 1.0, 1e5]), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
@settings(max_examples=25, deadline=None)
def test_every_row_is_finite_however_dead_or_wild_the_market(seed, scale, quiet):
    bars = frame(seed, scale=scale, quiet=quiet)
    bars.iloc[-20, :4] *= 50

    assert np.isfinite(compute(bars).iloc[WARM_UP - 1 :].to_numpy()).all()


def test_a_hole_in_the_bars_starts_the_warm_up_anew():
    bars = frame(1, 2 * LENGTH).drop(frame(1, 2 * LENGTH).index[LENGTH])

    warm = compute(bars).notna().all(axis=1).to_numpy()

    assert list(np.flatnonzero(np.diff(warm.astype(int)))) == [
        WARM_UP - 2,
        LENGTH - 1,
        LENGTH + WARM_UP - 2,
    ]
    live = Features()
    rows = [live.update(bar) for bar in as_bars(bars)]
    assert [row is not None for row in rows] == list(warm)


def test_a_bar_taken_twice_is_refused():
    live, (bar,) = Features(), as_bars(frame(1, 1))
    live.update(bar)

    with pytest.raises(ValueError, match="or later, received"):
        live.update(bar)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_prices_are_refused(value):
    bars = frame(1)
    bars.iloc[5, 3] = value

    with pytest.raises(ValueError, match="positive"):
        compute(bars)


def test_bars_out_of_order_are_refused():
    with pytest.raises(ValueError, match="order of time"):
        compute(frame(1).iloc[::-1])


def test_a_table_too_short_to_warm_up_has_rows_without_values():
    table = compute(frame(1, 3))

    assert list(table.columns) == list(NAMES)
    assert table.isna().all(axis=None)
    assert compute(frame(1, 1)).isna().all(axis=None)


def test_the_columns_agree_with_plain_pandas():
    bars = frame(7, 300)
    close, volume, table = bars["close"], bars["volume"], compute(bars)
    moves = np.log(close).diff()
    ups = moves.clip(lower=0).rolling(14).sum()
    known = {
        "return_10": np.log(close / close.shift(10)),
        "volatility_60": moves.rolling(60).std(),
        "volatility_ratio": moves.rolling(10).std() / moves.rolling(60).std(),
        "score_5": np.log(close / close.shift(5)) / (moves.rolling(60).std() * np.sqrt(5)),
        "trend_10_60": np.log(close.rolling(10).mean() / close.rolling(60).mean()),
        "strength_14": ups / moves.abs().rolling(14).sum(),
        "straightness_10": moves.rolling(10).sum() / moves.abs().rolling(10).sum(),
        "position_30": (close - bars["low"].rolling(30).min())
        / (bars["high"].rolling(30).max() - bars["low"].rolling(30).min()),
        "busyness_3": np.log1p(volume.rolling(3).mean() / volume.rolling(60).mean()),
        "pressure_10": (np.sign(moves) * volume).rolling(10).sum() / volume.rolling(10).sum(),
    }

    for name, values in known.items():
        np.testing.assert_allclose(
            table[name].iloc[WARM_UP:], values.iloc[WARM_UP:], rtol=1e-9, atol=1e-12, err_msg=name
        )


def test_a_leg_on_raised_volume_is_marked_and_dated():
    bars = frame(3, quiet=0.0)
    bars["volume"] = 100.0
    calm = np.tile([1.0, 1.0005], LENGTH)[:LENGTH]
    leg = np.r_[np.ones(LENGTH - 6), [1.004, 1.008, 1.012], [1.012] * 3]
    bars["close"] = calm * leg
    bars["open"] = bars["close"].shift(1, fill_value=1.0)
    bars["high"], bars["low"] = (
        bars[["open", "close"]].max(axis=1),
        bars[["open", "close"]].min(axis=1),
    )
    bars.iloc[-6:-3, 4] = 500.0

    last = compute(bars).iloc[-1]

    assert last["surge_direction"] == 1.0
    assert 0 <= last["surge_age"] <= 3
    assert compute(bars).iloc[-8]["surge_direction"] == 0.0


def test_the_hash_names_the_definitions():
    assert len(features.HASH) == 64
    assert len(set(NAMES)) == len(NAMES)
    assert WARM_UP <= 200


def test_the_kernels_take_a_neutral_value_where_a_ratio_has_none():
    still = [0.0] * 10

    assert kernels.score(0.0, 0.0, 3) == 0.0
    assert kernels.strength(still) == 0.5
    assert kernels.straightness(still) == 0.0
    assert kernels.position(1.0, 1.0, 1.0) == 0.5
    assert kernels.busyness(still, 3) == math.log(2)
    assert kernels.pressure(still, still) == 0.0
    assert kernels.latest(still) == (10.0, 0.0)
