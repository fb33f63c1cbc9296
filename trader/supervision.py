"""Every model scores a bar that has closed; one that misbehaves is sent away at that moment.

Production's place is taken by the version before it, which scores the same bar. A challenger
goes without a successor, and production does not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from serving import candour, deployment, tenure
from serving.conduct import Conduct, ask
from serving.events import CHALLENGER, PRODUCTION
from trader import accounts, record
from trader.desk import Score

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from trader.desk import Desk
    from trader.outlook import Books, Circumstances

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Supervision:
    """The record, a market and what is known around it when a bar has closed."""

    session: Session
    desk: Desk
    around: Circumstances
    books: Books

    def scores(self, row: NDArray[np.float64] | None) -> list[Score]:
        """Let production and challenger score a row; none while the features are not warm."""
        if row is None:
            return []
        asked = (self._ask(role, row) for role in (PRODUCTION, CHALLENGER))
        return [score for score in asked if score is not None]

    def _ask(self, role: str, row: NDArray[np.float64]) -> Score | None:
        while (model := self.desk.roster.models.get(role)) is not None:
            answer = ask(model.served, row)
            conduct = self.desk.roster.conduct.setdefault(role, Conduct())
            fault = conduct.fault(answer, row, budget=self.around.limits.max_prediction_seconds)
            if fault is None and role == PRODUCTION:
                fault = self._loss(model.version)
            if fault is None:
                return Score(model=model, probability=answer.probability, row=row)
            _send_away(self.session, self.desk, role, fault, self.around.now)
        return None

    def _loss(self, version: int) -> str | None:
        """Say if the market's trades have lost too much since the version was promoted."""
        symbol, roster = self.desk.symbol, self.desk.roster
        most = self.around.limits.max_model_loss
        mine = {symbol: self.books.account.sums.totals.get(symbol, (NOTHING, NOTHING))}
        profit = accounts.profit(mine, self.around.marks)
        if profit is None:
            return None
        if roster.opening is None:
            roster.opening = tenure.opening(self.session, symbol, version, profit)
        lost = roster.opening - profit
        return (
            f"it has lost {lost:.2f} since its promotion, of {most} allowed"
            if lost > most
            else None
        )


def review(engine: Engine, desk: Desk, now: datetime, most: float) -> None:
    """Roll back from the model in production if what it said did not come true.

    It did not if the odds against its probabilities exceed `most` to 1.
    """
    if desk.last_bar is None:
        return
    seen, interval = desk.last_bar.start, desk.interval
    with Session(engine) as session, session.begin():
        fault = candour.review(session, desk.roster, seen=seen, interval=interval, most=most)
        if fault is not None:
            _send_away(session, desk, PRODUCTION, fault, now)


def _send_away(session: Session, desk: Desk, role: str, fault: str, now: datetime) -> None:
    halt = deployment.roll_back(session, desk.roster, role, fault, now)
    if role == PRODUCTION:
        desk.leading = None  # nothing more is decided by what it said
    if halt is not None:
        record.halt(session, reason_code="model", reason=halt, who="trader", at=now)
