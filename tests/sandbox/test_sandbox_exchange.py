"""Whatever clients do, no money appears, none goes missing, and nobody owes any."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sandbox.accounts import HOUSE
from sandbox.amendment import Change, amend
from sandbox.errors import Refused
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import OrderRequest, Posted, Reported
from sandbox.passage import advance
from sandbox.synthetic import HOUR_NS, Synthetic

XRP = BY_SYMBOL["XRP/USD"]
START = 492_000 * HOUR_NS + HOUR_NS // 3
SECOND = 1_000_000_000


def opened(**balances):
    exchange = Exchange(Synthetic(7, 0.015), 8)
    exchange.time = START
    for account in ("ann", "bob"):
        for asset, amount in (balances or {"ZUSD": "10000", "XXRP": "5000"}).items():
            exchange.deposit(account, asset, Decimal(amount), START)
    return exchange


def touch(exchange, now=START):
    return exchange.market.touch(XRP, now)


def order(side="buy", quantity=100, **more):
    more.setdefault("ordertype", "limit" if "limit" in more else "market")
    return OrderRequest(symbol="XRP/USD", side=side, quantity=quantity * 10**8, **more)


def check_the_books(exchange):
    assert set(exchange.accounts.sums().values()) <= {0}
    for (account, asset), amount in exchange.accounts.balances.items():
        if account not in HOUSE:
            held = exchange.accounts.held[account, asset]
            assert amount >= held >= 0
            assert amount == sum(
                entry.amount - entry.fee
                for entry in exchange.ledger.values()
                if (entry.account, entry.asset) == (account, asset)
            )
    for each in exchange.orders.values():
        fills = [exchange.trades[name] for name in each.trades]
        assert sum(fill.quantity for fill in fills) == each.filled
        assert sum(fill.cost for fill in fills) == each.cost
        assert sum(fill.fee for fill in fills) == each.fee
        assert each.cash is not None or each.filled <= each.quantity


actions = st.lists(
    st.tuples(
        st.sampled_from(["place", "place", "place", "cancel", "amend", "wait"]),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(2, 9000),
        st.integers(-60, 60),
        st.sampled_from(["GTC", "IOC", "FOK", "market"]),
    ),
    max_size=25,
)


@given(actions)
@settings(max_examples=60, deadline=None)
def test_the_books_balance_after_any_history(history):
    exchange, now = opened(), START
    for action, account, side, quantity, offset, kind in history:
        now += SECOND * (abs(offset) + 1)
        advance(exchange, now)
        mine = exchange.open_orders(account)
        price = touch(exchange, now)[0] + offset * 5
        try:
            if action == "place" and kind == "market":
                exchange.place(account, order(side, quantity), now)
            elif action == "place":
                exchange.place(account, order(side, quantity, limit=price, tif=kind), now)
            elif action == "cancel" and mine:
                exchange.cancel(mine[0], now)
            elif action == "amend" and mine:
                amend(exchange, mine[-1], Change(quantity=quantity * 10**8, limit=price), now)
        except Refused:
            continue
        finally:
            check_the_books(exchange)


def test_a_large_order_walks_down_the_book_and_what_it_took_stays_gone():
    exchange = opened(ZUSD="1000000")
    exchange.place("ann", order(quantity=20_000), START)
    prices = [fill.price for fill in exchange.trades.values()]
    before = len(prices)
    exchange.place("ann", order(quantity=10), START + 1000)

    assert prices == sorted(prices)
    assert len(set(prices)) > 3
    assert list(exchange.trades.values())[before].price >= prices[-1]


def test_a_resting_order_is_filled_at_its_price_as_maker_when_the_market_comes():
    exchange = opened()
    limit = touch(exchange)[0] - 300
    resting = exchange.place("ann", order(quantity=50, limit=limit), START)
    advance(exchange, START + 24 * HOUR_NS)

    fills = [exchange.trades[name] for name in resting.trades]
    assert resting.status == "closed"
    assert all(fill.maker and fill.price == limit for fill in fills)
    assert fills[0].time > START
    rate = resting.fee / resting.cost
    assert float(rate) == pytest.approx(0.0008, rel=1e-3)


def test_two_clients_trade_with_each_other_inside_the_spread():
    exchange = opened()
    bid, ask = touch(exchange)
    inside = (bid + ask) // 2
    maker = exchange.place("ann", order("sell", 40, limit=inside), START)
    taker = exchange.place("bob", order("buy", 40), START + SECOND)

    assert maker.status == taker.status == "closed"
    (fill,) = (exchange.trades[name] for name in taker.trades)
    assert fill.price == inside
    assert not fill.maker
    check_the_books(exchange)


def test_an_order_does_not_trade_with_its_own_account():
    exchange = opened()
    bid, ask = touch(exchange)
    inside = (bid + ask) // 2
    maker = exchange.place("ann", order("sell", 40, limit=inside), START)
    newest = exchange.place("ann", order("buy", 40, limit=inside), START + SECOND)

    assert (maker.status, newest.status) == ("open", "canceled")
    assert newest.reason == "STP prevented trade"
    oldest = exchange.place("ann", order("buy", 40, limit=inside, stp="cancel-oldest"), START)
    assert (maker.status, oldest.status) == ("canceled", "open")


def test_all_or_nothing_and_now_or_never():
    exchange = opened(ZUSD="10000000")
    ask = touch(exchange)[1]
    killed = exchange.place("ann", order(quantity=900_000, limit=ask, tif="FOK"), START)
    partial = exchange.place("ann", order(quantity=900_000, limit=ask, tif="IOC"), START)

    assert (killed.status, killed.filled) == ("canceled", 0)
    assert partial.status == "canceled"
    assert 0 < partial.filled < partial.quantity


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (order(quantity=1, limit=200000), "EGeneral:Invalid arguments:volume minimum not met"),
        (order(quantity=2, limit=1000), "EOrder:Cost minimum not met"),
        (order(quantity=9000), "EOrder:Insufficient funds"),
        (order("sell", 5001), "EOrder:Insufficient funds"),
        (order(limit=900000, post_only=True), "EOrder:Post only order"),
        (order(limit=200000, cl_ord_id="no spaces please"), "EGeneral:Invalid arguments:cl_ord_id"),
        (order(limit=200000, deadline=START - 1), "EService:Deadline elapsed"),
        (order(limit=200000, deadline=START + 61 * SECOND), "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_what_the_rules_forbid_is_refused_in_krakens_words_and_changes_nothing(request_, words):
    exchange = opened()
    with pytest.raises(Refused) as refused:
        exchange.place("ann", request_, START)

    assert refused.value.text == words
    assert not exchange.orders
    assert not any(isinstance(event, Reported) for event in exchange.events)


def test_a_client_order_id_is_unique_among_open_orders_only():
    exchange = opened()
    first = exchange.place("ann", order(limit=100000, cl_ord_id="one"), START)
    with pytest.raises(Refused, match="cl_ord_id not unique"):
        exchange.place("ann", order(limit=100000, cl_ord_id="one"), START)
    exchange.place("bob", order(limit=100000, cl_ord_id="one"), START)
    exchange.cancel(first, START)

    assert exchange.place("ann", order(limit=100000, cl_ord_id="one"), START).status == "open"


def test_an_order_expires_and_the_dead_mans_switch_fires_at_their_times():
    exchange = opened()
    dated = order(limit=100000, tif="GTD", expires=START + 10 * SECOND)
    expiring = exchange.place("ann", dated, START)
    other = exchange.place("ann", order(limit=100000), START)
    exchange.arm("ann", 60, START)
    advance(exchange, START + HOUR_NS)

    assert (expiring.status, expiring.closed) == ("expired", START + 10 * SECOND)
    assert (other.status, other.closed) == ("canceled", START + 60 * SECOND)
    assert not exchange.switches


def test_an_amended_order_keeps_its_place_only_if_it_shrinks():
    exchange = opened()
    placed = exchange.place("ann", order(limit=100000), START)
    rank = placed.rank
    amend(exchange, placed, Change(quantity=50 * 10**8), START)
    assert placed.rank == rank
    amend(exchange, placed, Change(quantity=60 * 10**8), START)
    assert placed.rank > rank
    assert exchange.accounts.held["ann", "ZUSD"] == placed.reserve


def test_every_change_of_a_balance_is_published():
    exchange = opened()
    exchange.events.clear()
    exchange.place("ann", order(), START)

    kinds = [event.kind for event in exchange.events if isinstance(event, Reported)]
    posted = [event.entry.asset for event in exchange.events if isinstance(event, Posted)]
    assert kinds[:2] == ["pending_new", "new"]
    assert kinds[-1] == "filled"
    assert len(posted) == 2 * kinds.count("trade")


@pytest.mark.parametrize(
    ("stp", "filled", "left"),
    [("cancel-newest", 0, "open"), ("cancel-both", 0, "open"), ("cancel-oldest", 1, "canceled")],
)
def test_a_fill_or_kill_order_is_filled_in_whole_or_not_at_all_beside_its_own(stp, filled, left):
    exchange = opened(ZUSD="1000000", XXRP="1000")
    first, second = exchange.liquidity["XRP/USD"].side(START, 2, asks=True)
    own = exchange.place("ann", order("sell", 10, limit=first.price + 1), START)
    wanted = replace(order(limit=second.price, tif="FOK"), stp=stp, quantity=first.lots + 5 * 10**8)
    taken = exchange.place("ann", wanted, START)

    assert taken.filled == filled * taken.quantity
    assert own.status == left
    assert taken.reason == (None if filled else "Fill or kill order could not be filled")


def test_a_fill_or_kill_order_for_money_takes_all_of_it_or_nothing():
    exchange = opened(ZUSD="1000000000")
    kept = exchange.place("ann", order(quantity=0, tif="FOK", cash=Decimal(900_000_000)), START)
    spent = exchange.place("ann", order(quantity=0, tif="FOK", cash=Decimal(100)), START)

    assert (kept.status, kept.filled) == ("canceled", 0)
    assert spent.status == "closed"


def test_money_that_the_book_has_nothing_for_is_not_spent_and_the_order_is_cancelled():
    exchange = opened(ZUSD="1000000000")
    emptied = exchange.place("ann", order(quantity=0, cash=Decimal(900_000_000)), START)

    assert (emptied.status, emptied.reason) == ("canceled", "Insufficient liquidity")
    assert 0 < emptied.cost < emptied.cash
    assert exchange.accounts.held["ann", "ZUSD"] == 0
