"""Compare our record with the exchange's lists: what differs, and which events mend it.

Nothing here acts. An order is matched by the exchange's id or by ours; a fill by its
exec id; a balance by its asset, to the last digit. Kraken states a fill's cost and fee with
more decimals than its ledger keeps of money, so the ledger may round as much off. A
difference that events explain is mended by them; any other is left for a person.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from trader.ledger import FEES, TRADING, Line, imbalance
from trader.orders import Accepted, Cancelled, Filled, OrderEvent, Rejected, Status

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from datetime import datetime, timedelta

    from trader.orders import ListedFill, ListedOrder, Order

ENDED = frozenset({"canceled", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that our record and the exchange do not agree on.

    `level` is order, fill, account or balance. An explained difference was news that had not
    reached us; `action` says what is done about it.
    """

    level: str
    subject: str
    expected: str
    found: str
    explained: bool
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """An event that brings one of our orders to what the exchange lists."""

    order_id: str
    event: OrderEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a comparison found, with the events that mend it in the order to apply them."""

    differences: tuple[Difference, ...] = ()
    events: tuple[Mending, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            differences=self.differences + other.differences, events=self.events + other.events
        )

    @property
    def clean(self) -> bool:
        """Whether every difference is explained."""
        return all(difference.explained for difference in self.differences)


def match(order: Order, listed: Iterable[ListedOrder]) -> list[ListedOrder]:
    """Return what the exchange lists for an order of ours; more than one is a fault."""
    found = {
        theirs.exchange_id: theirs
        for theirs in listed
        if theirs.exchange_id == order.exchange_id or theirs.client_order_id == order.id
    }
    return list(found.values())


def vanish(order: Order, now: datetime) -> Findings:
    """Close an order that the exchange provably never had."""
    event = Rejected(at=now, reason="never reached the exchange")
    mending = Mending(order_id=order.id, event=event)
    return explained("order", order.id, (order.status, "no such order"), "rejected", mending)


def adopt(order: Order, theirs: ListedOrder) -> Findings:
    """Give an order its id at the exchange, which says at least that it was accepted."""
    if order.exchange_id == theirs.exchange_id and order.status is not Status.UNKNOWN:
        return Findings()
    event = Accepted(at=theirs.opened_at, exchange_id=theirs.exchange_id)
    mending = Mending(order_id=order.id, event=event)
    return explained("order", order.id, (order.status, theirs.status), "adopted", mending)


def conclude(order: Order, theirs: ListedOrder) -> Findings:
    """End an order that ended at the exchange; its fills must have been applied before.

    One that has ended by our record must be the same there, to the last digit.
    """
    if (differing := _terms(order, theirs)).differences:
        return differing
    if theirs.executed != order.filled:
        expected, found = f"{order.filled} filled", f"{theirs.executed} filled"
        return unexplained("order", order.id, expected, found)
    if order.status.final and theirs.status not in _ends(order):
        return unexplained("order", order.id, order.status, theirs.status)
    if theirs.status in ENDED and not order.status.final:
        event = Cancelled(
            at=theirs.closed_at or theirs.opened_at,
            reason=theirs.reason or theirs.status,
            exchange_id=theirs.exchange_id,
        )
        mending = Mending(order_id=order.id, event=event)
        return explained("order", order.id, (order.status, theirs.status), "cancelled", mending)
    if theirs.status == "closed" and order.status is not Status.FILLED:
        return unexplained("order", order.id, order.status, "closed")
    return Findings()


def _ends(order: Order) -> frozenset[str]:
    return frozenset({"closed"}) if order.status is Status.FILLED else ENDED


def _terms(order: Order, theirs: ListedOrder) -> Findings:
    findings = Findings()
    for name in ("symbol", "side", "quantity"):
        expected, found = getattr(order, name), getattr(theirs, name)
        if expected != found:
            findings += unexplained("order", f"{order.id} {name}", f"{expected}", f"{found}")
    if theirs.client_order_id not in {order.id, None}:
        findings += unexplained("order", f"{order.id} name", order.id, f"{theirs.client_order_id}")
    return findings


def compare_foreign(known: Container[str], listed: Iterable[ListedOrder]) -> Findings:
    """Find the account's open orders that are under none of our ids."""
    findings = Findings()
    for theirs in listed:
        if theirs.client_order_id not in known and theirs.exchange_id not in known:
            found = f"{theirs.side} {theirs.quantity} {theirs.symbol}, {theirs.status}"
            findings += unexplained("order", theirs.exchange_id, "no such order", found)
    return findings


def compare_fills(
    ours: Mapping[str, Filled],
    orders: Mapping[str, Order],
    listed: Iterable[ListedFill],
    *,
    since: datetime,
) -> Findings:
    """Compare our fills with the exchange's, both since a time.

    Args:
        ours: Our fills by exec id; some from before, as the two sides round times differently.
        orders: Our orders by the exchange's ids.
        listed: The exchange's list of our trades; some from before, likewise.
        since: Nothing before this is missed.
    """
    findings = Findings()
    theirs = {item.fill.exec_id: item for item in listed}
    for exec_id, item in theirs.items():
        order = orders.get(item.exchange_id)
        if exec_id in ours:
            findings += _same_fill(ours[exec_id], item) + _same_market(order, item)
            continue
        if item.fill.at < since:
            continue
        found = f"{item.side} {item.fill.quantity} {item.symbol} at {item.fill.price}"
        if order is None:
            findings += unexplained("fill", exec_id, "no such trade", found)
        else:
            mending = Mending(order_id=order.id, event=item.fill)
            findings += explained("fill", exec_id, ("no such trade", found), "booked", mending)
            findings += _same_market(order, item)
    for exec_id in [key for key, fill in ours.items() if fill.at >= since and key not in theirs]:
        findings += unexplained("fill", exec_id, f"{ours[exec_id].quantity} booked", "no trade")
    return findings


def compare_accounts(ours: Mapping[tuple[str, str], Decimal], booked: Iterable[Line]) -> Findings:
    """Compare the ledger with itself and with the fills on record.

    Every asset's accounts sum to zero, and those that fills write to hold what the fills say.

    Args:
        ours: What the ledger's accounts hold, by account and asset.
        booked: The lines that all fills on record call for.
    """
    findings = Findings()
    expected: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in booked:
        expected[line.account, line.asset] += line.amount
    for account, asset in sorted(ours.keys() | expected.keys()):
        called, held = expected[account, asset], ours.get((account, asset), Decimal(0))
        if account in (TRADING, FEES) and called != held:
            findings += unexplained("account", f"{account} {asset}", plain(called), plain(held))
    lines = (Line(account=key[0], asset=key[1], amount=amount) for key, amount in ours.items())
    for asset, amount in sorted(imbalance(lines).items()):
        findings += unexplained("account", f"all of {asset}", "0", plain(amount))
    return findings


def step(balance: Decimal) -> Decimal:
    """Return a unit of the last decimal that a balance is stated with."""
    exponent = balance.as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(1).scaleb(exponent)


def rounded(asset: str, ours: Decimal, theirs: Decimal) -> Findings:
    """Report a balance that differs by what the exchange rounds off."""
    difference = Difference(
        level="balance",
        subject=asset,
        expected=plain(ours),
        found=plain(theirs),
        explained=True,
        action="rounding booked",
    )
    return Findings(differences=(difference,))


def rounded_off(ours: Decimal, theirs: Decimal, fills: int) -> Decimal:
    """Return how much more a balance is than our fills say, if rounding them explains it.

    Args:
        ours: The balance by our ledger.
        theirs: The balance as the exchange states it, with every decimal that it keeps.
        fills: How many fills since both agreed have more decimals than that; the cost and the
            fee of each may have been rounded by a unit of the last one.
    """
    change = theirs - ours
    return change if abs(change) <= 2 * fills * step(theirs) else Decimal(0)


def compare_balances(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> Findings:
    """Compare the ledger with the exchange's balances, asset by asset, to the last digit."""
    findings = Findings()
    for asset in sorted(ours.keys() | theirs.keys()):
        expected, found = ours.get(asset, Decimal(0)), theirs.get(asset, Decimal(0))
        if expected != found:
            findings += unexplained("balance", asset, plain(expected), plain(found))
    return findings


def overdue(order: Order, now: datetime, grace: timedelta) -> bool:
    """Tell whether the exchange can no longer accept an order we have no answer about."""
    return order.status in {Status.PENDING, Status.UNKNOWN} and now > order.deadline + grace


def plain(amount: Decimal) -> str:
    """Write an amount without trailing zeros."""
    return f"{amount.normalize():f}"


def _same_fill(ours: Filled, item: ListedFill) -> Findings:
    findings, theirs = Findings(), item.fill
    for name in ("quantity", "price", "cost", "fee"):
        expected, found = getattr(ours, name), getattr(theirs, name)
        if expected != found:
            findings += unexplained("fill", f"{ours.exec_id} {name}", plain(expected), plain(found))
    if ours.exchange_id not in {item.exchange_id, None}:
        expected, found = f"of {ours.exchange_id}", f"of {item.exchange_id}"
        findings += unexplained("fill", f"{ours.exec_id} order", expected, found)
    return findings


def _same_market(order: Order | None, item: ListedFill) -> Findings:
    if order is None or (order.symbol, order.side) == (item.symbol, item.side):
        return Findings()
    expected, found = f"{order.side} {order.symbol}", f"{item.side} {item.symbol}"
    return unexplained("fill", f"{item.fill.exec_id} side", expected, found)


def explained(
    level: str, subject: str, states: tuple[str, str], action: str, mending: Mending
) -> Findings:
    """Report news that had not reached us, as (ours, theirs), with the event that mends it."""
    expected, found = states
    difference = Difference(
        level=level,
        subject=subject,
        expected=str(expected),
        found=str(found),
        explained=True,
        action=action,
    )
    return Findings(differences=(difference,), events=(mending,))


def unexplained(level: str, subject: str, expected: str, found: str) -> Findings:
    """Report a difference that no event of ours accounts for."""
    difference = Difference(
        level=level,
        subject=subject,
        expected=str(expected),
        found=str(found),
        explained=False,
        action="left for a person",
    )
    return Findings(differences=(difference,))
