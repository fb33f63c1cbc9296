"""A market that repeats what a file says: candles or trades, the rest of it made around them.

Outside the file's span the price stands still and nothing trades. The pairs the file says
nothing about are synthetic.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sandbox.errors import BadStart
from sandbox.hourly import STEP_NS, Block, hourly_quotes, hourly_stretch, moments
from sandbox.instruments import PAIRS, Pair
from sandbox.market import HOUR_NS, Ints, Levels, Prints, Quote, Stretch
from sandbox.path import STEPS
from sandbox.synthetic import many_sides, one_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.synthetic import Synthetic

SECOND_NS = 1_000_000_000
REMEMBERED = 256
TIMES = ("time", "timestamp", "datetime", "date", "unix", "open_time", "time_ms")
AMOUNTS = ("volume", "amount", "qty", "quantity", "size")
CANDLES = ("open", "high", "low", "close")
OHLCVT = 7
SALES = 3
Row = tuple[int, int, int, bool]


@dataclass
class Replay:
    """A market whose trades of one pair come from a file."""

    rest: Synthetic | Replay
    pair: Pair
    trades: Prints
    _blocks: dict[int, Block] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed of whatever the file does not say."""
        return self.rest.seed

    @property
    def listed(self) -> int:
        """The moment of the first trade, before which there is nothing."""
        return int(self.trades.time[0])

    @property
    def begins(self) -> int:
        """Where a new clock begins: when there is an hour to look back on."""
        return self.listed + HOUR_NS

    @staticmethod
    def foreign(_pair: Pair) -> bool:
        """Tell that clients' fills are trades of this market."""
        return False

    @staticmethod
    def given(_pair: Pair) -> None:
        """Give no statistics: they are computed from the trades."""
        return

    @staticmethod
    def settled(_pair: Pair, now: int) -> int:
        """Give the present: all trades until then are known."""
        return now

    @staticmethod
    def reach(_now: int) -> None:
        """Do nothing: any moment can be asked for at any time."""

    def first_identity(self, pair: Pair, hour: int) -> int:
        """Give the trade id of the first trade that is not before an hour."""
        if pair is not self.pair:
            return self.rest.first_identity(pair, hour)
        before = int(np.searchsorted(self.trades.time, hour * HOUR_NS))
        return int(self.trades.identity[0]) + before

    def block(self, pair: Pair, hour: int) -> Block:
        """Give one hour of a market, counted from 1970."""
        if pair is not self.pair:
            return self.rest.block(pair, hour)
        if hour not in self._blocks:
            if len(self._blocks) >= REMEMBERED:
                self._blocks.clear()
            self._blocks[hour] = self._make(hour)
        return self._blocks[hour]

    def _make(self, hour: int) -> Block:
        told = self.trades
        low, high = np.searchsorted(told.time, [hour * HOUR_NS, (hour + 1) * HOUR_NS])
        cut = slice(int(low), int(high))
        steps: Ints = hour * HOUR_NS + STEP_NS * np.arange(STEPS, dtype=np.int64)
        latest = np.maximum(np.searchsorted(told.time, steps, side="right") - 1, 0)
        middle = told.price[latest].astype(np.float64)
        half = middle * self.pair.spread / 2
        bid = np.maximum(np.floor(middle - half), 1).astype(np.int64)
        ask = np.maximum(np.ceil(middle + half).astype(np.int64), bid + 1)
        prints = Prints(
            told.time[cut],
            told.price[cut],
            told.quantity[cut],
            told.bought[cut],
            told.market[cut],
            told.identity[cut],
        )
        return Block(prints, bid, ask)

    def prints(self, pair: Pair, hour: int) -> Prints:
        """Give the trades of one hour, counted from 1970."""
        return self.block(pair, hour).prints

    def stretch(self, pair: Pair, after: int, until: int) -> Stretch:
        """Give what happened later than one moment and not later than another."""
        return hourly_stretch(self, pair, after, until)

    def quotes(self, pair: Pair, until: int, count: int) -> list[Quote]:
        """Give the last times, best bids and best asks, oldest first."""
        return hourly_quotes(self, pair, until, count)

    def touch(self, pair: Pair, time: int) -> tuple[int, int]:
        """Give the best bid and ask in ticks at a moment in nanoseconds."""
        block = self.block(pair, time // HOUR_NS)
        step = time % HOUR_NS // STEP_NS
        return int(block.bid[step]), int(block.ask[step])

    def side(self, pair: Pair, time: int, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at a moment, best first."""
        return one_side(self, pair, time, depth, asks=asks)

    @staticmethod
    def moments(_pair: Pair, after: int, until: int) -> Ints:
        """Give the moments at which the book changes, later than one and up to another."""
        return moments(after, until)

    def sides(self, pair: Pair, times: Ints, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at many moments, a row for each."""
        return many_sides(self, pair, times, depth, asks=asks)


def read_replay(path: str, rest: Synthetic) -> Replay:
    """Read candles or trades from a CSV file whose name says the pair.

    Args:
        path: Candles with a header or as Kraken dumps them (OHLCVT), or trades likewise
            (time and sales); may be gzipped.
        rest: The market of all other pairs.
    """
    pair = _pair_of(path)
    try:
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rt", newline="") as file:
            rows = sorted(_rows(csv.reader(file), pair), key=lambda row: row[0])
    except (OSError, ValueError, InvalidOperation, LookupError) as error:
        msg = f"{path} cannot be replayed: {error}"
        raise BadStart(msg, 2) from error
    if not rows:
        msg = f"{path} cannot be replayed: it holds no trades"
        raise BadStart(msg, 2)
    times = np.array([row[0] for row in rows], np.int64)
    order = np.arange(len(rows), dtype=np.int64)
    times = np.maximum.accumulate(times - order) + order
    return Replay(
        rest,
        pair,
        Prints(
            times,
            np.array([row[1] for row in rows], np.int64),
            np.array([row[2] for row in rows], np.int64),
            np.array([row[3] for row in rows], bool),
            np.ones(len(rows), bool),
            1 + order,
        ),
    )


def _pair_of(path: str) -> Pair:
    name = "".join(letter for letter in Path(path).name.upper() if letter.isalnum())
    for pair in PAIRS:
        if any(word.replace("/", "") in name for word in (pair.symbol, pair.altname)):
            return pair
    known = ", ".join(pair.altname for pair in PAIRS)
    msg = f"the name of {path} must say which pair it is about: {known}"
    raise BadStart(msg, 2)


def _rows(lines: Iterable[list[str]], pair: Pair) -> Iterator[Row]:
    kept = [line for line in lines if line]
    header = [word.strip().lower() for word in kept[0]] if kept else []
    if header and not header[0].replace(".", "", 1).isdigit():
        kept = kept[1:]
    elif len(header) == SALES:
        header = ["time", "price", "volume"]
    elif len(header) >= OHLCVT:
        header = ["time", *CANDLES, "volume"]
    time, amount = _place(header, TIMES), _place(header, AMOUNTS)
    if "price" in header:
        side = header.index("side") if "side" in header else None
        yield from _sales(kept, (time, header.index("price"), amount), side, pair)
    else:
        places = tuple(header.index(name) for name in CANDLES)
        yield from _candles(kept, (time, amount), places, pair)


def _place(header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    msg = f"it has no column {names[0]}"
    raise ValueError(msg)


def _sales(
    lines: list[list[str]], places: tuple[int, int, int], side: int | None, pair: Pair
) -> Iterator[Row]:
    before, bought = 0, True
    for line in lines:
        at, price = _moment(line[places[0]]), _units(line[places[1]], pair.price_decimals)
        bought = price > before or (price == before and bought)
        before = price
        told = bought if side is None else line[side].lower().startswith("b")
        yield at, price, max(_units(line[places[2]], pair.lot_decimals), 1), told


def _candles(
    lines: list[list[str]], places: tuple[int, int], prices: tuple[int, ...], pair: Pair
) -> Iterator[Row]:
    starts = [_moment(line[places[0]]) for line in lines]
    width = min((b - a for a, b in pairwise(starts) if b > a), default=60 * SECOND_NS)
    for start, line in zip(starts, lines, strict=True):
        first, high, low, last = (_units(line[place], pair.price_decimals) for place in prices)
        lots = _units(line[places[1]], pair.lot_decimals)
        if lots == 0:
            continue
        path = (first, low, high, last) if last >= first else (first, high, low, last)
        quarter, odd = divmod(lots, 4)
        for part, price in enumerate(path):
            at = start + part * width // 4
            yield at, price, max(quarter + (odd if part == 0 else 0), 1), part % 2 == 0


def _units(text: str, decimals: int) -> int:
    return int(Decimal(text).scaleb(decimals).to_integral_value())


def _moment(text: str) -> int:
    if text.replace(".", "", 1).isdigit():
        whole = Decimal(text)
        digits = len(text.partition(".")[0])
        return int(whole.scaleb(9 - 3 * max((digits - 8) // 3, 0)))
    read = datetime.fromisoformat(text)
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    since = read - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * SECOND_NS + since.microseconds * 1000
