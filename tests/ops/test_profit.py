"""Profit is what the ledger says, at average cost, by the day it was made."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from market.instruments import Side
from ops.profit import profits
from trader import accounts, journal
from trader.orders import Filled, Order, client_order_id

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


def trade(session, number, side, quantity, price, *, days=0):
    at, amount, price = NOON + timedelta(days=days), Decimal(quantity), Decimal(price)
    one = Order(
        id=client_order_id("d", number),
        symbol="XRP/USD",
        side=side,
        quantity=amount,
        limit=price,
        created_at=at,
        deadline=at + timedelta(seconds=2),
    )
    fill = Filled(
        at=at,
        exec_id=f"T{number}",
        quantity=amount,
        price=price,
        cost=amount * price,
        fee=(amount * price * Decimal("0.008")).quantize(Decimal("0.00000001")),
        liquidity="taker",
    )
    journal.record_intent(session, one)
    journal.record_event(session, one.id, fill)


def bar(session, close):
    price = Decimal(close)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    one = Bar(
        symbol="XRP/USD",
        interval=timedelta(minutes=1),
        start=NOON,
        volume=Decimal(1),
        trades=1,
        **prices,
    )
    history.record_bars(session, [one], "test")


def test_profit_is_realised_at_average_cost_on_the_day_of_the_sale(session):
    trade(session, 1, Side.BUY, "6", "2.0")
    trade(session, 2, Side.BUY, "4", "2.5")
    trade(session, 3, Side.SELL, "5", "3.0", days=1)
    bar(session, "2.8")

    (found,) = profits(session)

    assert (found.quantity, found.average, found.mark) == (5, Decimal("2.2"), Decimal("2.8"))
    assert (found.realised, found.unrealised) == (4, 3)
    fees = [Decimal("0.176"), Decimal("0.12")]  # 0.8 % of 22 and of 15
    assert [day.net for day in found.days] == [-fees[0], 4 - fees[1]]
    assert [day.trades for day in found.days] == [2, 1]
    assert found.net == 7 - sum(fees)


def test_profit_agrees_with_what_the_ledger_and_the_trader_make_of_it(session):
    trade(session, 1, Side.BUY, "6.12345678", "2.01234")
    trade(session, 2, Side.SELL, "1.5", "2.2")
    bar(session, "2.8")

    (found,) = profits(session, "XRP/USD")

    assert found.net == pytest.approx(
        accounts.profit(accounts.totals(session), {"XRP/USD": Decimal("2.8")})
    )
    balance = accounts.ledger_balances(session)
    assert found.quantity == balance["XRP"]
    assert found.net == pytest.approx(balance["USD"] + found.quantity * Decimal("2.8"))


def test_without_a_bar_nothing_unrealised_is_claimed(session):
    trade(session, 1, Side.BUY, "6", "2.0")

    (found,) = profits(session)

    assert (found.mark, found.unrealised) == (None, None)
    assert found.net == -found.fees


def test_a_market_that_was_never_traded_has_none(session):
    trade(session, 1, Side.BUY, "6", "2.0")

    assert profits(session, "DOGE/USD") == []
