"""A month that was archived comes back to the last digit, and a kill at any step loses nothing."""

import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyarrow import parquet
from sqlalchemy import text
from sqlalchemy.orm import Session

from market import archive
from market.bars import Bar
from market.errors import FileRefused
from market.history import record_bars
from sql import months
from sql.tables import OptionQuoteRow

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
PART = text("SELECT to_regclass('market.price_bars_2026_05') IS NOT NULL")
# Ends itself without a word at the n-th time that a file of the folder is opened or renamed.
KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from market import archive
from sql.database import DatabaseSettings, open_engine
url, folder, left, month = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
engine = open_engine(DatabaseSettings(DATABASE_URL=url))
def count(name, found):
    global left
    if name in {"open", "os.rename"} and str(found[0]).startswith(folder):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
archive.archive(engine, Path(folder), "price_bars", datetime.fromisoformat(month))
"""


def bars(start=MAY, count=5, symbol="XRP/USD"):
    for number in range(count):
        price = Decimal(number + 1) + Decimal("0.123456789012345678")
        yield Bar(
            symbol=symbol,
            interval=timedelta(minutes=1),
            start=start + timedelta(minutes=number),
            open=price,
            high=price,
            low=Decimal("0.000000000000000001"),
            close=price,
            volume=Decimal("12345678901234567890.5"),
            trades=None if number % 2 else number,
            bought=None if number % 3 else Decimal(number),
        )


@pytest.fixture
def filled(engine):
    with Session(engine) as session, session.begin():
        record_bars(session, [*bars(), *bars(symbol='A "b", c'), *bars(JUNE, 2)], "test")
    return engine


def rows(engine, table="price_bars"):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM market.{table} ORDER BY 1, 2, 3")).all()


def test_a_month_comes_back_exactly_as_it_was(filled, tmp_path):
    before = rows(filled)

    done = archive.archive(filled, tmp_path, "price_bars", MAY)
    kept = rows(filled)
    restored = archive.restore(filled, done.path)

    assert (done.rows, done.dropped) == (10, True)
    assert {row.start.month for row in kept} == {6}
    assert restored == (10, 10)
    assert rows(filled) == before
    assert archive.restore(filled, done.path) == (10, 0)
    assert str(parquet.read_schema(done.path).field("close").type) == "decimal128(38, 18)"


def test_the_partition_goes_with_its_rows(filled, tmp_path):
    archive.archive(filled, tmp_path, "price_bars", MAY)

    with filled.connect() as connection:
        assert not connection.scalar(PART)


def test_a_month_of_a_table_without_partitions_is_deleted(filled, tmp_path):
    with filled.begin() as connection:
        connection.execute(text("CREATE TABLE market.whole (LIKE market.price_bars INCLUDING ALL)"))
        connection.execute(text("INSERT INTO market.whole SELECT * FROM market.price_bars"))
        connection.execute(text("DROP TABLE market.price_bars"))
        connection.execute(text("ALTER TABLE market.whole RENAME TO price_bars"))
    before = rows(filled)

    done = archive.archive(filled, tmp_path, "price_bars", MAY)

    assert done.dropped
    assert {row.start.month for row in rows(filled)} == {6}
    archive.restore(filled, done.path)
    assert rows(filled) == before


def test_quotes_of_options_are_archived_too(engine, tmp_path):
    with Session(engine) as session, session.begin():
        months.ensure(session, "option_quotes", [MAY])
        for contract, greek in (("AAPL240503P00155000", -0.06962352623019707), ("B", None)):
            session.add(
                OptionQuoteRow(
                    contract=contract,
                    quoted_at=MAY + timedelta(microseconds=259_610),
                    underlying="AAPL",
                    expires_on=date(2024, 5, 3),
                    kind="put",
                    strike=Decimal(155),
                    bid=Decimal("0.32"),
                    bid_exchange="",
                    delta=greek,
                    source="test",
                )
            )
    before = rows(engine, "option_quotes")

    done = archive.archive(engine, tmp_path, "option_quotes", MAY)

    assert rows(engine, "option_quotes") == []
    assert archive.restore(engine, done.path) == (2, 2)
    assert rows(engine, "option_quotes") == before


def test_only_months_before_those_to_keep_are_old(filled):
    with Session(filled) as session, session.begin():
        record_bars(session, bars(datetime(2025, 12, 31, 23, 50, tzinfo=UTC), 1), "test")

    found = [archive.old_months(filled, "price_bars", keep) for keep in (0, 1, 5, 6)]

    december = datetime(2025, 12, 1, tzinfo=UTC)
    assert found == [[december, MAY], [december], [december], []]
    assert archive.old_months(filled, "option_quotes", 0) == []


def test_rows_that_come_after_a_month_was_archived_get_a_file_of_their_own(filled, tmp_path):
    first = archive.archive(filled, tmp_path, "price_bars", MAY)
    with Session(filled) as session, session.begin():
        record_bars(session, bars(symbol="LATE/USD"), "test")

    second = archive.archive(filled, tmp_path, "price_bars", MAY)
    archive.restore(filled, first.path)
    archive.restore(filled, second.path)

    assert second.path.name == "price_bars-2026-05-2.parquet"
    assert len(rows(filled)) == 17


def test_a_month_that_was_restored_is_dropped_again_without_another_file(filled, tmp_path):
    first = archive.archive(filled, tmp_path, "price_bars", MAY)
    archive.restore(filled, first.path)

    assert archive.archive(filled, tmp_path, "price_bars", MAY) == first
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def test_a_month_that_is_being_written_to_is_not_dropped(filled, tmp_path):
    with Session(filled) as session:
        record_bars(session, bars(symbol="LATE/USD"), "test")

        done = archive.archive(filled, tmp_path, "price_bars", MAY)
        session.commit()

    assert not done.dropped
    assert len(rows(filled)) == 17


@pytest.mark.parametrize("spoilt", ["parquet", "json"])
def test_a_file_that_was_changed_is_refused(filled, tmp_path, spoilt):
    done = archive.archive(filled, tmp_path, "price_bars", MAY)
    path = done.path.with_suffix(f".{spoilt}")
    path.write_bytes(path.read_bytes()[:-30] + b"x" * 30)

    with pytest.raises(FileRefused):
        archive.restore(filled, done.path)
    assert len(rows(filled)) == 2


def test_a_manifest_cannot_name_another_table(filled, tmp_path):
    done = archive.archive(filled, tmp_path, "price_bars", MAY)
    path = done.path.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"table": "fills"}))

    with pytest.raises(FileRefused, match="not archived"):
        archive.restore(filled, done.path)


def test_a_kill_at_any_step_loses_nothing(filled, database_url, tmp_path):
    before = rows(filled)
    folder = tmp_path / "archive"
    folder.mkdir()
    codes = []
    while not codes or codes[-1] != 0:
        arguments = [database_url, str(folder), str(len(codes) + 1), MAY.isoformat()]
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=300)
        codes.append(done.returncode)
        if done.returncode:
            assert rows(filled) == before

    assert codes[:-1] == [-signal.SIGKILL] * (len(codes) - 1)
    assert len(codes) > 8
    (path,) = folder.glob("*.parquet")
    assert len(rows(filled)) == 2
    archive.restore(filled, path)
    assert rows(filled) == before
