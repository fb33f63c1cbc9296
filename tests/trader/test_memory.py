"""What was read ahead of a decision is used only as long as the record still says the same."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from orders_of_ours import NOON, XRP, accepted, cancelled, filled, order
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from sql import trip
from trader import accounts, journal, ledger, record
from trader.desk import Desk
from trader.memory import Memory
from trader.orders import client_order_id

MINUTE = timedelta(minutes=1)
NEXT = NOON + MINUTE


@pytest.fixture
def desk():
    prices = dict.fromkeys(("open", "high", "low", "close", "volume", "bought"), Decimal(2))
    last = Bar(symbol="XRP/USD", interval=MINUTE, start=NOON - MINUTE, trades=1, **prices)
    return Desk(XRP, MINUTE, last_bar=last)


@pytest.fixture
def memory(engine, desk):
    """Remember a record with one order that was filled, and one that is open."""
    first, second = order(), another(2)
    with Session(engine) as session, session.begin():
        for one, number in ((first, 1), (second, 2)):
            journal.record_intent(session, one)
            journal.record_event(session, one.id, accepted(f"OAAAAA-AAAAA-AAAAA{number}"))
        journal.record_event(session, first.id, filled(10, "T1"))
        lines = ledger.opening_lines("USD", Decimal(1_000))
        accounts.record_adjustment(session, "opening:USD", lines, reason="r", who="t", at=NOON)
        trip.run(session, [accounts.equity_mark(NOON, Decimal(5))])
        made = Memory()
        made.prepare(session, [desk])
    return made


def another(number):
    return order(id=client_order_id(f"xrp-usd-{number}", 1))


def adjust(session):
    lines = ledger.adjustment_lines("USD", Decimal(7))
    accounts.record_adjustment(session, "adjustment:USD", lines, reason="r", who="t", at=NOON)


CHANGES = {
    "an order is intended": lambda s: journal.record_intent(s, another(3)),
    "an order trades": lambda s: journal.record_event(s, another(2).id, filled(4, "T2")),
    "an order ends": lambda s: journal.record_event(s, another(2).id, cancelled()),
    "the ledger is adjusted": adjust,
    "somebody halts": lambda s: record.halt(
        s, reason_code="operator", reason="r", who="t", at=NOON
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_whoever_made_it(engine, desk, memory, change):
    with Session(engine) as session, session.begin():
        CHANGES[change](session)

    with Session(engine) as session:
        assert memory.look(session, desk, NEXT) == Memory().look(session, desk, NEXT)


def test_a_halt_that_is_lifted_is_seen(engine, desk, memory):
    with Session(engine) as session, session.begin():
        record.halt(session, reason_code="drawdown", reason="r", who="t", at=NOON)
        memory.look(session, desk, NEXT)
        record.resume(session, reason="r", who="t", at=NOON)

        assert memory.look(session, desk, NEXT) == Memory().look(session, desk, NEXT)


def test_a_change_that_took_its_number_first_and_was_committed_last_is_seen(engine, desk, memory):
    with Session(engine) as slow, Session(engine) as quick, Session(engine) as looking:
        journal.record_event(slow, another(2).id, filled(4, "T2"))
        journal.record_intent(quick, another(3))
        quick.commit()
        memory.look(looking, desk, NEXT)
        looking.commit()

        slow.commit()

        assert memory.look(looking, desk, NEXT) == Memory().look(looking, desk, NEXT)


def test_a_mark_of_equity_counts_for_the_next_bar(engine, desk, memory):
    with Session(engine) as session, session.begin():
        trip.run(session, [accounts.equity_mark(NOON, Decimal(90))])
        memory.marked(NOON)

        account, _ = memory.look(session, desk, NEXT)

    assert account.best == 90


def test_what_was_prepared_is_not_read_again(engine, desk, memory):
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    with Session(engine) as session:
        memory.look(session, desk, NEXT)
    assert len(statements) == 1

    with Session(engine) as session:
        memory.look(session, desk, NEXT + MINUTE)
    assert len(statements) > 5
    assert not any("sum(fills" in statement for statement in statements)


def test_neighbours_are_asked_for_until_both_are_on_record(engine, desk, memory):
    peer = replace(desk.last_bar, symbol="DOGE/USD")
    with Session(engine) as session:
        history.record_bars(session, [peer], "test")
        assert memory.beside(session, desk, NOON) == (2, None)

        history.record_bars(session, [replace(peer, symbol="BTC/USD")], "test")
        assert memory.beside(session, desk, NOON) == (2, 2)
        session.rollback()

        assert memory.beside(session, desk, NOON) == (2, 2)
        assert memory.beside(session, desk, NEXT) == (None, None)


def test_sums_that_differ_though_nothing_was_added_are_told(engine, memory):
    with Session(engine) as session:
        assert memory.wrong(session) is None
        session.execute(text("SET LOCAL session_replication_role = replica"))  # triggers sleep
        session.execute(text("DELETE FROM fills WHERE exec_id = 'T1'"))

        assert "XRP/USD" in memory.wrong(session)
