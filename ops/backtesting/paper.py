"""What a backtest is played for and what it leaves: terms, the account, the outcome.

Nothing here decides anything. A fill is booked as the live record books it: into a position
at average cost, and into ledger lines that sum to zero.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from market.instruments import Instrument, Side
from trader import ledger
from trader.limits import Limits, Standing
from trader.sizing import Appetite

if TYPE_CHECKING:
    from trader.ledger import Line
    from trader.position import Position

ZERO = Decimal(0)
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Whose fees, whose limits, and what is assumed where no book was recorded.

    `slippage` is what an order pays beyond the touch, as a fraction; `depth` the value of the
    ten best levels on either side; `volume_share` the most of the next bar's volume that an
    order gets.
    """

    instrument: Instrument
    limits: Limits = field(default_factory=Limits)
    appetite: Appetite = field(default_factory=Appetite)
    cash: Decimal = Decimal(10_000)
    slippage: Decimal = ZERO
    depth: Decimal = Decimal(20_000)
    volume_share: Decimal = Decimal("0.1")
    deadline: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if not (self.cash > 0 and self.depth > 0 and 0 < self.volume_share <= 1):
            raise ValueError("cash and depth must be positive, and a share between 0 and 1")
        if not 0 <= self.slippage < 1:
            raise ValueError(f"a slippage of {self.slippage} is no fraction below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """One order and what became of it; `number` is the bar that it was decided on."""

    number: int
    at: datetime
    side: Side
    ordered: Decimal
    quantity: Decimal
    price: Decimal
    fee: Decimal
    code: str
    reason: str

    @property
    def cost(self) -> Decimal:
        """What was paid or received, before the fee."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """Why nothing was opened any more; in a backtest nobody resumes."""

    at: datetime
    code: str
    reason: str


class Marks:
    """The account's profit at the end of every bar, as far as its limits on losses look back."""

    def __init__(self) -> None:
        self._morning: tuple[datetime, Decimal] | None = None
        self._last: tuple[datetime, Decimal] | None = None
        self._best: deque[tuple[datetime, Decimal]] = deque()  # none is below a later one

    def standing(self, profit: Decimal, now: datetime) -> Standing:
        """Compare with the day's beginning and with the best within 30 days."""
        begun = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._morning is None or self._morning[0] < begun:
            self._morning = (begun, profit) if self._last is None else (begun, self._last[1])
        while self._best and self._best[0][0] < now - MONTH:
            self._best.popleft()
        opening = self._morning[1]
        best = self._best[0][1] if self._best else profit
        return Standing(profit=profit, opening=opening, peak=max(profit, opening, best))

    def mark(self, profit: Decimal, at: datetime) -> None:
        """Remember the profit at a bar's end."""
        self._last = at, profit
        while self._best and self._best[-1][1] <= profit:
            self._best.pop()
        self._best.append((at, profit))


@dataclass(slots=True)
class Account:
    """Cash and one market's position, moved by fills alone."""

    cash: Decimal
    position: Position
    lines: list[Line] = field(default_factory=list)

    def book(self, traded: Traded) -> None:
        """Take a fill in; raises ValueError if its lines do not balance."""
        side, quantity, cost, fee = traded.side, traded.quantity, traded.cost, traded.fee
        symbol = self.position.symbol
        self.position = self.position.after(side, quantity=quantity, cost=cost, fee=fee)
        self.cash += (-cost if side is Side.BUY else cost) - fee
        lines = ledger.fill_lines(symbol, side, quantity=quantity, cost=cost, fee=fee)
        if wrong := ledger.imbalance(lines):
            raise ValueError(f"a fill of {symbol} does not balance: {wrong}")
        self.lines += lines


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it: one number a bar, every order that met the market, and the account.

    `equity` is cash and position at the bar's close and `held` the position's part of it, in
    the quote currency. `codes` counts the bars by what was decided on them; `unfilled` are
    the orders that got nothing. `sent_away` says when and why the model had to go, if it did.
    """

    account: Account
    equity: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    traded: list[Traded] = field(default_factory=list)
    unfilled: int = 0
    halts: list[Halted] = field(default_factory=list)
    sent_away: str | None = None
