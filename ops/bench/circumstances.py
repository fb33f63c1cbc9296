"""A market and quiet circumstances in which an order may be sent, right after the record's end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from market.instruments import Instrument
from trader.execution import Policy
from trader.limits import Limits
from trader.outlook import Circumstances
from trader.sizing import Appetite

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = timedelta(minutes=1)


def instrument(symbol: str = "XRP/USD") -> Instrument:
    """Return a market with the decimals and minimums that XRP/USD has at Kraken."""
    base = symbol.split("/", maxsplit=1)[0]
    return Instrument(
        symbol=symbol,
        exchange_id=f"{base}USD",
        base=base,
        quote="USD",
        price_decimals=5,
        quantity_decimals=8,
        cost_decimals=8,
        quantity_min=Decimal("1.65"),
        cost_min=Decimal("0.5"),
        maker_fee=Decimal("0.0008"),
        taker_fee=Decimal("0.002"),
    )


def circumstances(now: datetime) -> Circumstances:
    """Return circumstances in which nothing keeps a trader from trading."""
    return Circumstances(
        now=now,
        quote_age=timedelta(0),
        exchange_status="online",
        deadline=timedelta(seconds=2),
        limits=Limits(),
        policy=Policy.MARKETABLE,
        patience=timedelta(seconds=30),
        appetite=Appetite(),
        marks={"XRP/USD": Decimal(2), "DOGE/USD": Decimal("0.2")},
        clock_skew=timedelta(0),
        switch_age=timedelta(seconds=1),
    )
