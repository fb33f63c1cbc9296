"""What was traded, booked, decided and scored stays as it was written, and is possible."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

ORDER = """
INSERT INTO orders (id, symbol, side, quantity, limit_price, cancelling, time_in_force, status,
    filled, created_at, deadline, updated_at)
VALUES ('o', 'XRP/USD', 'buy', 10, 0.5, false, 'ioc', 'filled', 10, now(), now(), now())
"""
FILL = """
INSERT INTO fills (exec_id, order_id, symbol, side, quantity, price, cost, fee, liquidity, at)
VALUES ('e', 'o', 'XRP/USD', :side, :quantity, :price, :cost, :fee, 'taker', now())
"""
SOUND = {"side": "buy", "quantity": 10, "price": 0.5, "cost": 5, "fee": 0}
WRITTEN = ("predictions", "decisions", "order_events", "fills", "ledger_entries", "adjustments")


@pytest.mark.parametrize("table", WRITTEN)
@pytest.mark.parametrize("act", ["UPDATE {} SET at = at", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_or_delete(engine, table, act):
    with (
        pytest.raises(DBAPIError, match="is only ever added to"),
        engine.begin() as connection,
    ):
        connection.execute(text(act.format(table)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "hold"},
        {"quantity": 0},
        {"quantity": "NaN"},
        {"price": "NaN"},
        {"cost": -1},
        {"cost": "NaN"},
        {"fee": -1},
        {"fee": "NaN"},
    ],
)
def test_a_trade_that_is_impossible_is_refused(engine, wrong):
    with engine.begin() as connection:
        connection.execute(text(ORDER))

    with pytest.raises(DBAPIError, match="ck_fills_"), engine.begin() as connection:
        connection.execute(text(FILL), SOUND | wrong)

    with engine.begin() as connection:
        connection.execute(text(FILL), SOUND)


@pytest.mark.parametrize("quantity", ["0", "-1", "'NaN'"])
def test_an_order_of_no_quantity_is_refused(engine, quantity):
    order = ORDER.replace("'buy', 10", f"'buy', {quantity}").replace("'filled', 10", "'open', 0")

    with pytest.raises(DBAPIError, match="ck_orders_"), engine.begin() as connection:
        connection.execute(text(order))


def test_an_amount_that_is_no_number_is_not_booked(engine):
    line = "INSERT INTO ledger_entries VALUES ('t', 1, 'exchange', 'USD', 'NaN', now())"

    with pytest.raises(DBAPIError, match="ck_ledger_entries_amount"), engine.begin() as connection:
        connection.execute(text(line))
