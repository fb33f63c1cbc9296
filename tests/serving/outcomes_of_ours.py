"""Scores of version 2 of a market's model, with bars that tell what came of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from sql.tables import PredictionRow

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def live(engine, served, *, said, chance, count, begin=NOON):
    """Write down so many scores that do not overlap, and bars in which the chance came true."""
    contract, rng = served.contract, np.random.default_rng(0)
    step = contract.horizon_bars * MINUTE
    starts = [begin + n * step for n in range(count + 1)]
    up, down = Decimal(str(1 + 2 * contract.cost + 0.01)), Decimal("0.99")
    closes = [Decimal(2)]
    for rose in rng.random(count) < chance:
        closes.append((closes[-1] * (up if rose else down)).quantize(Decimal("1e-12")))
    with Session(engine) as session, session.begin():
        history.record_bars(session, list(map(bar, starts, closes)), "live")
        session.execute(insert(PredictionRow), [score(at, said, contract) for at in starts[:-1]])


def bar(start, close):
    return Bar(
        symbol="XRP/USD",
        interval=MINUTE,
        start=start,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=close,
        trades=1,
    )


def score(start, said, contract):
    return {
        "symbol": "XRP/USD",
        "interval_seconds": 60,
        "bar_start": start,
        "model_version": 2,
        "role": "production",
        "probability": said,
        "horizon_bars": contract.horizon_bars,
        "feature_hash": "f",
        "features": [0.0],
        "at": start,
    }
