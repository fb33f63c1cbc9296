"""Put the pages of a provider on record, as often as it takes.

Every page is committed, and only what is not on record is written, so an import that was
killed is simply run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.bulk import copy_bars

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from market.providers import Page


def record(engine: Engine, pages: Iterable[Page]) -> tuple[int, int]:
    """Write down the complete bars of the pages, once.

    Returns:
        How many complete bars there were, and how many of them were new.

    Raises:
        DatabaseUnreachable: The connection was lost; the pages before are on record.
    """
    bars = new = 0
    for page in pages:
        bars += sum(bar.complete for bar in page.bars)
        new += copy_bars(engine, page.bars, page.source)
    return bars, new
