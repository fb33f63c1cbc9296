"""Where bars that are missing or wrong could come from: only from a source that knows them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from market.houses import KRAKEN
from market.kraken_history import candles_since
from market.quality import Finding, Kind

if TYPE_CHECKING:
    from datetime import datetime

# The bar that should be where one off the grid is has a line of its own, as a gap.
WITHOUT_SOURCE = {Kind.ZERO_VOLUME: "nothing needs to", Kind.OFF_GRID: "delete them"}
DUMPED = frozenset(timedelta(minutes=n) for n in (1, 5, 15, 30, 60, 240, 720, 1440))


def remedy(
    finding: Finding, symbol: str, interval: timedelta, now: datetime, provider: str = KRAKEN
) -> str:
    """Say in words what could mend a finding about bars on record.

    Args:
        finding: What is wrong; with a start and an end unless nothing mends it.
        symbol: The market.
        interval: The bars' length.
        now: The present, since Kraken keeps its candles for a while only.
        provider: Who can know the market's bars.
    """
    if finding.kind in WITHOUT_SOURCE:
        return WITHOUT_SOURCE[finding.kind]
    if finding.start is None or finding.end is None:
        return "nothing that is known"
    command = f"friday ingest {symbol} --interval-seconds {int(interval.total_seconds())}"
    command += f" --from {finding.start:%Y-%m-%dT%H:%M:%S} --to {finding.end:%Y-%m-%dT%H:%M:%S}"
    if provider != KRAKEN:
        command += f" --provider {provider}"
    if finding.kind is not Kind.GAP:
        return f"delete them, then {command}"
    if provider != KRAKEN:
        return command
    if finding.start >= candles_since(interval, now):
        return f"{command} (Kraken's candles)"
    dump = " or friday import kraken-ohlcvt" if interval in DUMPED else ""
    return f"{command} (Kraken's trades){dump}"
