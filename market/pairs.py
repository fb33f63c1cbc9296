"""How Kraken's dumps name markets and files: XBTUSD_60.csv holds the hours of BTC/USD."""

from __future__ import annotations

import re
from datetime import timedelta

# The longest that fits is taken, so ETHPYUSD is ETH/PYUSD and XRPUSD is XRP/USD.
QUOTES = sorted(
    (
        *("AUD", "CAD", "CHF", "DAI", "DOT", "ETH", "EUR", "EURQ", "EURR", "GBP", "JPY"),
        *("PYUSD", "RLUSD", "SOL", "USD", "USDC", "USDD", "USDG", "USDQ", "USDR", "USDT"),
        *("USD1", "XBT", "BTC", "TBTC", "AED", "MXN", "BRL"),
    ),
    key=len,
    reverse=True,
)
NAMES = {"XBT": "BTC", "XDG": "DOGE"}
# Kraken's ids of its first assets, each with a letter in front that dumps leave out.
FIRST = re.compile(
    r"(X(?:XBT|XRP|ETH|ETC|LTC|XDG|XLM|XMR|REP|ZEC|MLN))(X(?:XBT|ETH)|Z(?:USD|EUR|GBP|CAD|JPY|AUD))"
)
FILE = re.compile(
    r"(?P<pair>[0-9A-Za-z][0-9A-Za-z.]*?)(?:_(?P<minutes>[1-9]\d{0,5}))?\.csv(?:\.gz)?"
)


def symbol_of(pair: str) -> str | None:
    """Return the market that Kraken writes as one word, or None if that cannot be told.

    Examples:
        >>> symbol_of("XBTUSD"), symbol_of("XDGEUR"), symbol_of("XXRPZUSD"), symbol_of("USD")
        ('BTC/USD', 'DOGE/EUR', 'XRP/USD', None)
    """
    word = pair.upper()
    if first := FIRST.fullmatch(word):
        base, quote = first[1][1:], first[2][1:]
    else:
        quote = next((one for one in QUOTES if word.endswith(one) and word != one), "")
        base = word.removesuffix(quote)
    return f"{NAMES.get(base, base)}/{NAMES.get(quote, quote)}" if quote else None


def named(file: str) -> tuple[str | None, timedelta | None]:
    """Return the market and the bars' length that a dump's file name tells, as far as it does."""
    found = FILE.fullmatch(file.rsplit("/", 1)[-1])
    if found is None:
        return None, None
    minutes = found["minutes"]
    interval = None if minutes is None else timedelta(minutes=int(minutes))
    return symbol_of(found["pair"]), interval
