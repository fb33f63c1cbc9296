"""A position is the sum of its fills, and profit is conserved."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.instruments import Side
from trader.ledger import EXCHANGE, Line, fill_lines, imbalance, opening_lines
from trader.position import Position

amounts = st.decimals("0.00000001", 10**6, places=8)
trades = st.lists(st.tuples(st.sampled_from(Side), amounts, amounts, amounts), max_size=20)


def held(*rows):
    position = Position(symbol="XRP/USD")
    for side, quantity, cost, fee in rows:
        position = position.after(
            side, quantity=Decimal(quantity), cost=Decimal(cost), fee=Decimal(fee)
        )
    return position


def test_selling_half_realises_half_of_the_gain():
    position = held((Side.BUY, 10, 20, "0.16"), (Side.SELL, 5, 15, "0.12"))

    assert (position.quantity, position.cost, position.average) == (5, 10, 2)
    assert (position.realised, position.net) == (5, Decimal("4.72"))
    assert position.unrealised(Decimal(3)) == 5


def test_buying_twice_averages_the_cost():
    assert held((Side.BUY, 1, 2, 0), (Side.BUY, 3, 10, 0)).average == 3


def test_selling_through_nothing_turns_the_position_round():
    position = held((Side.BUY, 4, 8, 0), (Side.SELL, 6, 18, 0))

    assert (position.quantity, position.cost, position.realised) == (-2, -6, 4)


def test_a_round_trip_leaves_nothing_behind():
    position = held((Side.BUY, 3, "1", 0), (Side.SELL, 1, "0.4", 0), (Side.SELL, 2, "0.8", 0))

    assert (position.quantity, position.average) == (0, None)
    assert abs(position.cost) < Decimal("1e-40")


@given(trades)
def test_quantity_cash_and_fees_add_up_whatever_was_traded(rows):
    position = held(*rows)
    signs = [1 if side is Side.BUY else -1 for side, *_ in rows]

    assert position.quantity == sum(s * q for s, (_, q, _, _) in zip(signs, rows, strict=True))
    cash = sum(-s * c for s, (_, _, c, _) in zip(signs, rows, strict=True))
    with localcontext(prec=60):
        assert abs(position.realised - position.cost - cash) < Decimal("1e-35")
    assert position.fees == sum(fee for *_, fee in rows)


@given(st.sampled_from(Side), amounts, amounts, amounts)
def test_the_lines_of_a_fill_sum_to_zero_in_every_asset(side, quantity, cost, fee):
    lines = fill_lines("XRP/USD", side, quantity=quantity, cost=cost, fee=fee)

    assert imbalance(lines) == {}
    sign = 1 if side is Side.BUY else -1
    ours = {
        asset: sum(x.amount for x in lines if x.account == EXCHANGE and x.asset == asset)
        for asset in ("XRP", "USD")
    }
    assert ours == {"XRP": sign * quantity, "USD": -sign * cost - fee}


def test_lines_that_do_not_balance_are_seen():
    assert imbalance(opening_lines("USD", Decimal(5))[:1]) == {"USD": 5}


def test_an_infinite_line_cannot_be_written():
    with pytest.raises(ValueError, match="not an amount"):
        Line(account=EXCHANGE, asset="USD", amount=Decimal("Infinity"))
