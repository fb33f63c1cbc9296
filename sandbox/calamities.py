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
    for fault in sorted(venue.faults.due(now), key=lambda one: one.begins):
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
            others = _suffered(venue, fault.kind)
            fault.was, venue.mode = others[0].was if others else venue.mode, fault.mode
            return fault.mode
        case "rate_limit":
            venue.limits.share = fault.share
            return f"{fault.share:g} of the limits left"
        case _:
            return f"{fault.seconds:g} seconds"


def relieve(venue: Venue, fault: Fault) -> None:
    """Undo what a fault that is over or was taken back did to everybody.

    Of several at a time the one that began last is felt; the next is when that one is over.
    """
    if not fault.struck:
        return
    left = _suffered(venue, fault.kind)
    if fault.kind == "maintenance":
        venue.mode = left[-1].mode if left else fault.was
    elif fault.kind == "rate_limit":
        venue.limits.share = left[-1].share if left else None


def resume(venue: Venue) -> None:
    """Suffer again what lasted when the run before ended."""
    for fault in _suffered(venue, "maintenance"):
        venue.mode = fault.mode
    for fault in _suffered(venue, "rate_limit"):
        venue.limits.share = fault.share


def _suffered(venue: Venue, kind: str) -> list[Fault]:
    """Give the faults of a kind that last now, the one that began last at the end."""
    lasting = [one for one in venue.faults.waiting.values() if one.kind == kind and one.struck]
    return sorted(lasting, key=lambda one: one.begins)
