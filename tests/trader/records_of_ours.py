"""Two records of the same account: the pure rules folded in memory, and the real one.

Both are told the same things and asked the same questions, so that one test can hold either
to the same invariants, and one to the other.
"""

import contextlib
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from account_of_ours import EXCHANGE, WORLD
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from sql.tables import (
    AdjustmentRow,
    DiscrepancyRow,
    FillRow,
    LedgerEntryRow,
    OrderEventRow,
    OrderRow,
    ReconciliationEventRow,
)
from trader import accounts, journal, ledger, reconciliation, reporting, settlement
from trader.errors import IllegalTransition, OrderUnknown
from trader.ledger import Line
from trader.orders import Filled, Status, apply
from trader.position import Position
from trader.reconciliation import Findings

SYMBOL = "XRP/USD"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """All that a record says, comparable with what another one does."""

    orders: dict
    fills: dict  # exec id -> (our order's id, the fill)
    lines: dict  # transaction -> its lines
    position: Position

    def balances(self, account=None):
        """Return what is held, or what one account of the ledger holds, by asset."""
        found = defaultdict(Decimal)
        for line in (line for lines in self.lines.values() for line in lines):
            if line.account == (account or ledger.EXCHANGE):
                found[line.asset] += line.amount
        return dict(found)

    def settled(self):
        """Return what does not depend on when we asked for something, or why a balance began."""
        orders = {key: replace(one, cancelling=False) for key, one in self.orders.items()}
        booked = {key: lines for key, lines in self.lines.items() if key in self.fills}
        return orders, self.fills, booked, self.position


class InMemory:
    """The pure rules, each used as the record uses it; a restart folds the log again."""

    def __init__(self):
        self._log = []
        self._forget()

    def _forget(self):
        self._orders, self._fills, self._lines = {}, {}, {}

    def restart(self):
        """Lose everything but the log."""
        log = list(self._log)
        self._forget()
        for act, *told in log:
            getattr(self, act)(*told)
        self._log = log

    def intend(self, order):
        """Write an order down; one that was there is not to be sent again."""
        if order.id in self._orders:
            return False
        self._orders[order.id] = order
        self._log.append(("intend", order))
        return True

    def note(self, order_id, event):
        """Apply news as the journal does: a fill once, by its exec id."""
        order = self._orders[order_id]
        if isinstance(event, Filled) and event.exec_id in self._fills:
            return
        self._orders[order_id] = apply(order, event)
        if isinstance(event, Filled):
            self._fills[event.exec_id] = (order_id, event)
            amounts = {"quantity": event.quantity, "cost": event.cost, "fee": event.fee}
            self._lines[event.exec_id] = ledger.fill_lines(SYMBOL, order.side, **amounts)
        self._log.append(("note", order_id, event))

    def hear(self, report):
        """Apply an execution report."""
        self.note(report.cl_ord_id, reporting.read(report))

    def hear_and_crash(self, _report):
        """Nothing of a transaction that was not committed is left."""
        self.restart()

    def adjust(self, lines):
        """Book a correction."""
        self._lines[f"adjustment {len(self._lines)}"] = lines
        self._log.append(("adjust", lines))

    def reconcile(self):
        """Compare as `settlement` does, and return what differed."""
        at = EXCHANGE.time()
        listed = [*EXCHANGE.open_orders(), *EXCHANGE.closed_orders(EPOCH)]
        fills = EXCHANGE.fills_since(EPOCH)
        theirs = EXCHANGE.balances()
        if not self._log:
            for asset, amount in theirs.items():
                self.adjust(ledger.opening_lines(asset, amount))
            return ()
        found = Findings()
        for order in list(self._orders.values()):
            if order.status is not Status.REJECTED:
                found += self._search(order, listed, at)
        by_exchange = {one.exchange_id: one for one in self._orders.values() if one.exchange_id}
        ours = {
            key: replace(fill, exchange_id=self._orders[order_id].exchange_id)
            for key, (order_id, fill) in self._fills.items()
        }
        compared = reconciliation.compare_fills(ours, by_exchange, fills, since=EPOCH)
        found += self._apply(compared)
        for order in list(self._orders.values()):
            for one in reconciliation.match(order, listed):
                found += self._apply(reconciliation.conclude(self._orders[order.id], one))
        names = {*self._orders, *by_exchange}
        found += reconciliation.compare_foreign(names, listed)
        found += reconciliation.compare_accounts(self._accounts(), self._booked())
        return (
            found + reconciliation.compare_balances(self.known().balances(), theirs)
        ).differences

    def _search(self, order, listed, at):
        found = reconciliation.match(order, listed)
        if len(found) > 1:
            return reconciliation.unexplained("order", order.id, "one order", "several")
        if found:
            return self._apply(reconciliation.adopt(order, found[0]))
        if order.status is Status.OPEN:
            return reconciliation.unexplained("order", order.id, "open", "not listed at all")
        if not order.status.final and reconciliation.overdue(order, at, settlement.GRACE):
            return self._apply(reconciliation.vanish(order, at))
        return Findings()

    def _apply(self, findings):
        for mending in findings.events:
            try:
                self.note(mending.order_id, mending.event)
            except (IllegalTransition, OrderUnknown) as error:
                said = (mending.order_id, "can be applied", str(error))
                findings += reconciliation.unexplained("order", *said)
        return findings

    def _accounts(self):
        found = defaultdict(Decimal)
        for line in (line for lines in self._lines.values() for line in lines):
            found[line.account, line.asset] += line.amount
        return dict(found)

    def _booked(self):
        for order_id, fill in self._fills.values():
            order = self._orders[order_id]
            amounts = {"quantity": fill.quantity, "cost": fill.cost, "fee": fill.fee}
            yield from ledger.fill_lines(order.symbol, order.side, **amounts)

    def accept(self):
        """Take the exchange's balances on a person's word."""
        theirs, ours = EXCHANGE.balances(), self.known().balances()
        for asset in theirs:
            if change := theirs[asset] - ours.get(asset, ledger.ZERO):
                self.adjust(ledger.adjustment_lines(asset, change))

    def known(self):
        """Return everything."""
        fills = sorted(self._fills.values(), key=lambda one: (one[1].at, one[1].exec_id))
        position = Position(symbol=SYMBOL)
        for order_id, fill in fills:
            amounts = {"quantity": fill.quantity, "cost": fill.cost, "fee": fill.fee}
            position = position.after(self._orders[order_id].side, **amounts)
        told = {key: (one, _told(fill)) for key, (one, fill) in self._fills.items()}
        return Known(dict(self._orders), told, dict(self._lines), position)

    def spoil(self, what, field, wrong):
        """Change one field of the record behind its back; tell whether there was any."""
        if what == "fills" and self._fills:
            key, (order_id, fill) = next(reversed(self._fills.items()))
            self._fills[key] = (order_id, replace(fill, **{field: wrong(getattr(fill, field))}))
        elif what == "orders" and (order := _spoilable(self._orders.values(), field)):
            self._orders[order.id] = replace(order, **{field: wrong(getattr(order, field))})
        elif what == "ledger":
            key, (line, *rest) = next(reversed(self._lines.items()))
            self._lines[key] = (replace(line, amount=wrong(line.amount)), *rest)
        else:
            return False
        return True


class OnPostgres:
    """The real record, with the journal, the ledger and the settlement of the trader."""

    def __init__(self, engine):
        self._engine = engine
        tables = (DiscrepancyRow, ReconciliationEventRow, AdjustmentRow, LedgerEntryRow)
        with Session(engine) as session, session.begin():
            session.execute(text("SET LOCAL session_replication_role = replica"))  # triggers sleep
            for table in (*tables, FillRow, OrderEventRow, OrderRow):
                session.execute(delete(table))

    def restart(self):
        """Lose every connection."""
        self._engine.dispose()

    def intend(self, order):
        """Write an order down; one that was there is not to be sent again."""
        with Session(self._engine) as session, session.begin():
            return journal.record_intent(session, order)

    def note(self, order_id, event):
        """Apply news."""
        with Session(self._engine) as session, session.begin():
            journal.record_event(session, order_id, event)

    def hear(self, report):
        """Apply an execution report."""
        with Session(self._engine) as session, session.begin():
            assert reporting.record_report(session, report) is not None

    def hear_and_crash(self, report):
        """Apply a report in a transaction that is never committed."""
        with Session(self._engine) as session, contextlib.suppress(Crash), session.begin():
            reporting.record_report(session, report)
            raise Crash
        self.restart()

    def reconcile(self):
        """Compare, and return what differed."""
        found = settlement.reconcile(self._engine, EXCHANGE, trigger="test", world=WORLD)
        assert found.clean == all(d.explained for d in found.differences)
        return found.differences

    def accept(self):
        """Take the exchange's balances on a person's word."""
        settlement.accept(self._engine, EXCHANGE, who="anna", reason="deposit")

    def known(self):
        """Return everything."""
        lines = defaultdict(list)
        with Session(self._engine) as session:
            orders = {order.id: order for order in journal.orders_since(session, EPOCH)}
            rows = session.execute(select(FillRow.exec_id, FillRow.order_id)).all()
            booked = journal.fills_since(session, EPOCH)
            entries = session.scalars(
                select(LedgerEntryRow).order_by(LedgerEntryRow.transaction_id, LedgerEntryRow.line)
            )
            for row in entries:
                line = Line(account=row.account, asset=row.asset, amount=row.amount)
                lines[row.transaction_id].append(line)
            position = accounts.position(session, SYMBOL)
            assert accounts.held(session, SYMBOL) == position.quantity
        fills = {key: (order_id, _told(booked[key])) for key, order_id in rows}
        told = {key: tuple(group) for key, group in lines.items()}
        return Known(orders, fills, told, position)

    def spoil(self, what, field, wrong):
        """Change one field of the record behind its back; tell whether there was any."""
        table, order = {
            "fills": (FillRow, FillRow.at.desc()),
            "orders": (OrderRow, OrderRow.created_at.desc()),
            "ledger": (LedgerEntryRow, LedgerEntryRow.at.desc()),
        }[what]
        with Session(self._engine) as session, session.begin():
            session.execute(text("SET LOCAL session_replication_role = replica"))  # triggers sleep
            rows = session.scalars(select(table).order_by(order)).all()
            if what == "orders":
                one = _spoilable((journal.order_by_id(session, row.id) for row in rows), field)
                rows = [row for row in rows if one is not None and row.id == one.id]
            if not rows:
                return False
            setattr(rows[0], field, wrong(getattr(rows[0], field)))
        return True


class Crash(Exception):
    """The process ended."""


def _told(fill):
    return replace(fill, exchange_id=None)


def _spoilable(orders, field):
    """Return an order that the exchange lists, and whose field there is something to change of."""
    found = [one for one in orders if one is not None and one.exchange_id is not None]
    if field == "filled":
        found = [one for one in found if one.filled]
    return found[-1] if found else None
