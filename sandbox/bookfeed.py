"""What the listeners of one book have been told, and what they must hear next.

However fast the exchange's time runs, every change of the market's quotes is a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.book import (
    Side,
    changes,
    checksum,
    crossed,
    levels_text,
    merged,
    resting_levels,
    shown,
)
from sandbox.rapid import Grid, unrolled
from sandbox.wire import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.exchange import Exchange
    from sandbox.instruments import Pair
    from sandbox.market import Ints

MOST_MOMENTS = 4096
CELLS_AT_ONCE = 20_000
WIDEST = 25
FEWEST = 4
Sides = tuple[Side, Side]
Strikes = Callable[[int], bool]


class BookFeed:
    """One depth of one market's book, as it was told last."""

    def __init__(self, exchange: Exchange, pair: Pair, depth: int, now: int) -> None:
        self._exchange = exchange
        self._pair = pair
        self._depth = depth
        self._until = now
        self._told: Sides = shown(exchange, pair, now, depth)
        self._crossed = False

    def snapshot(self, now: int) -> bytes:
        """Write what was told last as the first message of a subscription."""
        return self._text(self._told, self._told, now, "snapshot")

    def unroll(self, until: int, strikes: Strikes | None) -> Iterator[bytes]:
        """Write every change of the market up to a moment, with clients' orders as they stand.

        Of more than two hours at once only the last two are told. `strikes` tells whether a
        fault wants the book crossed; without it none does.
        """
        times = self._exchange.market.moments(self._pair, self._until, until)[-MOST_MOMENTS:]
        self._until = max(self._until, until)
        rows = max(CELLS_AT_ONCE // self._depth, 1)
        for first in range(0, len(times), rows):
            part = times[first : first + rows]
            grids = None if self._crossed or strikes is not None else self._grids(part)
            if grids is None:
                bids, asks = merged(self._exchange, self._pair, part, self._depth)
                for time, *sides in zip(part.tolist(), bids, asks, strict=True):
                    yield from self._tell((sides[0], sides[1]), time, strikes)
            else:
                yield from unrolled(self._pair, part, *grids)
                self._told = grids[0].last(), grids[1].last()

    def _grids(self, times: Ints) -> tuple[Grid, Grid] | None:
        """Give both sides from what was told last on, if no client's order shows in them."""
        made, depth = [], self._depth
        if depth > WIDEST or len(times) < FEWEST:
            return None
        for buys, told in ((True, self._told[0]), (False, self._told[1])):
            liquidity = self._exchange.liquidity[self._pair.symbol]
            price, lots = liquidity.grid(times, depth, asks=not buys)
            if len(told) < depth or not lots.all():
                return None
            orders = resting_levels(self._exchange, self._pair, buys=buys)
            if orders and (orders[0][0] >= price.min() if buys else orders[0][0] <= price.max()):
                return None
            made.append(Grid(price, lots).after(told))
        return made[0], made[1]

    def refresh(self, now: int, strikes: Strikes | None) -> Iterator[bytes]:
        """Write how the book stands now, if that is not what was told."""
        sides = shown(self._exchange, self._pair, now, self._depth)
        yield from self._tell(sides, now, strikes)

    @property
    def mends(self) -> bool:
        """Whether the last message told of a book that never was."""
        return self._crossed

    def _tell(self, after: Sides, now: int, strikes: Strikes | None) -> Iterator[bytes]:
        self._crossed = strikes is not None and strikes(now)
        if self._crossed:
            after = crossed(*after)
        before = self._told
        if before == after:
            return
        self._told = after
        bids = changes(before[0], after[0], self._depth, falling=True)
        asks = changes(before[1], after[1], self._depth, falling=False)
        yield self._text((bids, asks), after, now, "update")

    def _text(self, levels: Sides, after: Sides, now: int, kind: str) -> bytes:
        pair = self._pair
        bids, asks = levels_text(pair, levels[0]), levels_text(pair, levels[1])
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{pair.symbol}",'
            f'"bids":[{bids}],"asks":[{asks}],"checksum":{checksum(*after)},'
            f'"timestamp":"{stamp(now)}"}}]}}'
        ).encode()
