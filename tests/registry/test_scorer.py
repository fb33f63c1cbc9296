"""The scorer of a search answers as the live rules do, within its scope."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rules import FINE, SAME, trip
from paper_markets import BEGIN, MINUTE, SPREAD, contract, instrument, rows, tape, terms

from ops.backtesting.backtest import run
from registry.scorer import Rules, score
from trader import execution, strategy
from trader.sizing import Appetite

COUNT = 400
FEE = Decimal("0.0004")


@st.composite
def cases(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    close = 2 * np.exp(np.clip(random.normal(0, 0.001, COUNT).cumsum(), -0.06, 0.06))
    jumps = random.normal(0, draw(st.sampled_from([0.0, 0.001, 0.003])), COUNT)
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(jumps)
    stays = draw(st.integers(1, 30))
    said = np.repeat(random.uniform(0.02, 0.98, COUNT // stays + 1), stays)[:COUNT]
    said = np.clip(said + random.normal(0, 0.01, COUNT), 0.001, 0.999)
    said[random.random(COUNT) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
    holes = random.random(COUNT) < draw(st.sampled_from([0.0, 0.02]))
    said[holes] = np.nan  # the features are cold after a hole
    times = np.cumsum(1 + holes * random.integers(1, 40, COUNT))
    promise = {
        "gain": draw(st.floats(0.0, 0.02)),
        "loss": draw(st.floats(-0.002, 0.02)),
        "base_rate": draw(st.floats(0.05, 0.95)),
    }
    return (
        close,
        opened,
        said,
        times,
        promise,
        draw(st.integers(1, 40)),
        draw(st.sampled_from(["0", "0.0003", "0.02"])),
    )


@given(cases())
@settings(max_examples=40, deadline=None)
def test_the_scorer_enters_leaves_and_earns_as_the_live_rules_do(case):
    close, opened, said, times, promise, horizon, slippage = case
    bars = tape(close, opened=opened, volume=1e6, starts=[BEGIN + int(t) * MINUTE for t in times])
    rules = Rules(
        **promise, horizon=horizon, fee=float(FEE), spread=SPREAD, slippage=float(slippage)
    )

    found = score(said, opened, close, times, rules)

    agreed = contract(**promise, horizon_bars=horizon)
    on = terms(instrument=instrument(**FINE), limits=SAME, slippage=Decimal(slippage))
    live = run(bars, rows(COUNT), said, agreed, on)
    pairs = list(zip(live.traded[::2], live.traded[1::2], strict=False))
    assert not live.halts
    assert live.sent_away is None
    assert [(b.side, s.side) for b, s in pairs] == [("buy", "sell")] * len(pairs)
    assert [b.number for b, _ in pairs] == found.entered.tolist()
    assert [s.number for _, s in pairs] == found.left.tolist()
    nets = [trip(b, s) for b, s in pairs]
    assert found.net == pytest.approx(nets, abs=1e-9)


def test_the_constants_are_the_live_ones():
    rules = Rules(gain=0.01, loss=0.01, base_rate=0.5, horizon=1, fee=0.0, spread=0.0)

    assert rules.margin == strategy.MARGIN
    assert rules.reach == float(execution.REACH)
    assert rules.trust == Appetite().trust


def test_nothing_is_entered_where_nothing_is_to_be_gained():
    rules = Rules(gain=0.0, loss=0.01, base_rate=0.5, horizon=5, fee=0.001, spread=0.001)
    price = np.full(50, 2.0)

    found = score(np.full(50, 0.99), price, price, np.arange(50), rules)

    assert len(found.entered) == len(found.left) == len(found.net) == 0
