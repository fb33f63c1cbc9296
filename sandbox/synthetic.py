"""A market that is a pure function of a seed, a symbol and the time.

An hour is a block: 2048 quotes at equal steps and 360 trades at irregular times, made in one
go. Any hour can be made at any time, in any order, and is always the same to the last digit,
so history and the live feed agree however often the exchange is restarted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from sandbox.hourly import STEP_NS, Block, hourly_quotes, hourly_stretch, moments
from sandbox.market import HOUR_NS, Floats, Ints, Levels, Prints, Quote, Stretch
from sandbox.path import STEPS, walk
from sandbox.randomness import Integers, generator, number, scramble
from sandbox.swings import displacement, excitement

if TYPE_CHECKING:
    from sandbox.instruments import Pair

TRADES = 360
LISTED_NS = 1_640_995_200_000_000_000
_TOUCH_LIFE = 8
_EVEN = 0.5
_MARKET_ORDERS = 0.4


@dataclass(frozen=True)
class Synthetic:
    """The seeded market. `edge` is the planted pattern as a fraction of the price."""

    seed: int
    edge: float

    @property
    def listed(self) -> int:
        """The moment at which the market begins, in nanoseconds."""
        return LISTED_NS

    @property
    def begins(self) -> None:
        """Say that any time will do for a new clock."""
        return

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

    @staticmethod
    def first_identity(_pair: Pair, hour: int) -> int:
        """Give the trade id of the first trade of an hour."""
        return hour * TRADES

    def block(self, pair: Pair, hour: int) -> Block:
        """Give one hour of a market, counted from 1970."""
        return _block(self.seed, self.edge, pair, hour)

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


class Quoted(Protocol):
    """A market whose best prices change at equal steps."""

    @property
    def seed(self) -> int:
        """What the depth behind the best prices is drawn from."""

    def block(self, pair: Pair, hour: int) -> Block:
        """Give one hour of a market, counted from 1970."""


def one_side(market: Quoted, pair: Pair, time: int, depth: int, *, asks: bool) -> Levels:
    """Make one side of the book around the best price, the same for the same moment."""
    made = many_sides(market, pair, np.array([time]), depth, asks=asks)
    return Levels(made.price[0], made.quantity[0], made.stamp[0])


def many_sides(market: Quoted, pair: Pair, times: Ints, depth: int, *, asks: bool) -> Levels:
    """Make one side of the book at many moments in order, a row for each."""
    base = number(market.seed, pair.symbol, "asks" if asks else "bids")
    touches = []
    for hour in range(int(times[0]) // HOUR_NS, int(times[-1]) // HOUR_NS + 1):
        low, high = np.searchsorted(times, [hour * HOUR_NS, (hour + 1) * HOUR_NS])
        block = market.block(pair, hour)
        quotes = block.ask if asks else block.bid
        touches.append(quotes[times[low:high] % HOUR_NS // STEP_NS])
    steps = times // STEP_NS
    return _sides(base, pair, np.concatenate(touches), steps, depth if asks else -depth)


@lru_cache(maxsize=256)
def _block(seed: int, edge: float, pair: Pair, hour: int) -> Block:
    relative, lively = walk(seed, pair.symbol, hour)
    seconds: Floats = np.arange(STEPS, dtype=np.float64) * (3600 / STEPS)
    planted = displacement(seed, pair.symbol, hour, edge, seconds)
    middle = pair.typical_price * 10**pair.price_decimals * np.exp(relative + planted)
    random = generator(seed, pair.symbol, "trades", hour)
    mood = np.repeat(np.exp(0.35 * random.standard_normal(STEPS // 32)), 32)
    nervous = 0.7 + 0.3 * np.sqrt(np.minimum(lively, 9.0))
    half = middle * (pair.spread / 2) * mood * nervous
    bid = np.floor(middle - half).astype(np.int64)
    ask = np.maximum(np.ceil(middle + half).astype(np.int64), bid + 1)
    busy = excitement(seed, pair.symbol, hour, edge, seconds)
    shape = _Shape(bid, ask, busy, lively)
    return Block(_trades(random, pair, hour, shape), bid, ask)


@dataclass(frozen=True)
class _Shape:
    bid: Ints
    ask: Ints
    busy: Floats
    lively: Floats


def _trades(random: np.random.Generator, pair: Pair, hour: int, shape: _Shape) -> Prints:
    minute_mood = np.repeat(random.gamma(4.0, 0.25, 64), STEPS // 64)
    intensity = np.concatenate([[0.0], np.cumsum(shape.busy * minute_mood)])
    wanted = (np.arange(TRADES) + random.random(TRADES)) / TRADES * intensity[-1]
    places = np.interp(wanted, intensity, np.arange(STEPS + 1))
    offset = np.minimum((places * STEP_NS).astype(np.int64), HOUR_NS - TRADES - 1)
    offset += np.arange(TRADES)
    step = offset // STEP_NS
    bought = random.random(TRADES) < _EVEN
    daily = 1 + 0.5 * np.sin(2 * np.pi * (hour % 24 - 8) / 24)
    stir = np.sqrt(np.clip(shape.lively[step], 0.1, 9.0))
    cost = pair.typical_cost * daily * shape.busy[step] * stir
    size = cost * np.exp(1.2 * random.standard_normal(TRADES) - 0.72)
    price = np.where(bought, shape.ask[step], shape.bid[step])
    units = size * 10.0 ** (pair.lot_decimals + pair.price_decimals) / price
    return Prints(
        time=hour * HOUR_NS + offset,
        price=price,
        quantity=np.maximum(units.astype(np.int64), 1000),
        bought=bought,
        market=random.random(TRADES) < _MARKET_ORDERS,
        identity=hour * TRADES + np.arange(TRADES),
    )


def _unit(values: Integers) -> npt.NDArray[np.float64]:
    return (values >> np.uint64(11)).astype(np.float64) / 2.0**53


def _sides(base: int, pair: Pair, touch: Ints, step: Ints, depth: int) -> Levels:
    """Place one order in every cell of prices beyond the touch, each with its own life."""
    cell, size = pair.cell, pair.typical_cost / pair.typical_price * 10**pair.lot_decimals
    outward = np.sign(depth) * np.arange(1, abs(depth), dtype=np.int64)
    cells = (touch // cell)[:, None] + outward
    names = scramble(cells.astype(np.uint64) ^ np.uint64(base & 0xFFFFFFFFFFFFFFFF))
    life = 40 + (names % np.uint64(80)).astype(np.int64)
    stamp = (step[:, None] + (names % np.uint64(997)).astype(np.int64)) // life
    first = scramble(names ^ stamp.astype(np.uint64))
    second, third = scramble(first), scramble(scramble(first))
    price = cells * cell + (first % np.uint64(cell)).astype(np.int64)
    spread = _unit(first) + _unit(second) + _unit(third) - 1.5
    quantity = (4 * size * np.exp(2.0 * spread)).astype(np.int64) + 1
    touch_stamp = step // _TOUCH_LIFE
    own = scramble(touch.astype(np.uint64)) ^ scramble(touch_stamp.astype(np.uint64))
    drawn = _unit(scramble(own ^ scramble(np.array([base & 0x7FFFFFFF], np.uint64))))
    at_touch = (2 * size * (0.2 + 2 * drawn)).astype(np.int64) + 1
    return Levels(
        np.column_stack([touch, price]),
        np.column_stack([at_touch, quantity]),
        np.column_stack([touch_stamp, stamp]),
    )
