"""What the record says of the account, read before a decision needs it, and kept while true.

Sums over the whole past and a month of equity take long to read, and hardly ever change. They
are read when the bar before has closed. A decision goes by what was read then, and is written
down only if nothing was added since, by us or by another process; else it is made again, on what
holds now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from market import history
from market.instruments import Side
from sql.tables import DecisionRow, OrderEventRow, OrderRow, PriceBarRow
from trader import accounts, journal, record
from trader.limits import state_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy.orm import Session

    from market.instruments import Beside
    from trader.desk import Desk
    from trader.limits import State
    from trader.orders import Order

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OUR_ACTS = ("intended", "amending", "cancelling")
LOSSES = ("daily_loss", "drawdown")
# As a stamp, of fills and adjustments alone: every line of the ledger comes with one of these.
BOOKED = text("""
    SELECT concat((SELECT sum(id) FROM (SELECT id FROM order_events WHERE kind = 'filled'
                                        ORDER BY id DESC LIMIT 100) AS n),
                  ' ', (SELECT max(id) FROM adjustments))
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What all fills and all lines of the ledger amount to.

    `totals` are, by market, what is held and what its trades have brought in cash after fees;
    `balances` what the exchange holds for us, by asset.
    """

    booked: str
    totals: Mapping[str, tuple[Decimal, Decimal]]
    balances: Mapping[str, Decimal]

    @property
    def held(self) -> dict[str, Decimal]:
        """Return the positions by market."""
        return {symbol: quantity for symbol, (quantity, _) in self.totals.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account for a decision at one moment, and what the record's stamp was (`record.STAMP`).

    `recent` are the orders of the hour before, `opening` and `best` the equity marks that a
    loss is measured from; None where there is none.
    """

    stamp: str
    at: datetime
    sums: Sums
    state: State
    lifted: Mapping[str, datetime]
    pending: tuple[Order, ...]
    recent: tuple[Order, ...]
    opening: Decimal | None
    best: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One market for a decision at one moment.

    `day_volume` is the value traded within 24 hours, up to the bar before; `bought` the bar of
    the last decision that bought; `acts` what was asked of the exchange within an hour, and when.
    """

    stamp: str
    at: datetime
    day_volume: Decimal | None
    bought: datetime | None
    acts: tuple[tuple[str, datetime], ...]


class Memory:
    """What was read last. Without having been prepared it reads when it is asked."""

    def __init__(self) -> None:
        self._sums: Sums | None = None
        self._accounts: dict[datetime, Account] = {}
        self._markets: dict[str, Market] = {}
        self._beside: dict[str, tuple[datetime, Beside]] = {}

    def look(self, session: Session, desk: Desk, at: datetime) -> tuple[Account, Market]:
        """Return what holds of the account and a market at this very moment."""
        return self._look(session, record.stamp(session), desk, at)

    def recall(self, session: Session, desk: Desk, at: datetime) -> tuple[Account, Market]:
        """Return what held when it was read, without looking whether it still does."""
        account, market = self._accounts.get(at), self._markets.get(desk.symbol)
        if account is None or market is None or (market.stamp, market.at) != (account.stamp, at):
            return self.look(session, desk, at)
        return account, market

    def holds(self, session: Session, account: Account) -> bool:
        """Tell whether the account is still what it was when it was read."""
        return record.stamp(session) == account.stamp

    def beside(self, session: Session, desk: Desk, start: datetime) -> Beside:
        """Return the neighbours' closes before a bar; one that is on record never changes."""
        kept = self._beside.get(desk.symbol)
        if kept is None or kept[0] != start or None in kept[1]:
            closes = history.closes_beside(session, desk.symbol, desk.interval, start)
            kept = self._beside[desk.symbol] = start, closes
        return kept[1]

    def prepare(self, session: Session, desks: Iterable[Desk]) -> Sums:
        """Read what the next bar of every market will ask for, and return the sums."""
        now = record.stamp(session)
        for desk in desks:
            if desk.last_bar is not None:
                self._look(session, now, desk, desk.last_bar.end + desk.interval)
                self.beside(session, desk, desk.last_bar.end)
        for at in sorted(self._accounts)[: -len(self._markets) or None]:
            del self._accounts[at]
        return self._read_sums(session)

    def marked(self, at: datetime) -> None:
        """Forget what was read for later than an equity mark that was written just now."""
        for later in [known for known in self._accounts if known > at]:
            del self._accounts[later]

    def wrong(self, session: Session) -> str | None:
        """Say what is remembered and is not so, though nothing was added since it was read."""
        before = self._sums
        if before is None or session.scalar(BOOKED) != before.booked:
            return None
        self._sums = None
        now = self._read_sums(session)
        return None if now == before else f"the sums were {before}, and are {now}"

    def _look(self, session: Session, now: str, desk: Desk, at: datetime) -> tuple[Account, Market]:
        account, market = self._accounts.get(at), self._markets.get(desk.symbol)
        if account is None or account.stamp != now:
            account = self._accounts[at] = self._read_account(session, now, at)
        if market is None or (market.stamp, market.at) != (now, at):
            market = self._markets[desk.symbol] = _read_market(session, now, desk, at)
        return account, market

    def _read_account(self, session: Session, now: str, at: datetime) -> Account:
        lifted = accounts.lifted(session)
        vouched = max((lifted[code] for code in LOSSES if code in lifted), default=None)
        opening, best = accounts.marks(session, at, vouched)
        return Account(
            stamp=now,
            at=at,
            sums=self._read_sums(session),
            state=state_for(halt.reason_code for halt in record.current_halts(session)),
            lifted=lifted,
            pending=tuple(journal.unsettled_orders(session)),
            recent=tuple(journal.orders_since(session, at - HOUR)),
            opening=opening,
            best=best,
        )

    def _read_sums(self, session: Session) -> Sums:
        booked = str(session.scalar(BOOKED))
        if self._sums is None or self._sums.booked != booked:
            self._sums = Sums(
                booked=booked,
                totals=accounts.totals(session),
                balances=accounts.ledger_balances(session),
            )
        return self._sums


def _read_market(session: Session, now: str, desk: Desk, at: datetime) -> Market:
    events = select(OrderEventRow.kind, OrderEventRow.at).join(OrderRow)
    acts = session.execute(
        events.where(
            OrderRow.symbol == desk.symbol,
            OrderEventRow.kind.in_(OUR_ACTS),
            OrderEventRow.at > at - HOUR,
        )
    )
    return Market(
        stamp=now,
        at=at,
        day_volume=session.scalar(
            select(func.sum(PriceBarRow.volume * PriceBarRow.close)).where(
                PriceBarRow.symbol == desk.symbol,
                PriceBarRow.interval_seconds == desk.interval.total_seconds(),
                PriceBarRow.start >= at - DAY,
                PriceBarRow.start < at - desk.interval,
            )
        ),
        bought=session.scalar(
            select(DecisionRow.bar_start)
            .join(OrderRow, OrderRow.decision_id == DecisionRow.id)
            .where(OrderRow.symbol == desk.symbol, OrderRow.side == Side.BUY, OrderRow.filled > 0)
            .order_by(OrderRow.created_at.desc())
            .limit(1)
        ),
        acts=tuple((kind, moment) for kind, moment in acts),
    )
