"""Old months leave the database for files and come back, by two commands and in plain words."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from market.bars import Bar
from market.history import record_bars
from ops.cli import main


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, capsys):
    """Run a command and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


@pytest.fixture
def filled(engine):
    """Give a record of ten bars in May and ten in July."""
    price = Decimal("2.5")
    with Session(engine) as session, session.begin():
        for month in (5, 7):
            bars = [
                Bar(
                    symbol="XRP/USD",
                    interval=timedelta(minutes=1),
                    start=datetime(2026, month, 3, 4, number, tzinfo=UTC),
                    open=price,
                    high=price,
                    low=price,
                    close=price,
                    volume=price,
                    trades=number,
                )
                for number in range(10)
            ]
            record_bars(session, bars, "test")
    return engine


def count(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM market.price_bars"))


def test_an_old_month_goes_to_a_file_and_comes_back(friday, filled, tmp_path):
    folder = tmp_path / "archive"

    code, out, _ = friday("archive", folder, "--keep-months", 1)
    assert (code, out.split()) == (
        0,
        ["file", "rows", "dropped", "price_bars-2026-05.parquet", "10", "yes"],
    )
    assert count(filled) == 10
    assert friday("archive", folder, "--keep-months", 1)[1] == "no month is that old\n"

    code, out, _ = friday("import", "parquet", folder / "price_bars-2026-05.parquet")
    assert (code, out) == (0, "price_bars-2026-05.parquet: 10 new of 10 rows\n")
    assert count(filled) == 20


def test_a_month_in_use_is_written_and_left_with_a_word_about_it(friday, filled, tmp_path):
    with filled.begin() as reader:
        reader.execute(text("SELECT * FROM market.price_bars LIMIT 1"))
        code, out, err = friday("archive", tmp_path / "archive", "--keep-months", 1, "--json")

    assert code == 1
    assert json.loads(out)[0]["dropped"] is False
    assert "not dropped since the table was in use" in err
    assert friday("archive", tmp_path / "archive", "--keep-months", 1)[0] == 0
    assert count(filled) == 10


def test_a_folder_that_cannot_be_written_and_a_file_that_is_no_archive_are_told(
    friday, filled, tmp_path
):
    occupied = tmp_path / "file"
    occupied.write_text("")
    stranger = tmp_path / "stranger.parquet"
    stranger.write_text("PAR1")

    for arguments, expected, sentence in (
        (("archive", occupied / "below", "--keep-months", 1), 3, "below: Not a directory"),
        (("import", "parquet", stranger), 2, "is not the manifest of an archived month"),
        (("archive", tmp_path / "archive", "--keep-months", 0), 2, "0 is not in the range"),
    ):
        code, _, err = friday(*arguments)
        assert (code, sentence in err) == (expected, True), err
    assert count(filled) == 20
