"""Bring our record to what the exchange knows, and say what differed.

News that had not reached us is applied through the journal like any other news. What no
news explains is stored with a halt and left for a person.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from market.world import REAL, World
from sql.tables import OrderRow
from trader import accounts, journal, ledger, reconciliation
from trader.errors import IllegalTransition, OrderUnknown
from trader.orders import Status
from trader.reconciliation import Findings, unexplained
from trader.settlement_record import (
    Listing,
    Round,
    Settlement,
    booked_lines,
    finer_fills,
    first_looks,
    last_clean,
    ledger_accounts,
    opened_at,
    serialise,
    starting_point,
    store,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import Engine

    from trader.exchange import Exchange
    from trader.orders import ListedOrder, Order
    from trader.reconciliation import Difference

# How long after an order's deadline its absence from the exchange's lists counts.
GRACE = timedelta(seconds=5)
# How long after the first look since then it is looked for again: the lists may lag behind.
LAG = timedelta(seconds=75)
# How far before its intent an order is looked for, should the clocks disagree.
EARLIER = timedelta(seconds=60)
# What a difference must survive to count: the exchange's lists lag behind each other.
ROUNDS = 3
PAUSE = timedelta(seconds=1)


def reconcile(
    engine: Engine,
    exchange: Exchange,
    *,
    trigger: str,
    who: str = "trader",
    pause: timedelta = PAUSE,
    world: World = REAL,
) -> Settlement:
    """Compare, mend what news explains, store what was found, and halt over what is left.

    Differences that nothing explains are looked at again, since a trade may have happened
    between two lists; those that stay make the outcome unclean. An order without an answer
    is searched for once its deadline has passed, again and again for as long as the lists may
    lag from the first look that was answered, and only then fenced off with a cancel and given
    up.

    Raises:
        ExchangeUnreachable: The exchange did not answer; what was mended stays mended.
        ExchangeRefused: The exchange does not let us ask.
    """
    mended: tuple[Difference, ...] = ()
    opened = False
    for number in range(ROUNDS):
        if number:
            world.sleep(pause.total_seconds())
        latest = _compare(engine, exchange)
        opened = opened or latest.opened
        mended += tuple(d for d in latest.findings.differences if d.explained)
        if latest.findings.clean:
            break
    left = tuple(d for d in latest.findings.differences if not d.explained)
    return store(engine, replace(latest, opened=opened), mended + left, trigger=trigger, who=who)


def accept(engine: Engine, exchange: Exchange, *, who: str, reason: str) -> dict[str, Decimal]:
    """Adjust the ledger to the exchange's balances, on a person's word; return by how much.

    For what trading cannot explain: a deposit, a withdrawal, a trade made by hand. What news
    explains is booked as that first: nothing before an adjustment is looked for again.
    """
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    _compare(engine, exchange)
    at = exchange.time()
    theirs = exchange.balances()
    with Session(engine) as session, session.begin():
        serialise(session)
        ours = accounts.ledger_balances(session)
        changes = {
            asset: theirs.get(asset, ledger.ZERO) - ours.get(asset, ledger.ZERO)
            for asset in sorted(ours.keys() | theirs.keys())
        }
        changes = {asset: change for asset, change in changes.items() if change}
        for asset, change in changes.items():
            key = f"adjustment:{asset}:{at.isoformat()}"
            lines = ledger.adjustment_lines(asset, change)
            accounts.record_adjustment(session, key, lines, reason=reason, who=who, at=at)
    return changes


def _compare(engine: Engine, exchange: Exchange) -> Round:
    at = exchange.time()
    with Session(engine) as session:
        unsettled = journal.unsettled_orders(session)
        since = starting_point(session, at)
        looked = first_looks(session, unsettled, GRACE)
    listing = _list(exchange, at, since, unsettled)
    listing, absent, waiting = _seek(exchange, unsettled, listing, looked)
    with Session(engine) as session, session.begin():
        serialise(session)
        findings = Findings()
        for order in absent:
            findings += _apply(session, reconciliation.vanish(order, at))
        findings += _settle_orders(session, unsettled, listing)
        opened = _open(session, listing)
        findings += _round_off(session, listing)
        findings += reconciliation.compare_accounts(ledger_accounts(session), booked_lines(session))
        findings += reconciliation.compare_balances(
            accounts.ledger_balances(session), listing.balances
        )
    return Round(listing=listing, findings=findings, waiting=tuple(waiting), opened=opened)


def _seek(
    exchange: Exchange, unsettled: list[Order], listing: Listing, looked: Mapping[str, datetime]
) -> tuple[Listing, list[Order], list[str]]:
    """Find out about orders without an answer that no list shows: absent, or not known yet."""
    absent: list[Order] = []
    waiting: list[str] = []
    for order in unsettled:
        if order.status is Status.OPEN or reconciliation.match(order, listing.orders):
            continue
        if not reconciliation.overdue(order, listing.at, GRACE):
            waiting.append(order.id)
            continue
        given_up = order.id in looked and listing.at > looked[order.id] + LAG
        found, fenced = _search(exchange, order, fence=given_up)
        listing = replace(listing, orders=(*listing.orders, *found))
        if not found and (fenced or not given_up):
            waiting.append(order.id)
        elif not found:
            absent.append(order)
    return listing, absent, waiting


def _list(exchange: Exchange, at: datetime, since: datetime, unsettled: list[Order]) -> Listing:
    earliest = min([since, *(order.created_at - EARLIER for order in unsettled)])
    standing = exchange.open_orders()
    closed = exchange.closed_orders(earliest)
    orders = {order.exchange_id: order for order in (*standing, *closed)}
    fills = exchange.fills_since(since)
    return Listing(
        at=at,
        since=since,
        standing=tuple(standing),
        orders=tuple(orders.values()),
        fills=tuple(fills),
        balances=exchange.balances(),
    )


def _search(exchange: Exchange, order: Order, *, fence: bool) -> tuple[list[ListedOrder], bool]:
    since = order.created_at - EARLIER
    found = exchange.find(order.id, since)
    if found or not fence:
        return found, False
    fenced = exchange.cancel(order.id)
    return exchange.find(order.id, since), fenced


def _settle_orders(session: Session, unsettled: list[Order], listing: Listing) -> Findings:
    findings = Findings()
    matched: list[tuple[str, ListedOrder]] = []
    ended = journal.ended_orders(session, _names(listing))
    for order in {one.id: one for one in (*ended, *unsettled)}.values():
        theirs = reconciliation.match(order, listing.orders)
        if len(theirs) > 1:
            ids = ", ".join(sorted(listed.exchange_id for listed in theirs))
            findings += unexplained("order", order.id, "one order", f"several: {ids}")
        elif theirs:
            current = journal.order_by_id(session, order.id) or order
            findings += _apply(session, reconciliation.adopt(current, theirs[0]))
            matched.append((order.id, theirs[0]))
        elif order.status is Status.OPEN:
            findings += unexplained("order", order.id, "open", "not listed at all")
    findings += _settle_fills(session, listing)
    for order_id, listed in matched:
        settled = journal.order_by_id(session, order_id)
        if settled is not None:
            findings += _apply(session, reconciliation.conclude(settled, listed))
    return findings + reconciliation.compare_foreign(_known(session), listing.standing)


def _settle_fills(session: Session, listing: Listing) -> Findings:
    ours = journal.fills_since(session, listing.since - timedelta(seconds=1))
    orders = journal.orders_at_exchange(session, [item.exchange_id for item in listing.fills])
    found = reconciliation.compare_fills(ours, orders, listing.fills, since=listing.since)
    return _apply(session, found)


def _round_off(session: Session, listing: Listing) -> Findings:
    """Book what the exchange's ledger rounded off fills since both agreed."""
    ours, findings = accounts.ledger_balances(session), Findings()
    for asset, theirs in sorted(listing.balances.items()):
        held = ours.get(asset, ledger.ZERO)
        fills = finer_fills(session, asset, reconciliation.step(theirs), listing.since)
        change = reconciliation.rounded_off(held, theirs, fills)
        if change:
            key = f"rounding:{asset}:{listing.at.isoformat()}:{theirs}"
            accounts.book(session, key, ledger.rounding_lines(asset, change), listing.at)
            findings += reconciliation.rounded(asset, held, theirs)
    return findings


def _names(listing: Listing) -> set[str]:
    """Return every name under which the exchange lists an order: its own, and ours."""
    names = {order.exchange_id for order in listing.orders}
    return names | {order.client_order_id for order in listing.orders if order.client_order_id}


def _known(session: Session) -> set[str]:
    """Return the names of every order that may stand; one we hold rejected must not."""
    may_stand = OrderRow.status != Status.REJECTED
    rows = session.execute(select(OrderRow.id, OrderRow.exchange_id).where(may_stand)).all()
    return {name for row in rows for name in row if name is not None}


def _apply(session: Session, findings: Findings) -> Findings:
    refused = Findings()
    for mending in findings.events:
        try:
            journal.record_event(session, mending.order_id, mending.event)
        except (IllegalTransition, OrderUnknown) as error:
            kind = type(mending.event).__name__.lower()
            refused += unexplained("order", mending.order_id, f"can be {kind}", str(error))
    return findings + refused


def _open(session: Session, listing: Listing) -> bool:
    if opened_at(session) is not None or last_clean(session) is not None:
        return False
    ours = accounts.ledger_balances(session)
    for asset, amount in sorted(listing.balances.items()):
        change = amount - ours.get(asset, ledger.ZERO)
        if change:
            accounts.record_adjustment(
                session,
                f"opening:{asset}",
                ledger.opening_lines(asset, change),
                reason="balance before the first entry",
                who="reconciliation",
                at=listing.at,
            )
    return True
