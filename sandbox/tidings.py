"""What a market's websocket messages say, read exactly, whoever sent them.

Prices become ticks and quantities lots without rounding; a number that has more digits than
the pair is refused. Times are ns since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.candles import Candle
from sandbox.instruments import BY_SYMBOL, Pair

SECOND_NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MARKET_CHANNELS = frozenset({"book", "trade", "ticker", "ohlc"})
Change = tuple[int, int]


@dataclass(frozen=True, slots=True)
class BookTold:
    """Levels of a book as (ticks, lots), 0 lots to delete; a snapshot replaces everything.

    `depth` is how many levels a side are told of, where that is known.
    """

    pair: Pair
    snapshot: bool
    bids: tuple[Change, ...]
    asks: tuple[Change, ...]
    checksum: int | None
    time: int | None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class TradeTold:
    """One trade."""

    pair: Pair
    time: int
    price: int
    lots: int
    bought: bool
    market: bool
    identity: int


@dataclass(frozen=True, slots=True)
class DayTold:
    """The last 24 hours, as a ticker tells them."""

    pair: Pair
    candle: Candle
    time: int | None


@dataclass(frozen=True, slots=True)
class CandleTold:
    """One candle as it stands; `interval` is in minutes."""

    pair: Pair
    interval: int
    candle: Candle


Told = BookTold | TradeTold | DayTold | CandleTold


def read_message(message: dict[str, Any]) -> list[Told]:
    """Read a message of a market channel; of pairs not listed here it says nothing.

    Numbers must be `Decimal` or `int`.

    Raises:
        ValueError: A number is missing, not a number, or has too many digits.
    """
    channel, rows = message.get("channel"), message.get("data")
    if channel not in MARKET_CHANNELS or not isinstance(rows, list):
        return []
    snapshot = message.get("type") == "snapshot"
    made: list[Told] = []
    try:
        for row in rows:
            pair = BY_SYMBOL.get(row.get("symbol"))
            if pair is not None:
                made.append(_read_row(str(channel), pair, row, snapshot=snapshot))
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        msg = f"a message of the channel {channel} cannot be read: {error!r}"
        raise ValueError(msg) from error
    return made


def _read_row(channel: str, pair: Pair, row: dict[str, Any], *, snapshot: bool) -> Told:
    match channel:
        case "book":
            return _book(pair, row, snapshot=snapshot)
        case "trade":
            return _trade(pair, row)
        case "ticker":
            return _day(pair, row)
        case _:
            return _candle(pair, row)


def _book(pair: Pair, row: dict[str, Any], *, snapshot: bool) -> BookTold:
    bids, asks = (
        tuple((ticks_of(x["price"], pair), lots_of(x["qty"], pair)) for x in row.get(side, ()))
        for side in ("bids", "asks")
    )
    checksum = row.get("checksum")
    return BookTold(
        pair, snapshot, bids, asks, None if checksum is None else int(checksum), _time(row)
    )


def _trade(pair: Pair, row: dict[str, Any]) -> TradeTold:
    return TradeTold(
        pair,
        moment(row["timestamp"]),
        ticks_of(row["price"], pair),
        lots_of(row["qty"], pair),
        row["side"] == "buy",
        row.get("ord_type") == "market",
        int(row["trade_id"]),
    )


def _day(pair: Pair, row: dict[str, Any]) -> DayTold:
    last = ticks_of(row["last"], pair)
    candle = Candle(
        begin=0,
        open=last - ticks_of(row["change"], pair),
        high=ticks_of(row["high"], pair),
        low=ticks_of(row["low"], pair),
        close=last,
        average=float(row["vwap"]) * 10**pair.price_decimals,
        volume=lots_of(row["volume"], pair),
        count=int(row.get("trades", 0)),
    )
    return DayTold(pair, candle, _time(row))


def _candle(pair: Pair, row: dict[str, Any]) -> CandleTold:
    candle = Candle(
        begin=moment(row["interval_begin"]),
        open=ticks_of(row["open"], pair),
        high=ticks_of(row["high"], pair),
        low=ticks_of(row["low"], pair),
        close=ticks_of(row["close"], pair),
        average=float(row["vwap"]) * 10**pair.price_decimals,
        volume=lots_of(row["volume"], pair),
        count=int(row["trades"]),
    )
    return CandleTold(pair, int(row["interval"]), candle)


def _time(row: dict[str, Any]) -> int | None:
    return moment(row["timestamp"]) if row.get("timestamp") else None


def moment(text: str) -> int:
    """Read an RFC 3339 time with up to nine digits of the second.

    Examples:
        >>> moment("2024-09-25T17:48:24.745996Z")
        1727286504745996000
    """
    whole, _, rest = text.removesuffix("Z").partition(".")
    seconds = (datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH).total_seconds()
    return int(seconds) * SECOND_NS + int(rest.ljust(9, "0")[:9])


def ticks_of(number: Decimal | str, pair: Pair) -> int:
    """Count the ticks of a price exactly."""
    return _units(number, pair.price_decimals, pair)


def lots_of(number: Decimal | str, pair: Pair) -> int:
    """Count the lots of a quantity exactly."""
    return _units(number, pair.lot_decimals, pair)


def _units(number: Decimal | str, decimals: int, pair: Pair) -> int:
    value = Decimal(number)
    units = int(value.scaleb(decimals)) if value.is_finite() else 0
    if not value.is_finite() or Decimal(units).scaleb(-decimals) != value:
        msg = f"{number} is not a number {pair.symbol} can have here"
        raise ValueError(msg)
    return units
