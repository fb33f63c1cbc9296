"""An ordinary order and an ordinary moment, with the parts a test does not care about filled in."""

from datetime import timedelta
from decimal import Decimal

from kraken_messages import instrument
from orders_of_ours import NOON

from market.instruments import Quote, Side
from trader.limits import Claim, Limits, Proposal, Sent, Standing, State, View

MINUTE = timedelta(minutes=1)
CLAIM = Claim(probability=0.8, bar=NOON, feature_hash="f")
SENT = Sent(
    symbol="XRP/USD",
    side=Side.BUY,
    quantity=Decimal(7),
    limit=Decimal(2),
    age=timedelta(seconds=30),
)


def proposal(**changes):
    """Return an order to buy 100 XRP at 2.005."""
    known = {
        "decision_id": "d1",
        "symbol": "XRP/USD",
        "side": Side.BUY,
        "quantity": Decimal(100),
        "limit": Decimal("2.005"),
        "deadline": timedelta(seconds=2),
        "claim": CLAIM,
        "post_only": False,
    }
    return Proposal(**known | changes)


def sale(**changes):
    """Return an order to sell 100 XRP at 1.995."""
    return proposal(**{"side": Side.SELL, "limit": Decimal("1.995")} | changes)


def view(**changes):
    """Return a quiet moment in which an ordinary order may go."""
    known = {
        "state": State.ACTIVE,
        "instrument": instrument(),
        "limits": Limits(),
        "interval": MINUTE,
        "quote": Quote(symbol="XRP/USD", at=NOON, bid=Decimal("1.999"), ask=Decimal("2.001")),
        "quote_age": timedelta(seconds=1),
        "trusted": True,
        "bar": NOON,
        "bar_age": timedelta(seconds=1),
        "feature_hash": "f",
        "clock_skew": timedelta(milliseconds=20),
        "volatility": 0.001,
        "day_volume": Decimal(1_000_000),
        "bid_depth": Decimal(20_000),
        "ask_depth": Decimal(20_000),
        "position": Decimal(0),
        "buying": Decimal(0),
        "selling": Decimal(0),
        "elsewhere": Decimal(0),
        "cash": Decimal(1000),
        "promised": Decimal(0),
        "standing": Standing(profit=Decimal(0), opening=Decimal(0), peak=Decimal(0)),
        "entries": 0,
        "decided": False,
        "sent": (),
        "acts": (),
        "exchange_status": "online",
        "switch_age": timedelta(seconds=5),
    }
    return View(**known | changes)


def lost(today="0", drawdown="0"):
    """Return the standing of an account that lost so much since morning, and since its peak."""
    return Standing(
        profit=Decimal(0), opening=Decimal(today), peak=max(Decimal(today), Decimal(drawdown))
    )
