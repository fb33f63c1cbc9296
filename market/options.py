"""Option contracts, what their symbols spell, and what they are quoted at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

OCC = re.compile(r"([A-Z]{1,6})(\d{2})(\d{2})(\d{2})([CP])(\d{8})")
KINDS = {"C": "call", "P": "put"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """An option, as its OCC symbol spells it; `kind` is call or put."""

    symbol: str
    underlying: str
    expires_on: date
    kind: str
    strike: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionQuote:
    """What a contract was quoted at, its last trade and its greeks by then.

    What the source does not tell is None; greeks are those of the source's own model.
    """

    contract: Contract
    quoted_at: datetime
    bid: Decimal | None = None
    bid_size: int | None = None
    bid_exchange: str | None = None
    ask: Decimal | None = None
    ask_size: int | None = None
    ask_exchange: str | None = None
    condition: str | None = None
    last_price: Decimal | None = None
    last_size: int | None = None
    last_at: datetime | None = None
    implied_volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None

    def __post_init__(self) -> None:
        amounts = (self.bid, self.ask, self.last_price, self.bid_size, self.ask_size)
        for amount in amounts:
            if amount is not None and not 0 <= Decimal(amount) < Decimal("Infinity"):
                raise ValueError(f"{self.contract.symbol}: an amount of {amount}")


def is_contract(symbol: str) -> bool:
    """Return whether a symbol is that of an option contract."""
    return OCC.fullmatch(symbol) is not None


def contract(symbol: str) -> Contract:
    """Read an OCC symbol: root, expiry as yymmdd, C or P, and the strike in thousandths.

    Raises:
        ValueError: It is none.

    Examples:
        >>> one = contract("AAPL240503P00155000")
        >>> one.underlying, str(one.expires_on), one.kind, str(one.strike)
        ('AAPL', '2024-05-03', 'put', '155.000')
    """
    found = OCC.fullmatch(symbol)
    if found is None:
        raise ValueError(f"{symbol} is no option contract, such as AAPL240503P00155000")
    root, year, month, day, kind, strike = found.groups()
    return Contract(
        symbol=symbol,
        underlying=root,
        expires_on=date(2000 + int(year), int(month), int(day)),
        kind=KINDS[kind],
        strike=Decimal(strike).scaleb(-3),
    )
