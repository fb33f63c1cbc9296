"""What the live rules would have done on recorded bars, and what it would have come to.

The rules are not repeated here: strategy, sizing, risk, conduct and position are the live
trader's own. This module only stands in for the loop that asks them; paper_orders.py
stands in for the exchange, paper.py for the record.

A bar's close gives the quote that a decision sees; the order meets the next bar, at its open
with the same spread and the slippage, and takes at most a share of that bar's volume. What
the order does not get there is cancelled, as an order is that must trade at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import isnan
from typing import TYPE_CHECKING

from market.instruments import Quote, Side
from ops.backtesting.paper import Account, Halted, Marks, Outcome, Traded
from ops.backtesting.paper_orders import Ordered, Orders, exact, quote, take
from serving.conduct import Answer, Conduct
from trader import risk, strategy
from trader.execution import Policy, worst_price
from trader.limits import LATCHING_CODES, Act, Claim, Proposal, Refused, State, View, state_for
from trader.position import Position
from trader.sizing import Volatility
from trader.strategy import Situation

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from market.tape import Tape
    from ops.backtesting.paper import Terms
    from registry.contract import Contract
    from trader.limits import Standing

    Floats = NDArray[np.float64]

ZERO = Decimal(0)
NOW = timedelta(0)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One bar's end, as far as it concerns a decision."""

    number: int
    bar: datetime
    now: datetime
    probability: float
    touch: Quote
    day_volume: Decimal
    standing: Standing
    state: State


def run(
    tape: Tape, rows: Floats, probabilities: Floats, contract: Contract, terms: Terms
) -> Outcome:
    """Trade the tape by the live rules.

    Args:
        tape: The bars.
        rows: The features of every bar, shape (n, m).
        probabilities: What the model says of each row, NaN while the features are not warm.
        contract: The model's terms.
        terms: The account's.

    Raises:
        ValueError: There is not one row and one probability a bar.
    """
    if not len(tape) == len(rows) == len(probabilities):
        raise ValueError(f"{len(tape)} bars, {len(rows)} rows, {len(probabilities)} probabilities")
    trading = _Trading(tape, rows, contract, terms)
    for number, probability in enumerate(probabilities.tolist()):
        trading.turn(number, probability)
    return trading.outcome


@dataclass(slots=True)
class _Trading:
    tape: Tape
    rows: Floats
    contract: Contract
    terms: Terms
    account: Account = field(init=False)
    outcome: Outcome = field(init=False)
    marks: Marks = field(default_factory=Marks)
    volatility: Volatility = field(default_factory=Volatility)
    conduct: Conduct = field(default_factory=Conduct)
    order: Ordered | None = None
    orders: Orders = field(init=False)
    state: State = State.ACTIVE
    closes: list[float] = field(init=False)
    spreads: list[float] = field(init=False)
    turnover: list[float] = field(init=False)

    def __post_init__(self) -> None:
        symbol = self.terms.instrument.symbol
        self.account = Account(cash=self.terms.cash, position=Position(symbol=symbol))
        self.outcome = Outcome(account=self.account)
        self.orders = Orders(symbol=symbol)
        self.closes, self.spreads = self.tape.close.tolist(), self.tape.spread.tolist()
        self.turnover = self.tape.day_turnover().tolist()

    def turn(self, number: int, probability: float) -> None:
        """Let one bar pass: what was ordered meets it, it closes, and is decided on."""
        bar = self.tape.starts[number]
        follows = number > 0 and bar - self.tape.starts[number - 1] == self.tape.interval
        if self.order is not None:
            self._meet(number, self.order, reached=follows)
        if not follows:
            self.volatility = Volatility()
        self.volatility.update(self.closes[number])
        close, now, state = exact(self.closes[number]), bar + self.tape.interval, self.state
        turn = _Turn(
            number=number,
            bar=bar,
            now=now,
            probability=probability,
            touch=quote(self.terms.instrument, now, close, self.spreads[number]),
            day_volume=exact(self.turnover[number]),
            standing=self._mark(close, now),
            state=state,
        )
        self.outcome.codes[self._code(turn)] += 1

    def _meet(self, number: int, order: Ordered, *, reached: bool) -> None:
        """Let an order meet the bar after its decision; without one it would not have traded."""
        self.order, wanted, terms = None, order.wanted, self.terms
        quantity, price = ZERO, order.limit
        if reached:
            opened = exact(float(self.tape.open[number]))
            quantity, price = take(
                order,
                touch=quote(terms.instrument, order.at, opened, self.spreads[order.number]),
                volume=exact(float(self.tape.volume[number])),
                terms=terms,
            )
        if not quantity:
            self.outcome.unfilled += 1
            return
        traded = Traded(
            number=order.number,
            at=order.at,
            side=order.side,
            ordered=wanted.quantity,
            quantity=quantity,
            price=price,
            fee=quantity * price * (terms.instrument.taker_fee or ZERO),
            code=wanted.reason_code,
            reason=wanted.reason,
        )
        self.account.book(traded)
        self.outcome.traded.append(traded)
        if order.side is Side.BUY:
            self.orders.bought(order)

    def _mark(self, close: Decimal, now: datetime) -> Standing:
        """Write down what the account is worth, and halt if it has lost too much."""
        account, began = self.account, self.terms.cash
        worth = account.position.value(close)
        profit = account.cash + worth - began
        standing = self.marks.standing(profit, now)
        self.marks.mark(profit, now)
        self.outcome.equity.append(float(profit + began))
        self.outcome.held.append(float(worth))
        lost = risk.breach(standing, self.terms.limits)
        if lost is not None and self.state is State.ACTIVE:
            self._latch(lost, now)
        return standing

    def _code(self, turn: _Turn) -> str:
        """Decide, leave an order if that is what follows, and return the reason's code."""
        if self.outcome.sent_away is not None:
            return "no_model"
        if isnan(turn.probability):
            return "cold"
        if fault := self._fault(turn):
            self.outcome.sent_away = f"{turn.now:%Y-%m-%d %H:%M} UTC: {fault}"
            return "no_model"
        wanted = strategy.decide(self._situation(turn))
        if wanted.side is None or wanted.limit is None:
            return wanted.reason_code
        order = Ordered(
            number=turn.number, at=turn.now, side=wanted.side, limit=wanted.limit, wanted=wanted
        )
        verdict = risk.check(self._proposal(turn, order), self._view(turn))
        if isinstance(verdict, Refused):
            self._latch(verdict, turn.now)
            return verdict.code
        self.order = order
        self.orders.sent(order)
        return wanted.reason_code

    def _fault(self, turn: _Turn) -> str | None:
        limits, lost = self.terms.limits, -turn.standing.profit
        fault = self.conduct.fault(
            Answer(probability=turn.probability, seconds=0.0),
            self.rows[turn.number],
            budget=limits.max_prediction_seconds,
        )
        if fault is None and lost > limits.max_model_loss:
            return f"it has lost {lost:.2f}, of {limits.max_model_loss} allowed"
        return fault

    def _situation(self, turn: _Turn) -> Situation:
        contract, terms, limits = self.contract, self.terms, self.terms.limits
        held, depth, horizon = self.account.position.quantity, terms.depth, contract.horizon_bars
        return Situation(
            instrument=terms.instrument,
            quote=turn.touch,
            policy=Policy.MARKETABLE,
            probability=turn.probability,
            base_rate=contract.base_rate,
            gain=contract.gain,
            loss=contract.loss,
            horizon_bars=horizon,
            held=held,
            bars_held=self.orders.bars_held(turn.now, self.tape.interval, otherwise=horizon),
            under_way=False,
            cash=self.account.cash,
            volatility=self._volatility(DAY),
            appetite=terms.appetite,
            max_position_value=limits.max_position_value,
            most_to_buy=limits.room(
                price=worst_price(Side.BUY, turn.touch, terms.instrument),
                held=held,
                elsewhere=ZERO,
                depth=depth,
                day_volume=turn.day_volume,
            ),
            most_to_sell=limits.order_cap(depth=depth, day_volume=turn.day_volume, reduces=True),
        )

    def _proposal(self, turn: _Turn, order: Ordered) -> Proposal:
        symbol = self.terms.instrument.symbol
        return Proposal(
            decision_id=f"{symbol}-{turn.bar.isoformat()}",
            symbol=symbol,
            side=order.side,
            quantity=order.wanted.quantity,
            limit=order.limit,
            deadline=self.terms.deadline,
            claim=Claim(
                probability=turn.probability,
                bar=turn.bar,
                feature_hash=self.contract.feature_hash,
            ),
        )

    def _view(self, turn: _Turn) -> View:
        terms, recent = self.terms, self.orders.within_an_hour(turn.now)
        return View(
            state=turn.state,
            instrument=terms.instrument,
            limits=terms.limits,
            interval=self.tape.interval,
            quote=turn.touch,
            quote_age=NOW,
            trusted=True,
            bar=turn.bar,
            bar_age=NOW,
            feature_hash=self.contract.feature_hash,
            clock_skew=NOW,
            volatility=self._volatility(MINUTE),
            day_volume=turn.day_volume,
            bid_depth=terms.depth,
            ask_depth=terms.depth,
            position=self.account.position.quantity,
            buying=ZERO,
            selling=ZERO,
            elsewhere=ZERO,
            cash=self.account.cash,
            promised=ZERO,
            standing=turn.standing,
            entries=self.orders.entries(turn.now),
            decided=False,
            sent=tuple(one for one in recent if one.age <= MINUTE),
            acts=tuple(Act(kind="intended", age=one.age) for one in recent),
            exchange_status="online",
            switch_age=None,
        )

    def _volatility(self, over: timedelta) -> float | None:
        return self.volatility.over(over.total_seconds(), self.tape.interval.total_seconds())

    def _latch(self, verdict: Refused, now: datetime) -> None:
        if verdict.code in LATCHING_CODES:
            self.outcome.halts.append(Halted(at=now, code=verdict.code, reason=verdict.reason))
            self.state = state_for(halt.code for halt in self.outcome.halts)
