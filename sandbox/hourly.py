"""What markets have in common that can make any hour of theirs at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sandbox.market import HOUR_NS, Ints, Prints, Quote, Stretch, join, part
from sandbox.path import STEPS

if TYPE_CHECKING:
    from sandbox.instruments import Pair

STEP_NS = HOUR_NS // STEPS


@dataclass(frozen=True)
class Block:
    """One hour of a market: its trades, and the best bid and ask at every step."""

    prints: Prints
    bid: Ints
    ask: Ints


class Hourly(Protocol):
    """A market that can make any hour of a pair at any time."""

    def block(self, pair: Pair, hour: int) -> Block:
        """Give one hour of a market, counted from 1970."""


def hourly_stretch(market: Hourly, pair: Pair, after: int, until: int) -> Stretch:
    """Cut an interval out of the hours of a market."""
    hours = range(after // HOUR_NS, until // HOUR_NS + 1)
    first, end = after // STEP_NS + 1, until // STEP_NS + 1
    bids, asks, prints = [], [], []
    for hour in hours:
        block = market.block(pair, hour)
        cut = slice(max(first - hour * STEPS, 0), max(end - hour * STEPS, 0))
        bids.append(block.bid[cut])
        asks.append(block.ask[cut])
        low, high = np.searchsorted(block.prints.time, [after, until], side="right")
        prints.append(part(block.prints, int(low), int(high)))
    return Stretch(moments(after, until), np.concatenate(bids), np.concatenate(asks), join(prints))


def hourly_quotes(market: Hourly, pair: Pair, until: int, count: int) -> list[Quote]:
    """Give the quotes at the last steps of a market's hours."""
    last = until // STEP_NS * STEP_NS
    found = hourly_stretch(market, pair, last - count * STEP_NS, last)
    return list(zip(found.time.tolist(), found.bid.tolist(), found.ask.tolist(), strict=True))


def moments(after: int, until: int) -> Ints:
    """Give the moments at which quotes change, later than one time and up to another."""
    return STEP_NS * np.arange(after // STEP_NS + 1, until // STEP_NS + 1, dtype=np.int64)
