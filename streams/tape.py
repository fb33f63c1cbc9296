"""One symbol's public trades: in the order of their ids, none twice and none left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from streams.wire import TradeRow


@dataclass(slots=True)
class Tape:
    """How far a symbol's trades have been followed; `last_id` is None before the first."""

    last_id: int | None = None
    last_at: datetime | None = None

    def jump(self, first_id: int) -> int | None:
        """Go on with a snapshot that begins here.

        Returns:
            The last trade before the hole that this leaves, or None if it leaves none.
        """
        known = self.last_id
        if known is None or first_id <= known + 1:
            return None
        self.last_id = first_id - 1
        return known

    def fell_back(self, newest: TradeRow, *, asked_for: bool) -> bool:
        """Tell whether the exchange counts its trades anew, and does not merely repeat one.

        Args:
            newest: The last trade of a message.
            asked_for: It comes with a snapshot that was asked for, which holds the newest.
        """
        if self.last_id is None or newest.trade_id >= self.last_id:
            return False
        return asked_for or (self.last_at is not None and newest.timestamp > self.last_at)

    def follow(self, rows: Iterable[TradeRow]) -> tuple[list[TradeRow], str | None]:
        """Take trades in order.

        Returns:
            Those not taken before, up to a hole, and what is wrong if there is one.
        """
        new: list[TradeRow] = []
        for row in rows:
            if self.last_id is not None and row.trade_id <= self.last_id:
                continue
            if self.last_id is not None and row.trade_id != self.last_id + 1:
                return new, f"expected trade {self.last_id + 1}, received {row.trade_id}"
            self.last_id, self.last_at = row.trade_id, row.timestamp
            new.append(row)
        return new, None
