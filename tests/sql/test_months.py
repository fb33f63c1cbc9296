"""Market data is kept by month: nothing is lost on the way there, and every month has room."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from sql import months
from sql.database import MIGRATIONS
from sql.tables import PriceBarRow, Table

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
PARTS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
    "WHERE inhparent = to_regclass(:parent) ORDER BY relname"
)


def a_row(start, symbol="XRP/USD"):
    return PriceBarRow(
        symbol=symbol,
        interval_seconds=60,
        start=start,
        open=Decimal("0.123456789012345678"),
        high=Decimal(3),
        low=Decimal("0.1"),
        close=Decimal(2),
        volume=Decimal("12345678901234567890.5"),
        trades=None,
        bought=Decimal("0.000000000000000001"),
        source="test",
    )


def turn(engine, direction, revision):
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        getattr(command, direction)(config, revision)


def parts(engine, table="price_bars"):
    with engine.connect() as connection:
        return list(connection.scalars(PARTS, {"parent": f"market.{table}"}))


def rows(engine):
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT * FROM market.price_bars ORDER BY symbol, interval_seconds, start")
        ).all()


def write(engine, *starts):
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", starts)
        session.add_all([a_row(start) for start in starts])


def test_bars_survive_the_way_to_months_and_back(engine):
    turn(engine, "downgrade", "0002")
    starts = [datetime(2024, 2, 29, 23, 59, tzinfo=UTC), JUNE - timedelta(minutes=1), JUNE]
    with Session(engine) as session, session.begin():
        session.add_all([a_row(start) for start in starts])
    before = rows(engine)

    turn(engine, "upgrade", "0003")

    assert rows(engine) == before
    assert parts(engine) == ["price_bars_2024_02", "price_bars_2026_05", "price_bars_2026_06"]
    turn(engine, "downgrade", "0002")
    assert rows(engine) == before
    assert parts(engine) == []


def test_the_tables_are_those_the_code_describes(engine):
    names = {(table.schema, table.name) for table in Table.metadata.tables.values()}

    def ours(name, kind, parents):
        return kind != "table" or (parents["schema_name"], name) in names

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "include_name": ours}
        )
        differences = compare_metadata(context, Table.metadata)

    assert differences == []


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)),
        (
            datetime.fromisoformat("2026-01-01T00:30:00+01:00"),
            datetime(2025, 12, 1, tzinfo=UTC),
        ),
        (JUNE, JUNE),
    ],
)
def test_a_month_is_counted_in_utc(moment, month):
    assert months.month_of(moment) == month
    assert months.month_of(months.month_after(month)) != month
    assert months.month_of(months.month_after(month) - timedelta(microseconds=1)) == month


def test_a_month_has_room_however_long_ago_it_was(engine):
    starts = [datetime(1999, 12, 31, 23, 59, tzinfo=UTC), datetime(2013, 10, 6, tzinfo=UTC), JUNE]

    write(engine, *starts)

    assert [row.start for row in rows(engine)] == starts
    assert len(parts(engine)) == 3


def test_a_month_is_made_in_utc_whatever_zone_the_session_has(engine):
    with Session(engine) as session, session.begin():
        session.execute(text("SET LOCAL timezone = 'Asia/Kolkata'"))
        months.ensure(session, "price_bars", [JUNE])
        session.add_all([a_row(JUNE), a_row(JUNE + timedelta(days=30) - timedelta(minutes=1))])

    assert parts(engine) == ["price_bars_2026_06"]


def test_two_who_need_the_same_months_at_once_make_each_of_them_once(engine):
    starts = [months.month_of(JUNE - timedelta(days=31 * n)) for n in range(12)]

    def one(symbol):
        for start in starts:
            with Session(engine) as session, session.begin():
                months.ensure(session, "price_bars", [start])
                session.add(a_row(start, symbol))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, ["A/USD", "B/USD", "C/USD", "D/USD"]))

    assert len(rows(engine)) == 4 * 12
    assert len(parts(engine)) == 12


def test_making_a_month_waits_for_nobody_who_writes_to_another(engine):
    write(engine, JUNE)
    with Session(engine) as busy, busy.begin():
        busy.add(a_row(JUNE + timedelta(minutes=1)))
        busy.flush()

        with Session(engine) as session, session.begin():
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
            months.ensure(session, "price_bars", [JUNE - timedelta(days=1)])

    assert len(parts(engine)) == 2


def test_only_tables_that_are_kept_by_month_get_one(engine):
    with Session(engine) as session, session.begin():
        months.ensure(session, "no_such_table", [JUNE])

    assert parts(engine) == []


def test_a_month_has_the_keys_and_checks_of_all(engine):
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", [JUNE])
        months.ensure(session, "option_quotes", [JUNE])
    found = inspect(engine)

    for table in ("price_bars", "option_quotes"):
        whole, part = [
            (
                found.get_pk_constraint(name, "market")["constrained_columns"],
                {
                    (one["name"], one["sqltext"])
                    for one in found.get_check_constraints(name, "market")
                },
                len(found.get_indexes(name, "market")),
                [
                    (one["name"], str(one["type"]), one["nullable"])
                    for one in found.get_columns(name, "market")
                ],
            )
            for name in (table, f"{table}_2026_06")
        ]
        assert part == whole
