"""Whose market bars are: BTC/USD at Alpaca is another one than at Kraken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KRAKEN, ALPACA = NAMES = ("kraken", "alpaca")
# Words that go on record as a bar's source -> whose market it is; others may be anybody's.
HOUSES = {
    **dict.fromkeys(("candles", "kraken-ohlcvt", "kraken-trades", "live", "trades"), KRAKEN),
    **dict.fromkeys(("alpaca", "alpaca-delayed_sip", "alpaca-iex", "alpaca-sip"), ALPACA),
}


def house(symbol: str, sources: Iterable[str]) -> str:
    """Return who can know a market's bars, by its symbol and the sources of those on record."""
    theirs = any(HOUSES.get(source) == ALPACA for source in sources)
    return ALPACA if theirs or "/" not in symbol else KRAKEN
