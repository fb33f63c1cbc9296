"""What a flow may be asked for: which market, how much, and as of when.

Prefect refuses any other parameter in a sentence, before a run of the flow begins.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field

from market.bars import interval_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sql.scores import PairedScore, ScoredBar

Scored = TypeVar("Scored", "PairedScore", "ScoredBar")
WORD = r"[A-Z0-9]+(?:\.[A-Z0-9]+)*"
NAME = re.compile(f"{WORD}(?:/{WORD})?")


def _market(name: str) -> str:
    if NAME.fullmatch(capitals := name.upper()) is None:
        raise ValueError(f"expected a market such as XRP/USD, not {name!r}")
    return capitals


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


Market = Annotated[str, AfterValidator(_market)]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Count = Annotated[int, Field(ge=1)]


def key(kind: str, symbol: str) -> str:
    """Return the key of an artifact about a market; Prefect takes no letter but these.

    Examples:
        >>> key("drift", "XRP/USD"), key("drift", "BRK.B")
        ('drift-xrp-usd', 'drift-brk-b')
    """
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', symbol.lower())}"


def ending(until: datetime | None, recorded: datetime, interval: timedelta) -> datetime:
    """Return as of when to look: the end of a bar, and no later than the record goes.

    Args:
        until: What was asked for, if anything was.
        recorded: Where the record ends.
        interval: The bars' length.
    """
    return interval_start(recorded if until is None else min(until, recorded), interval)


def without_hindsight(scored: Sequence[Scored], horizon: timedelta, end: datetime) -> list[Scored]:
    """Return the scores without outcomes that nobody knew then; later looks have settled them.

    Args:
        scored: Of bars that began before `end`.
        horizon: From a bar's start to the end of the bar that tells its outcome.
        end: As of when to look.
    """
    return [
        one if one.bar_start + horizon <= end else replace(one, forward_return=None)
        for one in scored
    ]
