"""Where TimescaleDB is, bars and quotes are kept in hypertables, and nothing else is different.

It takes an empty database to which the variable TIMESCALE_TEST_URL leads, and one connection at
a time; it leaves the database as empty as it was, but for the extension.
"""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from market import archive, bulk
from market.bars import Bar
from market.history import gaps, read_bars, record_bars
from market.option_record import record_quotes
from market.options import Contract, OptionQuote
from sql.database import MIGRATIONS, DatabaseSettings, migrate, open_engine
from sql.tables import OptionQuoteRow, PriceBarRow

URL = os.environ.get("TIMESCALE_TEST_URL")
HOUR = timedelta(hours=1)
MARCH, JUNE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
HYPERTABLES = text(
    "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables"
    " WHERE hypertable_schema = 'market'"
)

pytestmark = pytest.mark.skipif(URL is None, reason="TIMESCALE_TEST_URL leads to no TimescaleDB")


def turn(engine, direction, revision):
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        getattr(command, direction)(config, revision)


@pytest.fixture
def timescale():
    """Migrate the empty database, and take everything out of it afterwards."""
    engine = open_engine(DatabaseSettings(DATABASE_URL=URL), pool_size=1)
    if inspect(engine).has_schema("market"):
        pytest.fail("TIMESCALE_TEST_URL has to lead to an empty database: this one has bars")
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS timescaledb"))
    migrate(engine)
    yield engine
    turn(engine, "downgrade", "base")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()


def bars(start=MARCH, end=JUNE):
    for number in range((end - start) // HOUR):
        price = Decimal(number + 1) + Decimal("0.123456789012345678")
        yield Bar(
            symbol="XRP/USD",
            interval=HOUR,
            start=start + number * HOUR,
            open=price,
            high=price,
            low=Decimal("0.000000000000000001"),
            close=price,
            volume=Decimal("1234567890.5"),
            trades=number,
            bought=Decimal(number),
        )


def rows(engine, table="price_bars"):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM market.{table} ORDER BY 1, 2, 3")).all()


def chunks(engine):
    with engine.connect() as connection:
        return dict(connection.execute(HYPERTABLES).tuples().all())


@pytest.mark.parametrize("row", [PriceBarRow, OptionQuoteRow])
def test_the_tables_are_hypertables_with_the_indexes_the_code_describes(timescale, row):
    table = row.__table__
    found = inspect(timescale)

    assert chunks(timescale)[table.name] == 0
    key = found.get_pk_constraint(table.name, "market")["constrained_columns"]
    assert key == [column.name for column in table.primary_key]
    names = {index["name"] for index in found.get_indexes(table.name, "market")}
    assert names == {index.name for index in table.indexes}


def test_bars_survive_the_way_to_a_plain_table_and_back(timescale):
    bulk.copy_bars(timescale, bars(), "test")
    before = rows(timescale)

    turn(timescale, "downgrade", "0002")
    plain = (chunks(timescale), rows(timescale))
    turn(timescale, "upgrade", "head")

    assert plain == ({}, before)
    assert rows(timescale) == before
    assert chunks(timescale)["price_bars"] > 1


def test_months_of_bars_are_imported_once_and_read_back(timescale):
    given = list(bars())

    told = [bulk.copy_bars(timescale, given, "test") for _ in range(2)]

    assert told == [len(given), 0]
    assert chunks(timescale)["price_bars"] > 1
    read = read_bars(timescale, "XRP/USD", HOUR)
    assert list(read.index) == [bar.start for bar in given]
    assert np.array_equal(read["close"], [float(bar.close) for bar in given])
    with Session(timescale) as session:
        assert gaps(session, "XRP/USD", HOUR, MARCH, JUNE + HOUR) == [(JUNE, JUNE + HOUR)]
        assert record_bars(session, given, "test") == 0


def test_a_month_leaves_for_a_file_and_comes_back(timescale, tmp_path):
    bulk.copy_bars(timescale, bars(), "test")
    before = rows(timescale)
    april = datetime(2026, 4, 1, tzinfo=UTC)

    old = archive.old_months(timescale, "price_bars", 1)
    done = archive.archive(timescale, tmp_path, "price_bars", MARCH)

    assert old == [MARCH]
    assert done.dropped
    assert rows(timescale) == [row for row in before if row.start >= april]
    assert archive.restore(timescale, done.path) == (31 * 24, 31 * 24)
    assert rows(timescale) == before


def test_quotes_of_options_are_kept_once_archived_and_brought_back(timescale, tmp_path):
    known = Contract(
        symbol="AAPL260619P00155000",
        underlying="AAPL",
        expires_on=date(2026, 6, 19),
        kind="put",
        strike=Decimal(155),
    )
    quotes = [
        OptionQuote(contract=known, quoted_at=start, bid=Decimal("0.32"), delta=-0.0696235)
        for start in (MARCH, JUNE)
    ]
    with Session(timescale) as session, session.begin():
        assert [record_quotes(session, quotes, "test") for _ in range(2)] == [2, 0]
    before = rows(timescale, "option_quotes")

    done = archive.archive(timescale, tmp_path, "option_quotes", MARCH)

    assert done.dropped
    assert [row.quoted_at for row in rows(timescale, "option_quotes")] == [JUNE]
    assert archive.restore(timescale, done.path) == (1, 1)
    assert rows(timescale, "option_quotes") == before
