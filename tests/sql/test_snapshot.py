"""A copy of the record holds all that the trader reads of it, however long ago it was written."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from sql import months, promotions, snapshot
from sql.database import DatabaseSettings, migrate, open_engine
from sql.scores import settled_scores
from sql.tables import PredictionRow, PriceBarRow

MINUTE = timedelta(minutes=1)
START = datetime(2025, 3, 30, tzinfo=UTC)
PROMOTED = START + timedelta(minutes=95)
COUNT = 5 * 24 * 60


@pytest.fixture
def other(server):
    """Give another database that is empty and migrated."""
    connection = psycopg2.connect(server.url("postgres"))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute('CREATE DATABASE "copy_of_the_record"')
    engine = open_engine(DatabaseSettings(DATABASE_URL=server.url("copy_of_the_record")))
    migrate(engine)
    yield engine
    engine.dispose()
    cursor.execute('DROP DATABASE "copy_of_the_record" WITH (FORCE)')
    connection.close()


def fill(session):
    """Write five days of bars and scores, of which the first hours were before the promotion."""
    starts = [START + n * MINUTE for n in range(COUNT)]
    months.ensure(session, "price_bars", starts)
    session.execute(
        insert(PriceBarRow),
        [
            {
                "symbol": "XRP/USD", "interval_seconds": 60, "start": at, "open": 2, "high": 3,
                "low": 1, "close": 1 + n % 2, "volume": 1, "trades": 1, "source": "test",
            }
            for n, at in enumerate(starts)
        ],
    )  # fmt: skip
    session.execute(
        insert(PredictionRow),
        [
            {
                "symbol": "XRP/USD", "interval_seconds": 60, "bar_start": at, "model_version": 2,
                "role": "production", "probability": 0.5, "horizon_bars": 7,
                "feature_hash": "f", "features": [0.0], "at": at,
            }
            for at in starts
        ],
    )  # fmt: skip


def settled(engine):
    with Session(engine) as session:
        return settled_scores(
            session,
            symbol="XRP/USD",
            interval_seconds=60,
            horizon_bars=7,
            model_version=2,
            start=PROMOTED,
        )


def test_what_a_models_probabilities_are_judged_by_is_copied_and_other_old_rows_are_not(
    engine, other, tmp_path
):
    with Session(engine) as session, session.begin():
        fill(session)
        promotions.record(
            session,
            symbol="XRP/USD",
            action=promotions.PROMOTED,
            from_version=None,
            to_version=2,
            who="Anna",
            reason="a test",
            evidence={},
            at=PROMOTED,
        )

    snapshot.dump(engine, tmp_path / "seed", span=3600)
    snapshot.load(other, tmp_path / "seed")

    assert len(settled(engine)) == (COUNT - 95) // 7 - 1
    assert settled(other) == settled(engine)
    with Session(other) as session:
        kept = session.scalars(select(PriceBarRow.start)).all()
        assert COUNT / 7 < len(kept) < COUNT / 5
        assert session.scalar(text("SELECT count(*) FROM predictions")) < COUNT * 2 / 3
