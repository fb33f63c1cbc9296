"""What the trader has to look at from time to time, whatever the markets do, and as it stops."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from market import history
from serving import deployment
from trader import journal, record, settlement
from trader.execution import OnStop
from trader.ordering import circumstances, send
from trader.orders import Status
from trader.outage import AWAY
from trader.pursuit import pursue
from trader.status import publish
from trader.supervision import review

if TYPE_CHECKING:
    from serving.events import ModelLoaded, ModelRefused, ModelWithdrawn
    from trader.live import Trader

SETTLE_EVERY = 15.0  # seconds between attempts to settle what stays open; bars close meanwhile
SETTLE_AFTER = settlement.GRACE + timedelta(seconds=1)  # past its deadline, an order is looked for


def attend(trader: Trader) -> None:
    """Keep the lease and the switch, look after orders and models, and say how it stands."""
    trader.lease.check()
    _write_halt(trader)
    _withdraw_doubtful(trader)
    # First what a halt asks: a reconciliation may take its time.
    trader.switch.renew(trader.now(), trader.exchange_status)
    _reconsider_models(trader)
    for desk in trader.desks.values():
        review(trader.engine, desk, trader.now(), trader.settings.max_model_odds)
    around = partial(circumstances, trader)
    for one in pursue(trader.lease, trader.exchange, trader.desks, around, trader.memory):
        send(trader, one)
    patience = timedelta(seconds=trader.settings.post_only_seconds)
    with Session(trader.engine) as session:
        halts = record.current_halts(session)
        overdue = any(
            trader.now() > order.due(patience) + SETTLE_AFTER
            for order in journal.unsettled_orders(session)
        )
    due = "overdue order" if overdue else trader.owed
    if due is not None and trader.world.monotonic() >= trader.settle_due:
        trader.reconcile(due)
        trader.settle_due = trader.world.monotonic() + SETTLE_EVERY
    with Session(trader.engine) as session, session.begin():
        sums = trader.memory.prepare(session, trader.desks.values())
        said = publish(
            session,
            trader.settings.account,
            trader.desks,
            halts=halts,
            held=sums.held,
            connected=trader.reporting,
            word=trader.word or trader.why_owed,
            at=trader.now(),
        )
    trader.said, trader.said_at = said, trader.world.monotonic()
    trader.telemetry.metrics.account(halted=bool(halts), connected=trader.reporting)
    for desk in trader.desks.values():
        late = desk.builder.late
        trader.telemetry.metrics.market(desk.symbol, trusted=desk.trusted, late_trades=late)


def _write_halt(trader: Trader) -> None:
    if (reason := trader.outage.halt) is not None:
        with Session(trader.engine) as session, session.begin():
            record.halt(session, reason_code="http", reason=reason, who="http", at=trader.now())
        trader.outage.halted()


def _withdraw_doubtful(trader: Trader) -> None:
    for desk in trader.desks.values():
        if desk.doubtful is not None:
            with trader.lease.transaction() as session:
                history.withdraw(session, desk.symbol, desk.interval, desk.doubtful)
            desk.doubtful = None


def under_way(trader: Trader) -> bool:
    """Tell whether an order has not ended that should before we stop, or may not have."""
    leave = trader.settings.on_stop is OnStop.LEAVE
    try:
        with Session(trader.engine) as session:
            orders = journal.unsettled_orders(session)
    except AWAY:
        return not leave  # who can tell? the next start reconciles
    return any(not (leave and one.rests and one.status is Status.OPEN) for one in orders)


def change_model(trader: Trader, event: ModelLoaded | ModelRefused | ModelWithdrawn) -> None:
    """Take a model up, or refuse it, or do without it, and write that down."""
    desk = trader.desks[event.symbol]
    with Session(trader.engine) as session, session.begin():
        events = deployment.take_up(
            session, desk.roster, event, trader.now(), interval=desk.interval
        )
    for one in events:
        desk.adopt(one)


def _reconsider_models(trader: Trader) -> None:
    for desk in [desk for desk in trader.desks.values() if desk.roster.set_aside is not None]:
        with Session(trader.engine) as session, session.begin():
            events = deployment.reconsider(
                session, desk.roster, trader.now(), interval=desk.interval
            )
        for one in events:
            desk.adopt(one)
