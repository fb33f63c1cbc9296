"""Killing the sandbox at any moment loses nothing it has said, and doubles nothing.

A disk that is full ends it before it says anything that it could not keep.
"""

import resource
import sqlite3

import ccxt
import pytest

from ops.bench.kills import campaign
from sandbox.errors import BadStart
from sandbox.exchange import Exchange
from sandbox.fees import TIERS
from sandbox.instruments import BY_SYMBOL
from sandbox.journal import Journal
from sandbox.orders import OPEN, OrderRequest
from sandbox.store import Store
from sandbox.synthetic import Synthetic

NOON = 1_772_366_400_000_000_000
XRP = BY_SYMBOL["XRP/USD"]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_said_before_a_kill_is_true_after_it(seed, tmp_path):
    known = campaign(4, seed, tmp_path / "state")

    assert known.faults == []
    assert known.kills == 4
    assert known.orders
    assert known.fills


def make_exchange(store):
    exchange = Exchange(Synthetic(7, 0.015), len(TIERS))
    store.load(exchange)
    exchange.time = exchange.time or NOON
    return exchange


def keep(store, exchange):
    store.save(exchange, [], {"wall": 0, "exchange": 0, "speed": 1.0})


def buy(exchange, now):
    wanted = {"symbol": "XRP/USD", "side": "buy", "ordertype": "market"}
    return exchange.place("main", OrderRequest(quantity=9000 * 10**8, **wanted), now)


def rest(exchange, now):
    wanted = {"symbol": "XRP/USD", "side": "buy", "ordertype": "limit", "limit": 50_000}
    return exchange.place("main", OrderRequest(quantity=10 * 10**8, **wanted), now)


def test_what_was_taken_out_of_the_book_stays_taken_after_a_restart(tmp_path):
    first = Store(str(tmp_path / "state"))
    exchange = make_exchange(first)
    untouched = exchange.liquidity["XRP/USD"].side(NOON, 20, asks=True)
    exchange.deposit("main", "ZUSD", 10**6 * XRP.price(10**5), NOON)
    buy(exchange, NOON)
    taken = exchange.liquidity["XRP/USD"].side(NOON, 20, asks=True)
    keep(first, exchange)
    first.close()

    again = make_exchange(Store(str(tmp_path / "state")))
    assert again.liquidity["XRP/USD"].side(NOON, 20, asks=True) == taken
    assert taken != untouched


def test_only_what_is_open_stays_in_memory(tmp_path):
    store = Store(str(tmp_path / "state"))
    exchange = make_exchange(store)
    exchange.deposit("main", "ZUSD", 10**6 * XRP.price(10**5), NOON)
    bought = buy(exchange, NOON)
    resting = rest(exchange, NOON)
    keep(store, exchange)

    assert list(exchange.orders) == [resting.txid]
    assert not exchange.trades
    assert not exchange.ledger
    assert exchange.journal == Journal()
    assert store.history.order(bought.txid) == bought
    assert store.history.order(resting.txid).status == OPEN
    assert [store.history.trade(txid).order for txid in bought.trades] == [bought.txid] * len(
        bought.trades
    )


def place_orders_for_ever(client, acknowledged):
    while True:
        placed = client.create_order("XRP/USD", "limit", "buy", 5, 0.5)
        acknowledged.append(placed["id"])


def test_nothing_is_acknowledged_that_a_full_disk_cannot_keep(start, tmp_path):
    state = tmp_path / "state"
    full = start("--state", str(state))
    client = full.new_client()
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
    acknowledged = []
    with pytest.raises(ccxt.NetworkError):
        place_orders_for_ever(client, acknowledged)
    code, said = full.process.wait(timeout=10), full.process.stderr.read()

    assert code == 3
    assert said.startswith(f"the state file {state} cannot be written, so the sandbox ends")
    assert said.count("\n") == 1
    again = start("--state", str(state))
    client.urls["api"] = {"public": again.http, "private": again.http}
    assert {order["id"] for order in client.fetch_open_orders()} >= set(acknowledged)


def test_a_state_file_of_another_version_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "state") as base:
        base.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, body BLOB NOT NULL)")
    with pytest.raises(BadStart, match="was written by another version of the sandbox") as refused:
        Store(str(tmp_path / "state"))

    assert refused.value.code == 2
