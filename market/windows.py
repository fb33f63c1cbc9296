"""The windows that columns are computed of: over one market as it goes on, or over many rows.

Both give the same quantities of the same bars, so a row does not tell which of them made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from market import columns, kernels
from market.columns import LONG, MIDDLE, Row, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The first bar gives no change, LONG changes give a volatility and so the first mark,
# and MIDDLE marks fill the last window.
WARM_UP = 1 + LONG + MIDDLE - 1
# Rows that are computed at once: columns so long that they stay in a processor's cache.
BLOCK = 2_048


class Trail:
    """The last bars of one market, one after the other."""

    def __init__(self) -> None:
        self._told: dict[str, list[float]] = {name: [] for name in Told._fields}
        self._before: Row | None = None
        self._count = 0
        self.marks: list[float] = []
        self.volatility = 0.0

    def push(self, row: Row) -> bool:
        """Take the next bar in and tell whether every window is full."""
        told = columns.tell(row, self._before or row)
        self._before, self._count = row, self._count + 1
        for values, value in zip(self._told.values(), told, strict=True):
            values.append(value)
        if self._count <= LONG:
            return False
        self.volatility = kernels.deviation(self.last("change", LONG))
        self.marks = [*self.marks[1 - MIDDLE :], columns.mark(self)]
        if self._count % WARM_UP == 0:
            for values in self._told.values():
                del values[:-WARM_UP]
        return self._count >= WARM_UP

    def last(self, name: str, count: int) -> Sequence[float]:
        """Return one of Told's quantities in so many last bars."""
        return self._told[name][-count:]


@dataclass(slots=True)
class Block:
    """The windows of many rows at once: every value is a column, one element a row."""

    told: dict[str, Floats]
    volatilities: Floats
    marked: Floats
    first: int
    end: int

    @property
    def volatility(self) -> Floats:
        """The deviation of the last LONG changes."""
        return self.volatilities[self.first : self.end]

    @property
    def marks(self) -> Sequence[Floats]:
        """What `mark` said of the last MIDDLE bars."""
        return self._views(self.marked, MIDDLE)

    def last(self, name: str, count: int) -> Sequence[Floats]:
        """Return one of Told's quantities in so many last bars."""
        return self._views(self.told[name], count)

    def _views(self, values: Floats, count: int) -> list[Floats]:
        return [values[self.first - ago : self.end - ago] for ago in range(count - 1, -1, -1)]


def fill(table: Floats, row: Row) -> None:
    """Compute the rows of bars without a hole among them.

    Args:
        table: Takes the rows, shape (n, m); those before the windows are full stay as they are.
        row: The bars, every field a column of n.
    """
    count = len(table)
    if count < WARM_UP:
        return
    # The first bar follows none, and no window reaches back to what follows from that.
    before = Row._make(np.concatenate([values[:1], values[:-1]]) for values in row)
    told = columns.tell(row, before)._asdict()
    volatilities, marked = np.zeros(count), np.zeros(count)
    for first, end in _blocks(LONG, count):
        block = Block(told, volatilities, marked, first, end)
        volatilities[first:end] = kernels.deviation(block.last("change", LONG))
        marked[first:end] = columns.mark(block)
    for first, end in _blocks(WARM_UP - 1, count):
        block = Block(told, volatilities, marked, first, end)
        for number, values in enumerate(columns.values(block)):
            table[first:end, number] = values


def _blocks(first: int, end: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, end, BLOCK):
        yield begin, min(begin + BLOCK, end)
