"""Tapes, terms and contracts of backtests, with the parts a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from market import features
from market.instruments import Instrument
from market.tape import Tape
from ops.backtesting.paper import Terms
from registry.contract import Contract
from trader.limits import Limits

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPREAD = 0.0005
# As few refusals as the live rules allow, so that a test sees the strategy and not a halt.
GENEROUS = Limits(
    max_entries_per_hour=10_000,
    max_orders_per_minute=100,
    max_daily_loss=Decimal(10**6),
    max_drawdown=Decimal(10**6),
    max_model_loss=Decimal(10**6),
    max_pressure=10.0**6,
)


def contract(**changes):
    """Return the terms of a model that promises 1.2 % against 0.4 %."""
    known = {
        "symbol": "XRP/USD",
        "interval_seconds": 60,
        "horizon_bars": 10,
        "features": features.NAMES,
        "feature_hash": features.HASH,
        "cost": 0.002,
        "gain": 0.012,
        "loss": 0.004,
        "base_rate": 0.3,
        "platt_slope": 1.0,
        "platt_intercept": 0.0,
        "model_sha256": "0" * 64,
        "data_hash": "",
        "trained_until": BEGIN,
        "git_commit": "",
        "gate_passed": True,
        "gate_reason": "",
    }
    return Contract(**known | changes)


def instrument(**changes):
    """Return a market with fees of a large account."""
    known = {
        "symbol": "XRP/USD",
        "exchange_id": "XRPUSD",
        "base": "XRP",
        "quote": "USD",
        "price_decimals": 5,
        "quantity_decimals": 8,
        "cost_decimals": 5,
        "quantity_min": Decimal(2),
        "cost_min": Decimal("0.5"),
        "maker_fee": Decimal("0.0002"),
        "taker_fee": Decimal("0.0004"),
    }
    return Instrument(**known | changes)


def terms(**changes):
    """Return the terms of an account of 10,000 that is refused next to nothing."""
    return Terms(**{"instrument": instrument(), "limits": GENEROUS} | changes)


def tape(close, *, volume=100_000.0, opened=None, starts=None):
    """Return a tape whose bars open where the one before closed, unless told otherwise."""
    close = np.asarray(close, dtype=np.float64)
    count = len(close)
    if opened is None:
        opened = np.concatenate([close[:1], close[:-1]])
    return Tape(
        starts=starts or [BEGIN + n * MINUTE for n in range(count)],
        interval=MINUTE,
        open=np.asarray(opened, dtype=np.float64),
        close=close,
        volume=np.full(count, volume),
        spread=np.full(count, SPREAD),
    )


def walk(seed, count, scale=0.002):
    """Return closes of a random walk from 2."""
    steps = np.random.default_rng(seed).normal(0, scale, count)
    return 2 * np.exp(steps.cumsum())


def rows(count):
    """Return features that no two bars share."""
    return np.arange(count, dtype=np.float64).reshape(-1, 1)


def first(tape, count):
    """Return the first bars of a tape."""
    return Tape(
        starts=tape.starts[:count],
        interval=tape.interval,
        open=tape.open[:count],
        close=tape.close[:count],
        volume=tape.volume[:count],
        spread=tape.spread[:count],
    )
