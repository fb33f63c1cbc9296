"""Double-entry bookkeeping: the lines each happening writes, summing to zero per asset.

The account `exchange` is what we hold there; every other account says why it changed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from market.instruments import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

ZERO = Decimal(0)
EXCHANGE = "exchange"  # what the exchange holds for us
TRADING = "trading"  # what we gave and got in trades
FEES = "fees"  # what the exchange kept
OPENING = "opening"  # what was there before the first line
ADJUSTMENTS = "adjustments"  # corrections, each with a reason in its own row
ROUNDING = "rounding"  # what the exchange's own ledger rounded off its trades


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One side of a booking: an account gains or loses an amount of an asset."""

    account: str
    asset: str
    amount: Decimal

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise ValueError(f"not an amount: {self.amount} {self.asset}")


def fill_lines(
    symbol: str, side: Side, *, quantity: Decimal, cost: Decimal, fee: Decimal
) -> tuple[Line, ...]:
    """Book a trade: base against trading, cost against trading, fee against fees.

    Fees are in the quote currency, because every order asks for that.
    """
    base, quote = symbol.split("/")
    sign = 1 if side is Side.BUY else -1
    lines = [
        *_transfer(TRADING, base, sign * quantity),
        *_transfer(TRADING, quote, -sign * cost),
    ]
    if fee:
        lines += _transfer(FEES, quote, -fee)
    return tuple(lines)


def opening_lines(asset: str, amount: Decimal) -> tuple[Line, ...]:
    """Book what was on the account before our record began."""
    return _transfer(OPENING, asset, amount)


def adjustment_lines(asset: str, amount: Decimal) -> tuple[Line, ...]:
    """Book a correction of what we hold at the exchange."""
    return _transfer(ADJUSTMENTS, asset, amount)


def rounding_lines(asset: str, amount: Decimal) -> tuple[Line, ...]:
    """Book what the exchange gave or took by rounding, so that we hold what it says."""
    return _transfer(ROUNDING, asset, amount)


def imbalance(lines: Iterable[Line]) -> dict[str, Decimal]:
    """Return the assets whose lines do not sum to zero, with what they sum to."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.asset] += line.amount
    return {asset: amount for asset, amount in sums.items() if amount != 0}


def _transfer(other: str, asset: str, amount: Decimal) -> tuple[Line, Line]:
    return (
        Line(account=EXCHANGE, asset=asset, amount=amount),
        Line(account=other, asset=asset, amount=-amount),
    )
