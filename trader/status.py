"""What the live trader says of itself, once a second, for the table and the commands."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from registry import overriding
from trader import record
from trader.limits import State, state_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from trader.desk import Desk
    from trader.record import Halt

TRADING, WAITING = "trading", "waiting"


def publish(
    session: Session,
    account: str,
    desks: dict[str, Desk],
    *,
    halts: list[Halt],
    held: Mapping[str, Decimal],
    connected: bool,
    word: str,
    at: datetime,
) -> dict[str, Any]:
    """Replace the trader's own line in the record, and return what it says."""
    state: str = state_for(halt.reason_code for halt in halts)
    if state == State.ACTIVE:
        state = TRADING if _ready(desks, connected=connected) else WAITING
    detail = {
        "halt": halts[0].reason if halts else None,
        "connected": connected,
        "word": word,
        "markets": {symbol: _market(desk, held) for symbol, desk in desks.items()},
    }
    record.record_trader_status(
        session, account=account, process_id=os.getpid(), state=state, detail=detail, at=at
    )
    return {"state": state, **detail}


def _ready(desks: dict[str, Desk], *, connected: bool) -> bool:
    return connected and any(
        "production" in desk.roster.models and desk.trusted for desk in desks.values()
    )


def _market(desk: Desk, held: Mapping[str, Decimal]) -> dict[str, Any]:
    versions = {role: model.version for role, model in desk.roster.models.items()}
    return {
        "production": versions.get("production"),
        "challenger": versions.get("challenger"),
        "traded": desk.traded,
        "refused": dict(desk.roster.refusals),
        "overridden": {
            role: str(override)
            for role, model in desk.roster.models.items()
            if (override := overriding.read(model.evidence)) is not None
        },
        "trusted": desk.trusted,
        "bid": None if desk.quote is None else str(desk.quote.bid),
        "ask": None if desk.quote is None else str(desk.quote.ask),
        "last_bar": None if desk.last_bar is None else desk.last_bar.start.isoformat(),
        "position": f"{held.get(desk.symbol, Decimal(0)).normalize():f}",
        "word": desk.last_word,
    }
