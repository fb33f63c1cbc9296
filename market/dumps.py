"""Kraken's dumps as providers: bars with their number of trades, and single trades.

Lines come oldest first. One that is no bar or no trade is told to an inspection, with its
number, and left out. A dump of bars leaves out the intervals in which nothing traded, so
these are flat bars; but of a dump with a bad line nobody knows what a hole in it means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from market import dump_lines
from market.bars import EPOCH, NOTHING, Bar, BarBuilder, quiet_bars
from market.dump_files import lines
from market.instruments import Side, Trade
from market.providers import FOREVER, Page
from market.quality import Candle, Inspection, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from market.dump_files import Lines, Part
    from market.providers import Provider, Wanted

PAGE = 20_000  # bars; about 20 MB
LOOK_UP = 20_000  # lines between two words on how far it has come
Progress = Callable[[int], None]  # told the position in the part


def check_ohlcvt(part: Part, interval: timedelta, progress: Progress) -> Inspection:
    """Look at every line of a dump of bars and return what is wrong with them.

    Raises:
        FileRefused: It cannot be read to its end.
    """
    inspection = Inspection(interval)
    with lines(part) as found:
        for _ in _candles(found, inspection, progress):
            pass
    inspection.close()
    return inspection


def check_trades(part: Part, interval: timedelta, progress: Progress) -> Inspection:
    """Look at every line of a dump of trades and return what is wrong with them.

    Raises:
        FileRefused: It cannot be read to its end.
    """
    inspection = Inspection(interval)
    with lines(part) as found:
        for _ in _sales(found, "", inspection, progress):
            inspection.bars += 1
    return inspection


def ohlcvt(part: Part, progress: Progress, *, whole: bool) -> Provider:
    """Return what yields the bars of a dump of `unix seconds,open,high,low,close,volume,trades`.

    Args:
        part: The dump.
        progress: Told how far the part has been read.
        whole: Whether no line of it is bad, so that a bar it lacks is a quiet one.
    """
    return partial(_ohlcvt, part, progress, fill=quiet_bars if whole else _nothing)


def time_and_sales(part: Part, progress: Progress) -> Provider:
    """Return what yields bars built from a dump of `unix seconds,price,volume`.

    The dump does not tell who came to buy, and neither do the bars. Without a moment from
    which on it is known to be whole (`Wanted.start`) the bar of its first trade is left
    incomplete, and without an end (`Wanted.end`) that of its last is left out. Every bar
    that a bad line may belong to is incomplete.
    """
    return partial(_time_and_sales, part, progress)


def _ohlcvt(
    part: Part, progress: Progress, wanted: Wanted, *, fill: Callable[..., Iterator[Bar]]
) -> Iterator[Page]:
    with lines(part) as found:
        candles = _candles(found, Inspection(wanted.interval), progress)
        bars = (_bar(candle, trades, wanted) for candle, trades in candles)
        inside = (bar for bar in bars if wanted.start <= bar.start and bar.end <= wanted.end)
        yield from _paged(_filled(inside, fill), "kraken-ohlcvt")


def _filled(bars: Iterator[Bar], fill: Callable[..., Iterator[Bar]]) -> Iterator[Bar]:
    last: Bar | None = None
    for bar in bars:
        if last is not None and last.end < bar.start:
            yield from fill(bar.symbol, bar.interval, last.end, bar.start, last.close)
        yield bar
        last = bar


def _nothing(*_: object) -> Iterator[Bar]:
    yield from ()


def _paged(bars: Iterator[Bar], source: str) -> Iterator[Page]:
    while page := list(islice(bars, PAGE)):
        yield Page(page, source)


def _time_and_sales(part: Part, progress: Progress, wanted: Wanted) -> Iterator[Page]:
    with lines(part) as found:
        inspection = Inspection(wanted.interval)
        sales = _sales(found, wanted.symbol, inspection, progress)
        bars = map(_side_unknown, _built(sales, wanted, inspection))
        yield from _paged(bars, "kraken-trades")


def _built(trades: Iterator[Trade], wanted: Wanted, inspection: Inspection) -> Iterator[Bar]:
    begin = None if wanted.start == EPOCH else wanted.start
    builder = BarBuilder(
        wanted.symbol, wanted.interval, begin=begin, close=wanted.close, last_trade_id=-1
    )
    bad, at, stride = 0, begin, PAGE * wanted.interval
    for trade in trades:
        if trade.at < wanted.start:
            builder.last_trade_id, bad = trade.trade_id, inspection.bad
            continue
        if trade.at >= wanted.end:
            break
        # A market may rest for months: its quiet bars come in strides, too. Where a line
        # between two trades is bad they are not known to be quiet, and come incomplete.
        while at is not None and builder.last_trade_id == trade.trade_id - 1:
            if (at := at + stride) >= trade.at:
                break
            yield from builder.advance(at)
        yield from builder.add(trade)
        at, bad = trade.at, inspection.bad
    if wanted.end != FOREVER and inspection.bad == bad:
        yield from builder.advance(wanted.end)


def _side_unknown(bar: Bar) -> Bar:
    return replace(bar, bought=None if bar.trades else NOTHING)


def _candles(
    found: Lines, inspection: Inspection, progress: Progress
) -> Iterator[tuple[Candle, int]]:
    for line, row in found.rows:
        if line % LOOK_UP == 0:
            progress(found.position())
        try:
            candle, trades = dump_lines.candle(row)
        except ValueError as error:
            inspection.reject(Kind.UNREADABLE, str(error), line=line)
            continue
        if inspection.look(candle, line):
            yield candle, trades


def _bar(candle: Candle, trades: int, wanted: Wanted) -> Bar:
    start, opened, high, low, close, volume = candle
    return Bar(
        symbol=wanted.symbol,
        interval=wanted.interval,
        start=start,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        trades=trades,
    )


def _sales(
    found: Lines, symbol: str, inspection: Inspection, progress: Progress
) -> Iterator[Trade]:
    """Yield the good trades, numbered with the bad ones, which are then missing trades."""
    latest = EPOCH
    for number, (line, row) in enumerate(found.rows):
        if line % LOOK_UP == 0:
            progress(found.position())
        try:
            at, price, quantity = dump_lines.sale(row)
        except ValueError as error:
            inspection.reject(Kind.UNREADABLE, str(error), line=line)
            continue
        if at < latest:
            why = f"a trade of {latest:%Y-%m-%d %H:%M:%S} came before it"
            inspection.reject(Kind.OUT_OF_ORDER, why, line=line, at=at)
            continue
        try:
            trade = Trade(
                symbol=symbol,
                trade_id=number,
                at=at,
                side=Side.SELL,  # the format has none, and what is built tells none, either
                price=price,
                quantity=quantity,
            )
        except ValueError as error:
            inspection.reject(Kind.IMPOSSIBLE, str(error), line=line, at=at)
            continue
        latest = at
        yield trade
