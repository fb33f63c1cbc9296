"""Many changes of a book, found and written together.

For a market that runs fast: what `book.changes` finds level by level for one message is found
here for thousands at once. The messages are the same to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from sandbox.book import CHECKED, levels_texts
from sandbox.wire import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.book import Side
    from sandbox.instruments import Pair
    from sandbox.market import Flags, Ints


@dataclass(frozen=True)
class Grid:
    """One side of a book at many moments, a row for each: prices in ticks, volumes in lots."""

    price: Ints
    lots: Ints

    def after(self, side: Side) -> Grid:
        """Put another row before all others."""
        first = np.array([side], np.int64)
        return Grid(
            np.concatenate([first[:, :, 0], self.price]),
            np.concatenate([first[:, :, 1], self.lots]),
        )

    def last(self) -> Side:
        """Give the last row as levels."""
        return list(zip(self.price[-1].tolist(), self.lots[-1].tolist(), strict=True))


def unrolled(pair: Pair, times: Ints, bids: Grid, asks: Grid) -> Iterator[bytes]:
    """Write the update for every moment at which a book changed.

    Args:
        pair: The market.
        times: The moments, in ns.
        bids: The bids before the first moment, and at every moment; all rows are full.
        asks: The asks likewise.
    """
    columns = [_changes(bids, falling=True), _changes(asks, falling=False)]
    marks = np.hstack([mark for mark, _, _ in columns])
    texts = levels_texts(
        pair,
        np.hstack([price for _, price, _ in columns])[marks],
        np.hstack([lots for _, _, lots in columns])[marks],
    )
    counts = marks.sum(axis=1)
    ends = np.cumsum(counts)
    splits = ends - counts + columns[0][0].sum(axis=1)
    start = 0
    head = f'{{"channel":"book","type":"update","data":[{{"symbol":"{pair.symbol}","bids":['
    best = np.hstack([_spelled(asks), _spelled(bids)]).tolist()
    rows = zip(times.tolist(), splits.tolist(), ends.tolist(), best, strict=True)
    for time, split, end, row in rows:
        if end == start:
            continue
        checked = crc32("".join(map(str, row)).encode())
        yield (
            f'{head}{",".join(texts[start:split])}],"asks":[{",".join(texts[split:end])}],'
            f'"checksum":{checked},"timestamp":"{stamp(time)}"}}]}}'
        ).encode()
        start = end


def _changes(grid: Grid, *, falling: bool) -> tuple[Flags, Ints, Ints]:
    """Mark what to send: levels that are gone, with no lots, and then those that are new."""
    old, new = grid.price[:-1], grid.price[1:]
    same = new[:, :, None] == old[:, None, :]
    equal = same & (grid.lots[1:, :, None] == grid.lots[:-1, None, :])
    worst = new[:, -1:]
    inside = old >= worst if falling else old <= worst
    marks = np.hstack([inside & ~same.any(axis=1), ~equal.any(axis=2)])
    return marks, np.hstack([old, new]), np.hstack([np.zeros_like(old), grid.lots[1:]])


def _spelled(grid: Grid) -> Ints:
    """Put prices and lots in turn, as the checksum takes them."""
    best = np.stack([grid.price[1:, :CHECKED], grid.lots[1:, :CHECKED]], axis=2)
    return best.reshape(len(best), -1)
