"""The record of reconciliations: where the next one starts, and what each one found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from market.instruments import Side
from sql.tables import (
    DiscrepancyRow,
    FillRow,
    LedgerEntryRow,
    OrderRow,
    ReconciliationEventRow,
)
from trader import ledger, record
from trader.reconciliation import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from trader.ledger import Line
    from trader.orders import ListedFill, ListedOrder, Order
    from trader.reconciliation import Difference, Findings

# How far before the last clean comparison the next one starts reading.
OVERLAP = timedelta(minutes=2)
# The key of the lock that lets one reconciliation write at a time.
LOCK = 7_260_317
HALT = "reconciliation"  # the code of a halt over what nothing explains


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The outcome of one reconciliation; not clean means that trading is halted.

    `waiting` are orders whose fate cannot be known before their deadline has passed.
    """

    event_id: int
    at: datetime
    clean: bool
    opened: bool
    differences: tuple[Difference, ...]
    waiting: tuple[str, ...]
    reason: str

    def markdown(self) -> str:
        """Return the outcome as a page with a table of the differences."""
        verdict = "The record agrees with the exchange." if self.clean else "Trading is halted."
        rows = [
            f"| {d.level} | {d.subject} | {d.expected} | {d.found} | {d.action} |"
            for d in self.differences
        ]
        head = ["| what | which | our record | the exchange | done |", "|--|--|--|--|--|"]
        table = [*head, *rows] if rows else []
        lines = [f"**{verdict}** {self.reason}.", "", f"Exchange time {self.at:%F %T} UTC.", ""]
        return "\n".join([*lines, *table]) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the exchange lists, read in the order that makes later lists the fuller ones."""

    at: datetime
    since: datetime
    standing: tuple[ListedOrder, ...]
    orders: tuple[ListedOrder, ...]
    fills: tuple[ListedFill, ...]
    balances: dict[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One comparison: what was listed and what differed."""

    listing: Listing
    findings: Findings
    waiting: tuple[str, ...]
    opened: bool


def opened_at(session: Session) -> datetime | None:
    """Return when the ledger was opened, in exchange time."""
    return session.scalar(
        select(func.min(LedgerEntryRow.at)).where(LedgerEntryRow.account == ledger.OPENING)
    )


def last_clean(session: Session) -> datetime | None:
    """Return when our record last agreed with the exchange's."""
    return session.scalar(
        select(func.max(ReconciliationEventRow.at)).where(ReconciliationEventRow.clean)
    )


def starting_point(session: Session, at: datetime) -> datetime:
    """Return since when fills are to be compared: all before are known to agree.

    A person who adjusted the ledger to the exchange vouched for everything before.
    """
    clean = last_clean(session)
    vouched = session.scalar(
        select(func.max(LedgerEntryRow.at)).where(
            LedgerEntryRow.account.in_([ledger.OPENING, ledger.ADJUSTMENTS])
        )
    )
    known = [time for time in (vouched, clean and clean - OVERLAP) if time is not None]
    if known:
        return max(known)
    return session.scalar(select(func.min(OrderRow.created_at))) or at


def first_looks(session: Session, orders: Iterable[Order], grace: timedelta) -> dict[str, datetime]:
    """Return when each order was first looked for in vain, of those that were.

    Args:
        session: The record.
        orders: The orders.
        grace: How long after its deadline a look at an order counts.
    """
    at, compared = ReconciliationEventRow.at, ReconciliationEventRow.compared
    found = {
        order.id: session.scalar(
            select(func.min(at)).where(
                at > order.deadline + grace, compared["waiting"].contains([order.id])
            )
        )
        for order in orders
    }
    return {order_id: first for order_id, first in found.items() if first is not None}


def ledger_accounts(session: Session) -> dict[tuple[str, str], Decimal]:
    """Return what every account of the ledger holds, by account and asset."""
    account, asset = LedgerEntryRow.account, LedgerEntryRow.asset
    rows = session.execute(
        select(account, asset, func.sum(LedgerEntryRow.amount)).group_by(account, asset)
    )
    return {(row[0], row[1]): Decimal(row[2]) for row in rows}


def booked_lines(session: Session) -> list[Line]:
    """Return the lines that our fills call for, summed by market and side."""
    symbol, side = FillRow.symbol, FillRow.side
    sums = (func.sum(FillRow.quantity), func.sum(FillRow.cost), func.sum(FillRow.fee))
    rows = session.execute(select(symbol, side, *sums).group_by(symbol, side))
    return [
        line
        for market, way, quantity, cost, fee in rows
        for line in ledger.fill_lines(market, Side(way), quantity=quantity, cost=cost, fee=fee)
    ]


def finer_fills(session: Session, asset: str, step: Decimal, since: datetime) -> int:
    """Return how many fills paid in the asset have decimals below a step of it."""
    money = (FillRow.cost, FillRow.fee)
    query = select(func.count()).where(
        FillRow.symbol.endswith(f"/{asset}"),
        FillRow.at >= since,
        or_(*(func.mod(amount, step) != 0 for amount in money)),
    )
    return session.scalar(query) or 0


def serialise(session: Session) -> None:
    """Wait until no other reconciliation writes; the lock ends with the transaction."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def store(
    engine: Engine, latest: Round, differences: tuple[Difference, ...], *, trigger: str, who: str
) -> Settlement:
    """Write down what a reconciliation found, and halt over what no news explains, in one."""
    listing = latest.listing
    clean = all(difference.explained for difference in differences)
    reason = _sentence(latest, differences)
    event = ReconciliationEventRow(
        trigger=trigger,
        clean=clean,
        summary=reason,
        compared={
            "orders": len(listing.orders),
            "fills": len(listing.fills),
            "since": listing.since.isoformat(),
            "balances": {asset: plain(x) for asset, x in sorted(listing.balances.items())},
            "waiting": list(latest.waiting),
        },
        at=listing.at,
    )
    with Session(engine) as session, session.begin():
        if not clean:
            record.halt(session, reason_code=HALT, reason=reason, who=who, at=listing.at)
        session.add(event)
        session.flush()
        event_id = event.id
        session.add_all(
            DiscrepancyRow(
                event_id=event_id,
                level=difference.level,
                subject=difference.subject,
                expected=difference.expected,
                found=difference.found,
                explained=difference.explained,
                action=difference.action,
            )
            for difference in differences
        )
    return Settlement(
        event_id=event_id,
        at=listing.at,
        clean=clean,
        opened=latest.opened,
        differences=differences,
        waiting=latest.waiting,
        reason=reason,
    )


def _sentence(latest: Round, differences: tuple[Difference, ...]) -> str:
    listing = latest.listing
    looked = (
        f"{len(listing.orders)} orders, {len(listing.fills)} fills and "
        f"{len(listing.balances)} balances compared"
    )
    left = [difference for difference in differences if not difference.explained]
    parts = [looked]
    if latest.opened:
        parts.append("the ledger was opened with the exchange's balances")
    if mended := len(differences) - len(left):
        parts.append(f"{mended} differences explained and mended")
    if left:
        first = left[0]
        parts.append(
            f"{len(left)} unexplained, first {first.level} {first.subject}: "
            f"expected {first.expected}, found {first.found}"
        )
    if latest.waiting:
        parts.append(f"{len(latest.waiting)} orders wait for their deadline")
    return "; ".join(parts if len(parts) > 1 else [looked, "nothing differs"])
