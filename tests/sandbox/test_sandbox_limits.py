"""Who asks too often is held up as at Kraken, tier by tier, and nobody is unless it is wanted."""

import json
import socket

import ccxt
import pytest
from websockets.exceptions import InvalidStatus

from sandbox.errors import Refused
from sandbox.gate import AT_ONCE, CONNECTIONS, FAILURES, MESSAGES_BURST, PUBLIC_BURST
from sandbox.instruments import BY_SYMBOL
from sandbox.limits import AMEND, CANCEL, EDIT, Limits, by_age

SECOND = 1_000_000_000
NOW = 1_000_000 * SECOND


def test_the_documented_example_counts_eight():
    limits = Limits("starter")
    limits.act("ann", "XRP/USD", 1, NOW)
    age = 7 * SECOND
    limits.act("ann", "XRP/USD", 1 + by_age(AMEND, age), NOW)
    limits.pay("ann", "XRP/USD", by_age(CANCEL, 36 * SECOND), NOW)

    assert limits.count("ann", "XRP/USD", NOW) == 8


@pytest.mark.parametrize(("tier", "calls"), [("starter", 15), ("intermediate", 20), ("pro", 20)])
def test_a_key_may_call_as_often_as_its_tier_allows(tier, calls):
    limits = Limits(tier)
    for _ in range(calls):
        limits.call("key", "Balance", NOW)
    with pytest.raises(Refused, match="EAPI:Rate limit exceeded"):
        limits.call("key", "Balance", NOW)
    limits.call("other", "Balance", NOW)
    limits.call("key", "AddOrder", NOW)
    limits.call("key", "Balance", NOW + 4 * SECOND)


def test_histories_count_twice():
    limits = Limits("starter")
    for _ in range(7):
        limits.call("key", "Ledgers", NOW)
    with pytest.raises(Refused):
        limits.call("key", "TradesHistory", NOW)
    limits.call("key", "Balance", NOW)


@pytest.mark.parametrize(("tier", "most"), [("starter", 60), ("intermediate", 125), ("pro", 180)])
def test_the_engine_counts_by_market_and_decays(tier, most):
    limits = Limits(tier)
    limits.act("ann", "XRP/USD", most, NOW)
    with pytest.raises(Refused, match="EOrder:Rate limit exceeded"):
        limits.act("ann", "XRP/USD", 1, NOW)
    limits.act("ann", "DOGE/USD", 1, NOW)
    limits.act("bob", "XRP/USD", 1, NOW)
    limits.act("ann", "XRP/USD", 1, NOW + SECOND)


def test_what_edits_and_cancellations_cost_depends_on_the_age_of_the_order():
    ages = [1, 6, 12, 30, 60, 200, 400]

    assert [by_age(AMEND, age * SECOND) for age in ages] == [3, 2, 1, 0, 0, 0, 0]
    assert [by_age(EDIT, age * SECOND) for age in ages] == [6, 5, 4, 2, 1, 0, 0]
    assert [by_age(CANCEL, age * SECOND) for age in ages] == [8, 6, 5, 4, 2, 1, 0]


@pytest.mark.parametrize(("tier", "most"), [("starter", 60), ("intermediate", 80), ("pro", 225)])
def test_a_market_takes_only_so_many_open_orders(tier, most):
    limits = Limits(tier)
    limits.check_open(most - 1)
    with pytest.raises(Refused, match="EOrder:Orders limit exceeded"):
        limits.check_open(most)


def test_the_counter_is_told_whole_and_never_too_low():
    limits = Limits("intermediate")
    limits.act("ann", "XRP/USD", 3, NOW)

    assert limits.told("ann", "XRP/USD", NOW) == 3
    assert limits.told("ann", "XRP/USD", NOW + SECOND) == 1
    assert limits.told("ann", "XRP/USD", NOW + 9 * SECOND) == 0


def test_clients_meet_the_limits(start):
    sandbox = start(
        "--clock", "simulated", "--limits", "starter", "--start", "2026-03-01T00:00:00Z"
    )
    client = sandbox.new_client("hasty")
    client.load_markets()
    stream = sandbox.private(client)
    stream.subscribe("executions", ratecounter=True)
    assert stream.wait('"maxratecount"')["result"]["maxratecount"] == 60
    for _ in range(60):
        client.create_order("XRP/USD", "limit", "buy", 10, 0.5, {"validate": "true"})
    with pytest.raises(ccxt.DDoSProtection, match="EOrder:Rate limit exceeded"):
        client.create_order("XRP/USD", "limit", "buy", 10, 0.5)
    sandbox.advance(5)
    placed = [client.create_order("XRP/USD", "limit", "buy", 10, 0.5)["id"] for _ in range(5)]
    sandbox.advance(600)
    client.cancel_order(placed[0])
    with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
        [client.fetch_balance() for _ in range(16)]
    stream.close()


def test_without_limits_nobody_is_held_up(sandbox):
    client = sandbox.new_client("unhurried")
    client.load_markets()

    assert [client.fetch_balance() for _ in range(30)]
    for _ in range(80):
        client.create_order("XRP/USD", "limit", "buy", 2, 0.5)
    assert client.cancel_all_orders()


def rates(caller, method, **params):
    """Act, and give the counter in every message that tells of what came of it."""
    assert caller.ask(method, **params)[0]["success"]
    return [message["data"][0].get("ratecount") for message in caller.news]


@pytest.mark.parametrize(("tier", "most"), [("starter", 60), ("intermediate", 125), ("off", 180)])
def test_the_counter_is_told_to_those_who_ask(floor, tier, most):
    floor.venue.limits = Limits(None if tier == "off" else tier)
    token, curious, plain = floor.token(), floor.enter(), floor.enter()
    curious.ask("subscribe", channel="executions", token=token, ratecounter=True)
    ack = plain.ask("subscribe", channel="executions", token=token)[0]
    assert ack["result"]["maxratecount"] == most
    named = {"token": token, "cl_ord_id": "mine"}
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 10}

    added = rates(curious, "add_order", **named, **order, limit_price=0.5)
    floor.advance(7)
    amended = rates(curious, "amend_order", **named, order_qty=12)
    floor.advance(36)
    canceled = rates(curious, "cancel_order", token=token, cl_ord_id=["mine"])

    assert [*added, *amended, *canceled] == [1, 1, 3, 4]
    assert added[0] + amended[0] + canceled[0] == 8
    assert not any("ratecount" in each for message in plain.read() for each in message["data"])


def test_a_batch_counts_half_and_its_cancellation_whole(floor):
    floor.venue.limits = Limits("starter")
    token, caller = floor.token(), floor.enter()
    caller.ask("subscribe", channel="executions", token=token, ratecounter=True)
    leg = {"side": "buy", "order_type": "limit", "order_qty": 10, "limit_price": 0.5}
    placed = caller.ask("batch_add", token=token, symbol="XRP/USD", orders=[leg] * 4)[0]
    assert {message["data"][0]["ratecount"] for message in caller.news} == {2}
    names = [made["order_id"] for made in placed["result"]]

    assert max(rates(caller, "batch_cancel", token=token, orders=names)) == 2 + 4 * 8


def test_an_amendment_that_leaves_nothing_costs_as_much_as_a_cancellation(floor):
    floor.venue.limits = Limits("starter")
    token, caller = floor.token(), floor.enter()
    caller.ask("subscribe", channel="executions", token=token, ratecounter=True)
    pair, exchange = BY_SYMBOL["XRP/USD"], floor.venue.exchange
    ask = float(pair.price(exchange.market.touch(pair, floor.venue.sync())[1]))
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 4000}
    placed = caller.ask("add_order", token=token, limit_price=ask, **order)[0]["result"]
    (resting,) = exchange.open.values()
    assert pair.quantity(resting.filled) > 2

    assert max(rates(caller, "amend_order", token=token, order_qty=2, **placed)) == 1 + 4 + 8
    assert not exchange.open


def test_an_address_may_connect_only_so_often(start):
    sandbox = start("--clock", "simulated", "--limits", "pro", "--start", "2026-03-01T00:00:00Z")
    for _ in range(CONNECTIONS):
        sandbox.public().close()
    with pytest.raises(InvalidStatus) as refused:
        sandbox.public()
    assert refused.value.response.status_code == 429
    assert refused.value.response.body == b"error code: 1015"
    assert refused.value.response.headers["Retry-After"] == "600"
    sandbox.advance(599)
    with pytest.raises(InvalidStatus):
        sandbox.public()
    sandbox.advance(1)
    stream = sandbox.public()
    for _ in range(MESSAGES_BURST):
        stream.send("ping")
    stream.send("ping")
    answers = [json.loads(stream.text("e")) for _ in range(MESSAGES_BURST + 2)]

    assert answers[-1] == {"Error": "Exceeded msg rate"}
    assert all(answer.get("method") == "pong" for answer in answers[1:-1])
    stream.close()


def test_only_so_many_calls_of_a_key_are_answered_at_once(start):
    sandbox = start("--clock", "simulated", "--limits", "pro", "--start", "2026-03-01T00:00:00Z")
    client = sandbox.new_client("parallel")
    begun = [slow_call(sandbox, client.apiKey) for _ in range(AT_ONCE)]
    with pytest.raises(ccxt.ExchangeError, match="EService: Throttled: 1772323201"):
        [client.fetch_balance() for _ in range(15)]
    for each in begun:
        each.close()

    assert sandbox.new_client("parallel").fetch_balance()


def slow_call(sandbox, key):
    """Begin a call whose body never comes."""
    host, port = sandbox.http.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=9)
    head = f"POST /0/private/Balance HTTP/1.1\r\nHost: {host}\r\nAPI-Key: {key}\r\n"
    line.sendall(f"{head}Content-Length: 20\r\n\r\n".encode())
    return line


def test_wrong_signatures_in_a_row_lock_out(start):
    sandbox = start("--clock", "simulated", "--limits", "pro", "--start", "2026-03-01T00:00:00Z")
    client, other = sandbox.new_client("forgetful"), sandbox.new_client("careful")
    client.privatePostBalance()
    for _ in range(FAILURES - 1):
        with pytest.raises(ccxt.InvalidNonce):
            post_late(client)
    client.privatePostBalance()
    for _ in range(FAILURES):
        with pytest.raises(ccxt.InvalidNonce):
            post_late(client)
    with pytest.raises(ccxt.DDoSProtection, match="EGeneral:Temporary lockout"):
        client.privatePostBalance()
    assert other.privatePostBalance()
    sandbox.advance(900)
    assert client.privatePostBalance()

    stranger = sandbox.client("nobody")
    for _ in range(FAILURES):
        with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
            stranger.privatePostBalance()
    sandbox.advance(600)
    for each in (stranger, other):
        with pytest.raises(ccxt.DDoSProtection, match="EGeneral:Temporary lockout"):
            each.privatePostBalance()
    sandbox.advance(899)
    with pytest.raises(ccxt.DDoSProtection, match="EGeneral:Temporary lockout"):
        other.privatePostBalance()
    sandbox.advance(1)
    assert other.privatePostBalance()


def post_late(client):
    """Call with a nonce that was spent before."""
    nonce, client.nonce = client.nonce, lambda: 1
    try:
        client.incrementing_nonce = client.nonce
        client.privatePostBalance()
    finally:
        client.nonce = nonce
        del client.incrementing_nonce


def test_an_address_may_ask_for_public_data_once_a_second_and_a_little_more(start):
    sandbox = start("--clock", "simulated", "--limits", "pro", "--start", "2026-03-01T00:00:00Z")
    client = sandbox.client()
    for _ in range(PUBLIC_BURST):
        client.fetch_time()
    with pytest.raises(ccxt.DDoSProtection, match="EGeneral:Too many requests"):
        client.fetch_time()
    sandbox.advance(2)
    assert client.fetch_time()
    assert client.fetch_time()
    with pytest.raises(ccxt.DDoSProtection, match="EGeneral:Too many requests"):
        client.fetch_time()
    assert sandbox.new_client("private calls go on").privatePostBalance()


def test_a_refused_order_counts_and_a_full_market_takes_no_more(floor):
    floor.venue.limits = Limits("starter")
    token, caller = floor.token(), floor.enter()
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "limit_price": 0.5}

    def said(quantity):
        answer = caller.ask("add_order", token=token, order_qty=quantity, **order)[0]
        return answer.get("error")

    assert {said(10**6) for _ in range(60)} == {"EOrder:Insufficient funds"}
    assert said(2) == "EOrder:Rate limit exceeded"
    floor.advance(60)
    assert {said(2) for _ in range(60)} == {None}
    floor.advance(60)
    assert said(2) == "EOrder:Orders limit exceeded"
    assert caller.ask("cancel_all", token=token)[0]["result"]["count"] == 60
    floor.advance(600)
    assert said(2) is None
