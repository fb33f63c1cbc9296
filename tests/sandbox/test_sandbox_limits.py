"""The counters of calls and of the engine are Kraken's, tier by tier, and off unless wanted."""

import ccxt
import pytest

from sandbox.errors import Refused
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
