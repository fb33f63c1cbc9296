"""What the trader says of itself is what holds: its trading state, and what it does not trade."""

from datetime import timedelta
from decimal import Decimal

import pytest
from orders_of_ours import NOON, XRP
from sqlalchemy.orm import Session

from ops.health import trader_word
from trader import record
from trader.desk import Desk
from trader.status import publish


def said(engine, *codes, **desk):
    desks = {"XRP/USD": Desk(XRP, timedelta(minutes=1), **desk)}
    with Session(engine) as session, session.begin():
        for code in codes:
            record.halt(session, reason_code=code, reason=f"for {code}", who="test", at=NOON)
        halts = record.current_halts(session)
        return publish(
            session,
            "kraken",
            desks,
            halts=halts,
            held={"XRP/USD": Decimal("12.500")},
            connected=True,
            word="",
            at=NOON,
        )


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ((), "waiting"),
        (("daily_loss",), "reducing"),
        (("operator",), "halted"),
        (("daily_loss", "operator"), "halted"),
    ],
)
def test_the_state_is_the_one_the_standing_halts_leave(engine, codes, state):
    found = said(engine, *codes)

    assert found["state"] == state
    assert found["halt"] == (f"for {codes[0]}" if codes else None)
    assert trader_word(found["state"], found).startswith(f"{state}{': for' if codes else ';'}")


def test_a_market_that_is_only_watched_misses_no_model(engine):
    watched, traded = said(engine, traded=False), said(engine)

    assert trader_word("trading", watched) == "trading; XRP/USD watched only"
    assert "XRP/USD no model, holds 12.5" in trader_word("trading", traded)
