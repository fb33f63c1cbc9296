"""Rules of the trader taken out one at a time: with any of them gone, the campaign must fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from trader import journal, memory, ordering
from trader.closing import close_bar
from trader.exchange import Exchange
from trader.limits import State
from trader.orders import LostTrack, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from market.bars import Bar
    from trader.desk import Desk
    from trader.live import Trader
    from trader.orders import Accepted, Order
    from trader.outlook import Circumstances

_place = Exchange.place


def _send_before_commit(trader: Trader, desk: Desk, bar: Bar, around: Circumstances) -> None:
    """Decide as ever, but send inside the transaction that writes the intent down."""
    if desk.needs_warming(bar):
        ordering._warm(trader, desk, bar)  # noqa: SLF001 - all but one rule stays as it is
    answer, order = None, None
    with Session(trader.engine) as session, session.begin():
        order = close_bar(session, desk, bar, around, trader.memory)
        if order is not None:
            answer = trader.exchange.place(order)
    if order is not None and answer is not None:
        with Session(trader.engine) as session, session.begin():
            journal.record_event(session, order.id, answer)


def _take_silence_for_a_refusal(self: Exchange, order: Order) -> Accepted | Rejected | LostTrack:
    """Place an order, and call it refused when nothing proves what happened."""
    answer = _place(self, order)
    return Rejected(at=answer.at, reason=answer.reason) if isinstance(answer, LostTrack) else answer


def _book_every_report(*_: Any) -> bool:
    """Take every report of a fill for a new fill."""
    return True


def _go_on(*_: Any) -> State:
    """Decide as if nobody had halted."""
    return State.ACTIVE


MUTATIONS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "the intent is kept before the order is sent": (ordering, "_decide", _send_before_commit),
    "an order without an answer is unknown": (Exchange, "place", _take_silence_for_a_refusal),
    "a fill is booked once, by its exec id": (journal, "_is_new", _book_every_report),
    "a halt lets nothing be opened": (memory, "state_for", _go_on),
}


@contextmanager
def without(rule: str) -> Iterator[None]:
    """Take a rule out for as long as the context lasts."""
    owner, name, instead = MUTATIONS[rule]
    kept = getattr(owner, name)
    setattr(owner, name, instead)
    try:
        yield
    finally:
        setattr(owner, name, kept)
