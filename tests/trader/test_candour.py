"""A model whose chances do not come true gives way to the one before it, and stays out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from artifacts_of_ours import artifact, sound_bytes
from orders_of_ours import XRP
from sqlalchemy import insert
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from serving import candour, deployment
from serving.events import ModelLoaded
from serving.model_cache import verify
from sql.tables import PredictionRow
from trader import record
from trader.desk import Desk

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=9)


@pytest.fixture(scope="module")
def served():
    event = verify("XRP/USD", "production", *artifact(1, sound_bytes()))
    assert isinstance(event, ModelLoaded)
    return event.served


def loaded(served, version):
    return ModelLoaded(
        symbol="XRP/USD",
        role="production",
        version=version,
        run_id="run",
        artifact_sha256="0" * 64,
        evidence={},
        served=served,
    )


@pytest.fixture
def desk(engine, served):
    """Version 2 is live, and version 1 was before it."""
    desk = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    with Session(engine) as session, session.begin():
        for version in (1, 2):
            for one in deployment.take_up(session, desk, loaded(served, version), NOON):
                desk.adopt(one)
    close(desk, LATER)
    return desk


def close(desk, start):
    desk.last_bar = bar(start, Decimal(2))


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


def version(desk):
    return desk.models["production"].version


def test_a_model_that_is_right_stays_and_one_that_is_wrong_is_rolled_back_from(
    engine, desk, served
):
    live(engine, served, said=0.6, chance=0.6, count=300)
    candour.review(engine, desk, LATER, 100)
    assert (version(desk), desk.track.calibration.outcomes) == (2, 300)

    later = NOON + 400 * served.contract.horizon_bars * MINUTE
    live(engine, served, said=0.8, chance=0.4, count=150, begin=later)
    close(desk, LATER + MINUTE)
    candour.review(engine, desk, LATER, 100)

    assert version(desk) == 1
    assert "its probabilities were wrong" in desk.refusals["production"]
    with Session(engine) as session:
        assert "odds against it" in deployment.why_rolled_back(session, "XRP/USD", 2)
        assert record.current_halt(session) is None


def test_what_was_counted_survives_a_restart_and_counts_once(engine, desk, served):
    live(engine, served, said=0.6, chance=0.5, count=80)
    candour.review(engine, desk, LATER, 100)
    close(desk, LATER + MINUTE)
    candour.review(engine, desk, LATER, 100)
    before = desk.track.calibration

    desk.track = None
    candour.review(engine, desk, LATER, 100)

    assert before.outcomes == desk.track.calibration.outcomes == 80
    np.testing.assert_allclose(desk.track.calibration.wealth, before.wealth)


def test_a_bar_without_a_model_asks_nothing(engine, desk):
    desk.dismiss("production")

    candour.review(engine, desk, LATER, 100)

    assert desk.track is None
