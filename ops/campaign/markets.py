"""The markets of the campaign: files of trades, denser than a usual market's.

Short bars that all hold trades let a run decide often within a minute.
"""

from __future__ import annotations

from math import exp
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SYMBOL = "XRP/USD"
BESIDE = "DOGE/USD"  # the sandbox's own market of it, in which there is little trading
SYMBOLS = (SYMBOL, BESIDE)
MARKETS = 8
# 2026-03-02, a Monday; every market has an hour of its own, so that their bars do not meet.
FIRST_HOUR = 1_772_409_600
HOUR = 3600
# Seconds into the hour; of little trading; of any: until the last run must have healed.
BEGINS, QUIET, LASTS = 900, 180, 400
FEWER, TRADES = 0.5, 4.0  # in a second, before and after
PRICE, STEP, SIZE = 2.0, 0.0002, 250.0


def opens(market: int) -> int:
    """Give the moment of a market's first trade, in seconds since 1970."""
    return FIRST_HOUR + market * HOUR + BEGINS


def path_of(folder: Path, market: int) -> Path:
    """Give the file of a market; its name says the pair, as the sandbox expects."""
    return folder / f"XRPUSD_{market}.csv"


def write(folder: Path) -> None:
    """Write the files of all markets: a few trades a second, always the same."""
    for market in range(MARKETS):
        random = Random(f"market {market}")
        price, lines = PRICE, []
        at = float(opens(market))
        while at < opens(market) + LASTS:
            price *= exp(random.gauss(0, STEP))
            at += random.expovariate(TRADES if at > opens(market) + QUIET else FEWER)
            lines.append(f"{at:.3f},{price:.5f},{SIZE * exp(random.gauss(0, 1)):.8f}")
        path_of(folder, market).write_text("\n".join(lines) + "\n")
