"""Ingestion fills exactly the holes, from trades and candles alike, however often it runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from market import public_data
from market.bars import interval_start, resample
from market.errors import ExchangeUnreachable
from market.history import last_bars, record_bars
from market.ingestion import ingest
from market.instruments import Side, Trade
from market.providers import without_holes
from sql.tables import PriceBarRow

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
NOW = datetime(2026, 1, 3, 12, 0, 30, tzinfo=UTC)
FIRST = NOW.replace(second=0) - timedelta(hours=30)


class History:
    """An exchange with a trade every forty seconds, and none for a while each hour."""

    def __init__(self, page=100, *, fails_after=None):
        self.page = page
        self.requests = 0
        self.fails_after = fails_after
        self.all = [self._trade(n) for n in range(30 * 90) if n % 90 < 80]
        self.all = [
            Trade(
                symbol="XRP/USD",
                trade_id=number,
                at=at,
                side=Side.BUY,
                price=price,
                quantity=Decimal("1.5"),
            )
            for number, (at, price) in enumerate(self.all, 500)
        ]

    def _trade(self, number):
        return FIRST + timedelta(seconds=40 * number), Decimal(2) + Decimal(number % 7) / 100

    def _count(self):
        self.requests += 1
        if self.fails_after is not None and self.requests > self.fails_after:
            raise ExchangeUnreachable("the exchange did not answer")

    def now(self):
        """Return the time."""
        self._count()
        return NOW

    def bars(self, interval=MINUTE):
        """Return what ingestion should find."""
        return resample(self.all, "XRP/USD", interval, FIRST, interval_start(NOW, interval))

    def candles(self, _symbol, interval, since):
        """Return the last bars, without the quiet ones, and not who bought."""
        self._count()
        kept = [bar for bar in self.bars(interval) if bar.start >= NOW - 719 * interval]
        kept = [replace(bar, bought=None) for bar in kept]
        return [bar for bar in kept if bar.start >= since and bar.trades]

    def trades(self, _symbol, since):
        """Return a page of trades."""
        self._count()
        after = [one for one in self.all if one.at.timestamp() * 1e9 > since][: self.page]
        return after, int(after[-1].at.timestamp()) * 10**9 if after else since


def run(engine, history, **options):
    return ingest(engine, history, "XRP/USD", MINUTE, timedelta(hours=30), **options)


def on_record(engine, interval=MINUTE):
    with Session(engine) as session:
        return [bar for bar, _ in last_bars(session, "XRP/USD", interval, 10_000)]


def test_short_bars_are_built_from_trades_as_the_live_trader_builds_them(engine):
    ingested = run(engine, History())

    assert on_record(engine) == History().bars()
    assert ingested.gaps == ()
    assert (ingested.bars, ingested.new) == (1800, 1800)
    assert "none missing" in ingested.reason
    with Session(engine) as session:
        sources = set(session.scalars(select(PriceBarRow.source)))
    assert sources == {"trades"}


def test_long_bars_come_from_the_exchanges_own_candles(engine):
    ingested = ingest(engine, History(), "XRP/USD", QUARTER, timedelta(hours=29))

    wanted = [bar for bar in History().bars(QUARTER) if bar.start >= ingested.start]
    assert on_record(engine, QUARTER) == [replace(bar, bought=None) for bar in wanted]
    assert (ingested.gaps, ingested.bars, ingested.requests) == ((), 116, 2)


def test_a_second_run_asks_only_for_the_time(engine):
    run(engine, History())

    again = run(engine, History())

    assert (again.new, again.bars, again.requests) == (0, 1800, 1)


def test_only_what_is_missing_is_fetched(engine):
    bars = History().bars()
    with Session(engine) as session:
        record_bars(session, bars[:100] + bars[130:], "test")
        session.commit()

    ingested = run(engine, History())

    assert ingested.new == 30
    assert ingested.requests == 2
    assert on_record(engine) == bars


def test_a_run_cut_short_is_continued_by_the_next(engine):
    with pytest.raises(ExchangeUnreachable):
        run(engine, History(fails_after=5))
    kept = len(on_record(engine))

    ingested = run(engine, History())

    assert 200 < kept < 500
    assert ingested.new == 1800 - kept
    assert on_record(engine) == History().bars()


def test_bars_that_miss_a_trade_stay_missing(engine):
    history = History()
    lost = history.all.pop(50)

    ingested = run(engine, history)

    around = [(start, end) for start, end in ingested.gaps if start <= lost.at < end]
    assert len(around) == len(ingested.gaps) == 1
    assert "missing" in ingested.reason
    assert ingested.table()[-1]["what"] == "missing"


def test_progress_is_told_after_every_page(engine):
    told = []

    run(engine, History(), progress=told.append)

    assert told == sorted(told)
    assert told[-1] == interval_start(NOW, MINUTE)


def test_nothing_after_the_given_end_is_fetched(engine):
    until = FIRST + timedelta(hours=2)

    ingest(engine, History(), "XRP/USD", MINUTE, timedelta(hours=2), until=until)

    assert [bar.end for bar in on_record(engine)][-1] == until


@pytest.mark.parametrize("page", [2, 7, 1000])
def test_trades_of_one_instant_may_be_split_between_pages(engine, page):
    history = History(page)
    crowd = history.all[:60]
    history.all = [
        Trade(
            symbol=one.symbol,
            trade_id=one.trade_id,
            at=crowd[number - number % 2].at,
            side=one.side,
            price=one.price,
            quantity=one.quantity,
        )
        for number, one in enumerate(crowd)
    ]

    ingest(engine, history, "XRP/USD", MINUTE, timedelta(hours=2), until=FIRST + timedelta(hours=2))

    assert sum(bar.trades for bar in on_record(engine)) == 60


@given(st.sets(st.integers(0, 30)), st.integers(0, 30), st.integers(0, 30))
def test_left_out_quiet_bars_are_put_back(dropped, start, length):
    bars = History().bars()[:31]
    first, end = bars[start].start, bars[start].start + length * MINUTE
    wanted = [bar for bar in bars if first <= bar.start < end]
    kept = [bar for n, bar in enumerate(bars) if n not in dropped]

    filled = without_holes(kept, first, min(end, bars[-1].end), wanted[0].open if wanted else None)

    kept_starts = {bar.start for bar in kept}
    starts = [bar.start for bar in filled]
    assert starts == sorted(set(starts))
    assert not filled or starts == [bar.start for bar in wanted]
    assert all(bar in bars for bar in filled if bar.start in kept_starts)
    assert all(bar.volume == 0 for bar in filled if bar.start not in kept_starts)


def test_a_message_of_the_exchange_becomes_trades_and_bars():
    trade = public_data._trade(
        "XRP/USD", ["2.10000", "10.00000000", "1790359840.9392912", "s", "l", "", "109118758"]
    )
    bar = public_data._bar(
        "XRP/USD",
        MINUTE,
        ["1790348400", "2.0", "2.2", "1.9", "2.1", "2.05", "159.04484404", "9205"],
    )

    assert (trade.trade_id, trade.side, str(trade.price)) == (109118758, Side.SELL, "2.10000")
    assert trade.at == datetime.fromtimestamp(1790359840.939291, UTC)
    assert (bar.start.timestamp(), bar.volume, bar.trades) == (
        1790348400,
        Decimal("159.04484404"),
        9205,
    )
