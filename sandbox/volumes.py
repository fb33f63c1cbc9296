"""What every account has traded in the last thirty days, which decides its fees.

Source: support.kraken.com, "Fee structure and fee schedule". All markets here are in dollars.
"""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal

from sandbox.fees import tier_of

MINUTE_NS = 60_000_000_000
WINDOW_NS = 30 * 86_400 * 1_000_000_000


class Volumes:
    """Sums fills over a moving window; `floor` is a tier every account has at least.

    The fills of about a minute are kept as one, so that memory does not grow with them.
    """

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._fills: dict[str, deque[tuple[int, Decimal]]] = defaultdict(deque)
        self._sums: dict[str, Decimal] = defaultdict(Decimal)

    def add(self, account: str, time: int, cost: Decimal) -> None:
        """Count a fill; fills come in the order of time, but for those of one hour."""
        fills = self._fills[account]
        if fills and time < fills[-1][0] + MINUTE_NS:
            begin, before = fills.pop()
            fills.append((begin, before + cost))
        else:
            fills.append((time, cost))
        self._sums[account] += cost

    def of(self, account: str, now: int) -> Decimal:
        """Give the dollars an account has traded in the thirty days until now."""
        fills = self._fills[account]
        while fills and fills[0][0] <= now - WINDOW_NS:
            self._sums[account] -= fills.popleft()[1]
        return self._sums[account]

    def tier(self, account: str, now: int) -> int:
        """Give the fee tier of an account, counted from 1."""
        return max(self.floor, tier_of(self.of(account, now)))
