"""Fees follow what an account has traded in thirty days, and are told where Kraken tells them."""

from decimal import Decimal

import pytest

from sandbox.exchange import Exchange
from sandbox.fees import TIERS
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import OrderRequest
from sandbox.passage import advance
from sandbox.synthetic import HOUR_NS, Synthetic
from sandbox.volumes import WINDOW_NS, Volumes

START = 492_000 * HOUR_NS + HOUR_NS // 3
XRP = BY_SYMBOL["XRP/USD"]


def market_order(side, quantity):
    return OrderRequest(symbol="XRP/USD", side=side, ordertype="market", quantity=quantity * 10**8)


def rate(order):
    return round(order.fee / order.cost * 100, 2)


@pytest.fixture
def exchange():
    made = Exchange(Synthetic(7, 0.015), 1)
    made.time = START
    made.deposit("ann", "ZUSD", Decimal(20000), START)
    return made


def test_trading_earns_a_better_tier_and_waiting_loses_it(exchange):
    first = exchange.place("ann", market_order("buy", 1500), START)
    second = exchange.place("ann", market_order("buy", 10), START + 1)
    assert (rate(first), rate(second)) == (Decimal("0.80"), Decimal("0.60"))
    assert exchange.volumes.of("ann", START + 1) == first.cost + second.cost

    later = START + WINDOW_NS + HOUR_NS
    advance(exchange, later)
    third = exchange.place("ann", market_order("sell", 10), later)
    assert rate(third) == Decimal("0.80")


def test_a_fee_never_rises_while_an_order_rests(exchange):
    exchange.place("ann", market_order("buy", 1500), START)
    spent = exchange.accounts.free("ann", "ZUSD")
    bid, _ = exchange.market.touch(XRP, START)
    limit = bid - 300
    quantity = int(spent / XRP.price(limit) / Decimal("1.0061"))
    request = OrderRequest(
        symbol="XRP/USD", side="buy", ordertype="limit", quantity=quantity * 10**8, limit=limit
    )
    resting = exchange.place("ann", request, START + 1)
    exchange.volumes = Volumes(1)
    advance(exchange, START + 24 * HOUR_NS)

    assert resting.status == "closed"
    assert rate(resting) <= Decimal("0.30")


@pytest.mark.parametrize(
    ("volume", "tier"), [(0, 1), (2499, 1), (2500, 2), (49_999, 4), (50_000, 5), (10**8, 12)]
)
def test_a_tier_begins_at_its_volume(volume, tier):
    volumes = Volumes(1)
    volumes.add("ann", START, Decimal(volume))

    assert volumes.tier("ann", START) == tier


def test_the_tier_of_the_option_is_a_floor():
    volumes = Volumes(8)
    volumes.add("ann", START, Decimal(1_000_000))

    assert (volumes.tier("ann", START), volumes.tier("bob", START)) == (9, 8)


def test_trade_volume_tells_the_volume_the_tier_and_the_next_one(start):
    options = ("--clock", "simulated", "--start", "2026-03-01T10:30:00Z", "--pair-fees")
    running = start(*options, "--balance", "USD=20000")
    client = running.client()
    bought = client.create_order("XRP/USD", "market", "buy", 1500)
    cost = Decimal(client.fetch_order(bought["id"])["info"]["cost"])
    answer = client.privatePostTradeVolume({"pair": "XRPUSD"})["result"]

    assert answer["currency"] == "ZUSD"
    assert answer["volume"] == f"{cost:.4f}"
    assert answer["fees"]["XXRPZUSD"] == {
        "fee": "0.6000",
        "minfee": "0.1000",
        "maxfee": "0.8000",
        "nextfee": "0.3800",
        "tiervolume": "2500.0000",
        "nextvolume": "10000.0000",
    }
    assert answer["fees_maker"]["XXRPZUSD"]["fee"] == "0.3000"
    listed = client.publicGetAssetPairs({"pair": "XRPUSD"})["result"]["XXRPZUSD"]
    assert [float(fee) for _, fee in listed["fees"]] == [float(tier.taker) for tier in TIERS]
    assert [float(fee) for _, fee in listed["fees_maker"]] == [float(t.maker) for t in TIERS]
