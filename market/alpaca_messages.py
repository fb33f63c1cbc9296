"""Alpaca's market data in our words: addresses by kind of symbol, bars, option snapshots."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from market.bars import Bar
from market.options import OptionQuote, contract, is_contract

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GREEKS = ("delta", "gamma", "theta", "vega", "rho")


def bars_path(symbol: str) -> str:
    """Return where bars of a stock, a pair such as BTC/USD or an option contract are asked for."""
    if is_contract(symbol):
        return "/v1beta1/options/bars"
    return "/v1beta3/crypto/us/bars" if "/" in symbol else "/v2/stocks/bars"


def latest_path(symbol: str) -> str:
    """Return where the latest bar is asked for.

    Raises:
        ValueError: It is an option contract, of which Alpaca tells none.
    """
    if is_contract(symbol):
        raise ValueError(f"Alpaca tells no latest bar of an option contract such as {symbol}")
    return "/v1beta3/crypto/us/latest/bars" if "/" in symbol else "/v2/stocks/bars/latest"


def timeframe(interval: timedelta) -> str:
    """Return Alpaca's word for a bar's length.

    Raises:
        ValueError: Alpaca has no bars of this length.
    """
    for unit, word, most in ((DAY, "Day", 1), (HOUR, "Hour", 23), (MINUTE, "Min", 59)):
        if not interval % unit and 1 <= interval // unit <= most:
            return f"{interval // unit}{word}"
    raise ValueError(f"Alpaca has no bars of {interval}: 1 to 59 minutes, 1 to 23 hours or a day")


def bar(symbol: str, interval: timedelta, row: dict[str, Any]) -> Bar:
    """Read a bar; Alpaca does not tell who came to buy.

    Raises:
        ArithmeticError, KeyError, TypeError, ValueError: It makes no sense.
    """
    return Bar(
        symbol=symbol,
        interval=interval,
        start=datetime.fromisoformat(row["t"]),
        open=Decimal(row["o"]),
        high=Decimal(row["h"]),
        low=Decimal(row["l"]),
        close=Decimal(row["c"]),
        volume=Decimal(row["v"]),
        trades=int(row["n"]),
    )


def option_quote(symbol: str, snapshot: dict[str, Any]) -> OptionQuote | None:
    """Read a snapshot, or None if it has no quote.

    Raises:
        ArithmeticError, KeyError, TypeError, ValueError: It makes no sense.
    """
    quote = snapshot.get("latestQuote")
    if not quote:
        return None
    trade, greeks = snapshot.get("latestTrade") or {}, snapshot.get("greeks") or {}
    volatility = snapshot.get("impliedVolatility")
    return OptionQuote(
        contract=contract(symbol),
        quoted_at=datetime.fromisoformat(quote["t"]),
        bid=Decimal(quote["bp"]),
        bid_size=int(quote["bs"]),
        bid_exchange=quote.get("bx"),
        ask=Decimal(quote["ap"]),
        ask_size=int(quote["as"]),
        ask_exchange=quote.get("ax"),
        condition=quote.get("c"),
        last_price=Decimal(trade["p"]) if trade else None,
        last_size=int(trade["s"]) if trade else None,
        last_at=datetime.fromisoformat(trade["t"]) if trade else None,
        implied_volatility=None if volatility is None else float(volatility),
        **{name: float(greeks[name]) for name in GREEKS if greeks.get(name) is not None},
    )
