"""No order of any kind, however it is changed, makes money, loses any or leaves a debt."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.accounts import HOUSE
from sandbox.amendment import Change, amend
from sandbox.errors import Refused
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import Close, OrderRequest
from sandbox.passage import advance
from sandbox.synthetic import HOUR_NS, Synthetic

XRP = BY_SYMBOL["XRP/USD"]
START = 492_000 * HOUR_NS + HOUR_NS // 3
SECOND = 1_000_000_000
LOT = 10**8

KINDS = {
    "limit": {},
    "now": {"tif": "IOC"},
    "all": {"tif": "FOK"},
    "passive": {"post_only": True},
    "dated": {"tif": "GTD"},
    "later": {},
    "market": {"ordertype": "market", "limit": None},
    "cash": {"ordertype": "market", "limit": None, "quantity": 0, "side": "buy"},
    "iceberg": {"ordertype": "iceberg"},
    "stop-loss": {"terms": ("#0.2%", "")},
    "take-profit": {"terms": ("#0.2%", ""), "reference": "index"},
    "stop-loss-limit": {"terms": ("#0.1%", "#0.1%"), "reference": "index"},
    "trailing-stop": {"terms": ("+0.3%", "")},
    "trailing-stop-limit": {"terms": ("+0.3%", "-0.1%"), "reference": "index"},
}
STOPS = [kind for kind in KINDS if "-" in kind]
RULES = ["cancel-newest", "cancel-oldest", "cancel-both"]

actions = st.tuples(
    st.sampled_from(["place"] * 6 + ["cancel", "amend", "amend", "shrink", "show", "trigger"]),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(list(KINDS)),
    st.integers(2, 9000),
    st.integers(-60, 60),
    st.booleans(),
)


def asked(kind, side, quantity, price, now, *, closes):
    """Ask for an order of a kind around a price."""
    fields = {
        "symbol": "XRP/USD",
        "side": side,
        "ordertype": kind if kind in STOPS else "limit",
        "quantity": quantity * LOT,
        "limit": None if kind in STOPS else price,
        "stp": RULES[quantity % 3],
        "close": Close(ordertype="stop-loss", price="#0.2%") if closes else None,
    } | KINDS[kind]
    if kind == "cash":
        fields["cash"] = Decimal(quantity)
    if kind == "iceberg":
        fields["display"] = (quantity // 7 + 1) * LOT
    if kind == "dated":
        fields["expires"] = now + (quantity % 600 + 6) * SECOND
    if kind == "later":
        fields["starts"] = now + (quantity % 600 + 6) * SECOND
    return OrderRequest(**fields)


def changed(action, order, quantity, price):
    """Ask for a change of an order, of the kind an action names."""
    return {
        "amend": Change(quantity=quantity * LOT, limit=price if order.limit else None),
        "shrink": Change(quantity=max(order.quantity // 2, 1)),
        "show": Change(display=quantity * LOT),
        "trigger": Change(trigger=price),
    }[action]


def act(exchange, step, now):
    action, account, side, kind, quantity, offset, closes = step
    mine = exchange.open_orders(account)
    price = exchange.market.touch(XRP, now)[0] + offset * 5
    try:
        if action == "place":
            request = asked(kind, side, quantity, price, now, closes=closes)
            exchange.place(account, request, now)
        elif action == "cancel" and mine:
            exchange.cancel(mine[offset % len(mine)], now)
        elif mine and action != "cancel":
            order = mine[offset % len(mine)]
            amend(exchange, order, changed(action, order, quantity, price), now)
    except Refused:
        return


def check(exchange):
    """Check that the ledger is double, the funds are there, and orders are the sum of fills."""
    assert set(exchange.accounts.sums().values()) <= {0}
    reserved = {}
    for order in exchange.open.values():
        pair = BY_SYMBOL[order.symbol]
        key = order.account, (pair.quote if order.buys else pair.base).id
        reserved[key] = reserved.get(key, 0) + order.reserve
        assert order.alive
        assert 0 < order.visible <= order.remaining or order.cash is not None
        assert order.ahead >= 0
    for key, amount in exchange.accounts.balances.items():
        if key[0] not in HOUSE:
            held = exchange.accounts.held[key]
            assert amount >= held >= 0
            assert held == reserved.get(key, 0)
    for order in exchange.orders.values():
        fills = [exchange.trades[name] for name in order.trades]
        assert sum(fill.quantity for fill in fills) == order.filled
        assert sum(fill.cost for fill in fills) == order.cost
        assert sum(fill.fee for fill in fills) == order.fee
        assert order.cash is None or order.cost <= order.cash
        assert order.alive or order.reserve == 0


@given(st.lists(actions, max_size=25))
@settings(max_examples=40, deadline=None)
def test_the_books_balance_whatever_kinds_of_orders_meet(history):
    exchange, now = Exchange(Synthetic(7, 0.015), 1), START
    exchange.time = START
    for account in ("ann", "bob"):
        for asset, amount in (("ZUSD", "30000"), ("XXRP", "15000")):
            exchange.deposit(account, asset, Decimal(amount), START)
    for step in history:
        now += SECOND * (abs(step[5]) * 7 + 1)
        advance(exchange, now)
        check(exchange)
        act(exchange, step, now)
        check(exchange)
    advance(exchange, now + HOUR_NS)
    check(exchange)
