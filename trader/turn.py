"""One decision on its way to the record: what it is about, what it goes by, its order.

Works in the caller's transaction. What is written down is so only if the account is still what
it was when it was read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from market.bars import interval_start
from sql import trip
from trader import journal, outlook, record, risk
from trader.limits import Claim, Proposal
from trader.orders import Order, client_order_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from sql.trip import Statement
    from trader.desk import Desk, Score
    from trader.limits import Verdict, View
    from trader.memory import Memory
    from trader.outlook import Books, Circumstances
    from trader.strategy import Wanted

FIRST_ATTEMPT = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision that is to be made.

    `closed` is the end of the bar that has just closed, if that is why; `score` what the model
    in production made of it, where the decision follows one; `suffix` tells the decision from
    the first one on the same bar.
    """

    session: Session
    desk: Desk
    around: Circumstances
    books: Books
    memory: Memory
    closed: datetime | None = None
    score: Score | None = None
    suffix: str = ""

    @property
    def bar_start(self) -> datetime:
        """Return when the bar began that the decision is about."""
        if self.desk.last_bar is not None:
            return self.desk.last_bar.start
        return interval_start(self.around.now, self.desk.interval)

    @property
    def interval_seconds(self) -> int:
        """Return the length of the market's bars."""
        return int(self.desk.interval.total_seconds())

    @property
    def decision_id(self) -> str:
        """Return the decision's name."""
        return record.decision_id(self.desk.symbol, self.bar_start) + self.suffix

    def renewed(self) -> Turn:
        """Return the same with the account as it is now."""
        books = outlook.open_books(
            self.session, self.desk, self.around, memory=self.memory, at=self.closed
        )
        return replace(self, books=books)

    def judge(self, wanted: Wanted) -> tuple[Verdict, View]:
        """Let risk look at an order that is wanted, and return what it looked at as well."""
        assert wanted.side is not None
        assert wanted.limit is not None
        proposal = Proposal(
            decision_id=self.decision_id,
            symbol=self.desk.symbol,
            side=wanted.side,
            quantity=wanted.quantity,
            limit=wanted.limit,
            deadline=self.around.deadline,
            claim=self._claim(),
            post_only=wanted.worst is not None,
        )
        view = outlook.view(self.desk, self.around, self.books, self.decision_id)
        return risk.check(proposal, view), view

    def order(self, wanted: Wanted) -> Order | None:
        """Return the order that a decision leads to, if it leads to one."""
        if wanted.side is None or wanted.limit is None:
            return None
        return Order(
            id=client_order_id(self.decision_id, FIRST_ATTEMPT),
            decision_id=self.decision_id,
            symbol=self.desk.symbol,
            side=wanted.side,
            quantity=wanted.quantity,
            limit=wanted.limit,
            worst=wanted.worst,
            time_in_force="ioc" if wanted.worst is None else "gtc",
            created_at=self.around.now,
            deadline=self.around.now + self.around.deadline,
        )

    def prediction(self, score: Score) -> Statement:
        """Write down what a model made of the bar."""
        contract = score.model.served.contract
        return record.prediction(
            symbol=self.desk.symbol,
            interval_seconds=self.interval_seconds,
            bar_start=self.bar_start,
            model_version=score.model.version,
            role=score.model.role,
            probability=score.probability,
            horizon_bars=contract.horizon_bars,
            feature_hash=contract.feature_hash,
            features=score.row.tolist(),
            at=self.around.now,
        )

    def record(
        self,
        wanted: Wanted,
        inputs: dict[str, Any],
        order: Order | None,
        written: Sequence[Statement] = (),
    ) -> bool:
        """Write the decision down and what comes with it.

        Args:
            wanted: What was decided.
            inputs: What was known.
            order: What it leads to.
            written: What is written before it.

        Returns:
            Whether it is new, and the account is still so: else the order must not be sent.
        """
        self.desk.last_word = wanted.reason
        scored = None
        if self.score is not None:
            scored = self.score.model.version, self.interval_seconds
        decision = record.decision(
            wanted,
            symbol=self.desk.symbol,
            bar_start=self.bar_start,
            inputs=inputs,
            at=self.around.now,
            stamp=self.books.account.stamp,
            scored=scored,
            suffix=self.suffix,
        )
        last = decision if order is None else journal.intent(order, decision)
        if trip.run(self.session, [*written, last]) is None:
            return False
        if order is not None:
            self.desk.worked = order.id if order.rests else None
        return True

    def _claim(self) -> Claim | None:
        if self.score is None:
            return None
        return Claim(
            probability=self.score.probability,
            bar=self.bar_start,
            feature_hash=self.score.model.served.contract.feature_hash,
        )
