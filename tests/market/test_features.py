"""A feature row depends on the bars up to its own, the same live as in training."""

import json
import math
import platform
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from market import features, kernels, windows
from market.bars import Bar
from market.features import NAMES, WARM_UP, Features, compute

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LENGTH = WARM_UP + 40
KNOWN = 0.7  # share of the tables whose source tells who bought, and where the leader stood
PRICES = ["open", "high", "low", "close", "volume"]


def frame(seed, length=LENGTH, *, start=NOON, quiet=0.1, scale=1.0):
    """Make bars with still ones, dead ones and spikes among them."""
    random = np.random.default_rng(seed)
    steps = random.standard_t(3, length) * 0.002
    steps[random.random(length) < quiet] = 0.0
    closes = np.round(np.exp(steps.cumsum()) * scale, 12)
    opens = np.r_[closes[0], closes[:-1]]
    reach = 1 + np.abs(random.normal(0, 0.001, length)) * (random.random(length) > quiet)
    volumes = np.round(random.exponential(100, length), 8) * (random.random(length) > quiet)
    known = random.random() < KNOWN
    beside = np.exp((random.standard_t(3, (length, 2)) * 0.002).cumsum(axis=0))
    return pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, closes) * reach,
            "low": np.minimum(opens, closes) / reach,
            "close": closes,
            "volume": volumes,
            "bought": np.round(volumes * random.random(length), 8) if known else np.nan,
            "trades": random.integers(0, 50, length) if known else np.nan,
            "peer": beside[:, 0],
            "leader": beside[:, 1] if known else np.nan,
        },
        index=pd.date_range(start, periods=length, freq="1min"),
    )


def as_bars(table):
    return [bar for bar, _ in as_told(table)]


def as_told(table):
    """Return the bars as the live trader meets them, with what was beside them."""
    told = table.astype(float).map(lambda x: None if math.isnan(x) else Decimal(repr(x)))
    return [
        (
            Bar(
                symbol="XRP/USD",
                interval=MINUTE,
                start=at.to_pydatetime(),
                trades=None if row["trades"] is None else int(row["trades"]),
                **{name: row[name] for name in [*PRICES, "bought"]},
            ),
            (row["peer"], row["leader"]),
        )
        for at, row in told.iterrows()
    ]


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_live_rows_equal_training_rows_to_the_last_bit(seed):
    bars = frame(seed)
    live = Features()

    rows = [live.update(bar, beside) for bar, beside in as_told(bars)]

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
    bars = as_told(frame(seed))
    original = Features()
    for bar, beside in bars[:cut]:
        original.update(bar, beside)

    copy = Features.restore(original.snapshot())

    for bar, beside in bars[cut:]:
        one, other = original.update(bar, beside), copy.update(bar, beside)
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


def test_the_columns_agree_with_talib():
    bars = frame(7, 300, quiet=0.0)
    table, close, volume = compute(bars), bars["close"], bars["volume"]
    high, low, logs = bars["high"], bars["low"], np.log(bars["close"])
    upper, middle, _ = talib.BBANDS(close, 20, nbdevup=1, nbdevdn=1)
    known = {
        "return_5": np.log1p(talib.ROCP(close, 5)),
        "range_14": talib.SMA(talib.TRANGE(high, low, close), 14) / close,
        "body": talib.BOP(bars["open"], high, low, close),
        "position_30": 1 + talib.WILLR(high, low, close, 30) / 100,
        "bands_20": (close - middle) / (upper - middle),
        "channel_20": talib.CCI(high, low, close, 20) / 100,
        "ages_14": talib.AROONOSC(high, low, 14) / 100,
        "money_flow_14": talib.MFI(high, low, close, volume, 14) / 100,
        "slope_20": talib.LINEARREG_SLOPE(logs, 20) / table["volatility_60"],
        "echo_30": talib.CORREL(logs.diff().shift(1).fillna(0), logs.diff().fillna(0), 30),
        "peer_return_5": np.log1p(talib.ROCP(bars["peer"], 5)),
        "peer_correlation_30": talib.CORREL(
            np.log(bars["peer"]).diff().fillna(0), logs.diff().shift(1).fillna(0), 30
        ),
    }

    for name, values in known.items():
        np.testing.assert_allclose(
            table[name].iloc[WARM_UP:], values.iloc[WARM_UP:], rtol=1e-7, atol=1e-9, err_msg=name
        )


def test_the_other_columns_agree_with_plain_pandas():
    bars = frame(7, 300, quiet=0.0)
    table, moves = compute(bars), np.log(bars["close"]).diff()
    spans, fell = np.log(bars["high"] / bars["low"]) ** 2, moves.clip(upper=0) ** 2
    peer, volume = np.log(bars["peer"]), bars["volume"]
    sizes = volume.rolling(60).sum() / bars["trades"].rolling(60).sum()
    minutes = bars.index.hour * 60 + bars.index.minute + 1
    known = {
        "downside_30": fell.rolling(30).sum() / (moves**2).rolling(30).sum(),
        "reach_ratio": np.sqrt(spans.rolling(10).mean() / spans.rolling(60).mean()),
        "flow_10": 2 * bars["bought"].rolling(10).sum() / volume.rolling(10).sum() - 1,
        "trades_10": np.log1p(
            bars["trades"].rolling(10).mean() / bars["trades"].rolling(60).mean()
        ),
        "sizes_3": np.log(volume.rolling(3).sum() / bars["trades"].rolling(3).sum() / sizes),
        "peer_score_10": peer.diff(10) / (peer.diff().rolling(30).std() * np.sqrt(10)),
        "peer_lead_30": np.log(bars["close"]).diff(30).shift(1) - peer.diff(30),
        "day_sine": pd.Series(np.sin(2 * np.pi * minutes / 1440), index=bars.index),
    }

    assert bars["bought"].notna().all()
    for name, values in known.items():
        np.testing.assert_allclose(
            table[name].iloc[WARM_UP:], values.iloc[WARM_UP:], rtol=1e-7, atol=1e-9, err_msg=name
        )


def test_what_a_source_does_not_tell_is_neutral():
    bars = frame(7).drop(columns=["bought", "trades", "peer", "leader"])

    last = compute(bars).iloc[-1]

    silent = [name for name in NAMES if name.startswith(("flow", "sizes", "peer", "leader"))]
    assert len(silent) == 15
    assert not last[silent].any()
    assert last["trades_1"] == last["trades_10"] == math.log(2)


def test_a_neighbour_counts_only_up_to_the_bar_before():
    bars, names = frame(7), [name for name in NAMES if name.startswith(("peer", "leader"))]
    later = bars.assign(close=bars["close"] * np.r_[np.ones(LENGTH - 1), 1.001])
    later["high"] *= 1.01

    pd.testing.assert_frame_equal(compute(later)[names], compute(bars)[names])


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


GOLDEN = Path(__file__).parent.parent / "golden" / "feature_rows.json"
# Bars as wild, dead, small and silent as they come; the last leave out what a source may.
FRAMES = {
    "s1": frame(1, 400),
    "s2": frame(2, 400, quiet=0.5),
    "s3": frame(3, 400, scale=1e-8),
    "s4": frame(4, 400, scale=1e5, quiet=0.0),
    "s5": frame(5, 400, quiet=0.99),
    "s6": frame(6, 400).drop(columns=["bought", "trades", "peer", "leader"]),
}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library rounds logarithms")
@pytest.mark.parametrize("name", FRAMES)
def test_rows_are_those_that_models_in_use_were_taught_on(name):
    """Regenerate only together with a new number in market.features.DEFINITIONS."""
    known = [
        [float.fromhex(value) for value in row] for row in json.loads(GOLDEN.read_text())[name]
    ]

    assert compute(FRAMES[name]).iloc[-3:].to_numpy().tolist() == known


@given(st.integers(WARM_UP, 3 * WARM_UP), SEEDS)
@settings(max_examples=5, deadline=None)
def test_rows_do_not_depend_on_where_a_block_ends(block, seed):
    bars = frame(seed, 4 * WARM_UP)
    whole = compute(bars)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "BLOCK", block)
        cut = compute(bars)

    pd.testing.assert_frame_equal(whole, cut, check_exact=True)
