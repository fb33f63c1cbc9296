"""Orders and their news, with the parts a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from market.instruments import Instrument, Side
from trader.orders import Accepted, Cancelled, Filled, Order, client_order_id

NOON = datetime.fromtimestamp(1_790_000_000, UTC)

XRP = Instrument(
    symbol="XRP/USD",
    exchange_id="XXRPZUSD",
    base="XRP",
    quote="USD",
    price_decimals=5,
    quantity_decimals=8,
    cost_decimals=8,
    quantity_min=Decimal("1.65"),
    cost_min=Decimal("0.5"),
    maker_fee=Decimal("0.0008"),
    taker_fee=Decimal("0.002"),
)


def order(**changes):
    """Return an order to buy 10 XRP at 2 dollars at most."""
    known = {
        "id": client_order_id("xrp-usd-1", 1),
        "symbol": "XRP/USD",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "limit": Decimal("2.1"),
        "created_at": NOON,
        "deadline": NOON + timedelta(seconds=5),
    }
    return Order(**known | changes)


def accepted(exchange_id="OAAAAA-AAAAA-AAAAAA"):
    return Accepted(at=NOON, exchange_id=exchange_id)


def cancelled():
    return Cancelled(at=NOON, reason="IOC")


def filled(quantity, exec_id="T1", price="2.0"):
    quantity, price = Decimal(quantity), Decimal(price)
    return Filled(
        at=NOON,
        exec_id=exec_id,
        quantity=quantity,
        price=price,
        cost=quantity * price,
        fee=(quantity * price * Decimal("0.008")).quantize(Decimal("0.00000001")),
        liquidity="taker",
    )
