"""What befalls everybody at once: closed connections, expired tokens, maintenance, a squeeze.

These faults need no occasion; they strike as time passes, and some last for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sandbox.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.faults import Fault
    from sandbox.venue import Venue

AnyConnection = TypeVar("AnyConnection", bound=Connection)


def let_strike(
    venue: Venue, connections: Iterable[AnyConnection], now: int
) -> list[tuple[AnyConnection, int]]:
    """Do the damage that is due by now, and undo what is over.

    Returns:
        The connections to be closed, each with the code to close it with.
    """
    if not venue.faults.waiting:
        return []
    closing = []
    for fault in venue.faults.due(now):
        if fault.kind in {"close", "abort"}:
            closing += [(each, fault.code) for each in _struck(venue, fault, connections, now)]
        else:
            venue.faults.strike(fault, _befall(venue, fault), now)
    for fault in venue.faults.over(now):
        relieve(venue, fault)
    venue.keep_faults()
    return closing


def _struck(
    venue: Venue, fault: Fault, connections: Iterable[AnyConnection], now: int
) -> list[AnyConnection]:
    """Cut the connections a fault is about, or give them to be closed; all are one stroke."""
    met = [each for each in connections if _concerns(fault, each)]
    numbers = ", ".join(str(each.number) for each in met)
    venue.faults.strike(fault, f"connections {numbers}" if met else "no connection", now)
    if fault.kind == "close":
        return met
    for each in met:
        each.abort()
    return []


def _concerns(fault: Fault, connection: Connection) -> bool:
    if not fault.channel and not fault.symbol:
        return True
    return any(
        fault.channel in {"", topic.channel} and fault.symbol in {"", topic.symbol}
        for topic in connection.topics
    )


def _befall(venue: Venue, fault: Fault) -> str:
    match fault.kind:
        case "token_expiry":
            venue.tokens.expire_all()
            return "tokens"
        case "maintenance":
            fault.was, venue.mode = venue.mode, fault.mode
            return fault.mode
        case "rate_limit":
            venue.limits.share = fault.share
            return f"{fault.share:g} of the limits left"
        case _:
            return f"{fault.seconds:g} seconds"


def relieve(venue: Venue, fault: Fault) -> None:
    """Undo what a fault that is over or was taken back did to everybody."""
    if not fault.struck:
        return
    if fault.kind == "maintenance":
        venue.mode = fault.was
    elif fault.kind == "rate_limit":
        venue.limits.share = None


def resume(venue: Venue) -> None:
    """Suffer again what lasted when the run before ended."""
    for fault in venue.faults.waiting.values():
        if fault.struck and fault.kind == "maintenance":
            venue.mode = fault.mode
        elif fault.struck and fault.kind == "rate_limit":
            venue.limits.share = fault.share
