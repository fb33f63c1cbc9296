"""What changed since the state was last kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.orders import LedgerEntry, Order, Trade
    from sandbox.tape import OwnPrint


@dataclass
class Journal:
    """Orders to write over, and rows to add."""

    orders: dict[str, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    prints: list[OwnPrint] = field(default_factory=list)
    switches: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.orders or self.trades or self.entries or self.prints or self.switches)
