"""Keys do what they are permitted to, tokens and connections live as long as Kraken lets them."""

import json
from types import SimpleNamespace

import ccxt
import pytest
import requests

from sandbox.connection import Connection
from sandbox.floor import Floor
from sandbox.instruments import BY_SYMBOL
from sandbox.keys import mint_key
from sandbox.limits import Limits
from sandbox.opening import Settings, open_venue

DENIED = "EGeneral:Permission denied"
INVALID_SESSION = "ESession:Invalid session"


def settings(**changes):
    wanted = {
        "seed": 7,
        "market": "synthetic",
        "edge": 150,
        "clock": "simulated",
        "speed": 1,
        "start": "2026-03-01T10:30:00Z",
        "state": None,
        "fees": 8,
        "balance": ("USD=10000", "XRP=1000"),
        "key": "",
        "secret": "",
    }
    return Settings(**{**wanted, **changes})


@pytest.fixture
def floor():
    """Give a floor without sockets, whose time is moved by hand."""
    venue = open_venue(settings())
    venue.add_key(mint_key("main"), venue.sync())
    made = Floor(venue)
    return SimpleNamespace(
        venue=venue,
        key=next(iter(venue.keys.values())),
        enter=lambda **opens: Caller(made, **opens),
        pulse=made.pulse,
        advance=lambda seconds: venue.clock.advance(int(seconds * 1e9)),
        token=lambda: venue.tokens.issue(next(iter(venue.keys.values())), venue.sync()),
    )


class Caller:
    """A client on the floor that reads its answers at once."""

    def __init__(self, floor, opens=("public", "private")):
        self.connection = Connection(number=1, opens=frozenset(opens))
        self.floor = floor
        self.dialogue = floor.enter(self.connection, lambda *_: None)
        self.greeting = self.read()

    def read(self):
        """Read what has arrived."""
        found = [json.loads(message) for message in self.connection.waiting]
        self.connection.waiting.clear()
        return found

    def ask(self, method, req_id=None, **params):
        """Send a request and give the answers; the news that came with them are kept."""
        request = {"method": method, "params": params}
        if req_id is not None:
            request["req_id"] = req_id
        self.dialogue.hear(json.dumps(request))
        found = self.read()
        self.news = [message for message in found if "method" not in message]
        return [message for message in found if "method" in message]

    def leave(self):
        """Go away."""
        self.floor.leave(self.connection)


def permitted(sandbox, *permissions):
    minted = sandbox.ask("/admin/keys", {"account": "main", "permissions": permissions})
    return sandbox.client(minted["key"], minted["secret"])


def test_a_key_that_may_only_cancel_can_stop_everything_and_nothing_else(sandbox):
    trader = sandbox.new_client("stoppable")
    minted = sandbox.ask("/admin/keys", {"account": "stoppable", "permissions": ["close-trades"]})
    stopper = sandbox.client(minted["key"], minted["secret"])
    placed = [trader.create_order("XRP/USD", "limit", "buy", 10, 0.5)["id"] for _ in range(3)]

    assert stopper.privatePostCancelOrder({"txid": placed[0]})["result"]["count"] == 1
    assert stopper.privatePostCancelAllOrdersAfter({"timeout": 60})["result"]["triggerTime"]
    assert stopper.privatePostCancelAll()["result"]["count"] == 2
    for call, form in (
        ("AddOrder", {"pair": "XRPUSD", "type": "buy", "ordertype": "market", "volume": "10"}),
        ("AmendOrder", {"txid": placed[0], "order_qty": "11"}),
        ("Balance", {}),
        ("OpenOrders", {}),
        ("ClosedOrders", {}),
        ("QueryOrders", {"txid": placed[0]}),
        ("Ledgers", {}),
        ("GetWebSocketsToken", {}),
    ):
        with pytest.raises(ccxt.PermissionDenied, match=DENIED):
            getattr(stopper, f"privatePost{call}")(form)


def test_a_key_that_may_only_look_cannot_touch(sandbox):
    reader = permitted(sandbox, "query-funds", "query-open-trades", "create-ws-token")
    reader.load_markets()

    assert reader.fetch_balance()["USD"]["total"] > 0
    assert reader.fetch_open_orders() == []
    for touch in (
        lambda: reader.create_order("XRP/USD", "limit", "buy", 10, 0.5),
        reader.cancel_all_orders,
    ):
        with pytest.raises(ccxt.PermissionDenied, match=DENIED):
            touch()
    stream = sandbox.private(reader)
    stream.subscribe("executions")
    assert stream.wait('"executions"', '"maxratecount"')["success"]
    stream.send("cancel_all")
    assert stream.wait('"cancel_all"')["error"] == DENIED
    stream.send("add_order", symbol="XRP/USD", side="buy", order_type="market", order_qty=10)
    assert stream.wait('"add_order"')["error"] == DENIED
    stream.close()


def test_a_channel_needs_a_permission_too(sandbox):
    stream = sandbox.private(permitted(sandbox, "create-ws-token"))
    for channel in ("executions", "balances"):
        stream.subscribe(channel)
        refused = stream.wait('"error"', f'"{channel}"')
        assert (refused["error"], refused["status"]) == (DENIED, "error")
    stream.close()


def test_permissions_nobody_knows_are_refused(sandbox):
    for wrong in (["fly"], "close-trades", [["close-trades"]], {"close-trades": True}):
        answer = requests.post(sandbox.http + "/admin/keys", json={"permissions": wrong}, timeout=9)
        assert answer.status_code == 400
        assert "permissions must be a list" in answer.json()["error"]


def test_a_key_tells_about_itself(sandbox):
    body = {"account": "main", "name": "stop", "permissions": ["close-trades"], "window": 5}
    minted = sandbox.ask("/admin/keys", body)
    client = sandbox.client(minted["key"], minted["secret"])
    first = client.privatePostGetApiKeyInfo()["result"]
    second = client.privatePostGetApiKeyInfo()["result"]

    assert set(first) == {
        *("apiKeyName", "apiKey", "nonce", "nonceWindow", "permissions", "iban", "validUntil"),
        *("queryFrom", "queryTo", "createdTime", "modifiedTime", "ipAllowlist", "lastUsed"),
    }
    assert (first["apiKeyName"], first["apiKey"]) == ("stop", minted["key"])
    assert first["permissions"] == ["close-trades"]
    assert int(first["nonceWindow"]) == 5
    assert int(first["nonce"]) < int(second["nonce"])
    assert first["lastUsed"] is None
    now = int(sandbox.ask("/health")["time"])
    assert int(first["createdTime"]) == int(second["lastUsed"]) == now


def test_permissions_outlive_the_process(start, tmp_path):
    options = ("--state", str(tmp_path / "state"), "--clock", "simulated")
    first = start(*options)
    minted = first.ask("/admin/keys", {"account": "main", "permissions": ["close-trades"]})
    first.kill()
    client = start(*options).client(minted["key"], minted["secret"])

    assert client.privatePostGetApiKeyInfo()["result"]["permissions"] == ["close-trades"]
    with pytest.raises(ccxt.PermissionDenied):
        client.fetch_balance()


def test_a_token_unused_for_fifteen_minutes_is_worth_nothing(floor):
    early, late = floor.token(), floor.token()
    floor.advance(899)
    assert floor.enter().ask("subscribe", channel="balances", token=early)[0]["success"]
    floor.advance(1)
    refused = floor.enter().ask("subscribe", channel="executions", token=late)[0]

    assert refused["error"] == INVALID_SESSION
    assert (refused["channel"], refused["status"]) == ("executions", "error")


def test_a_token_lives_while_a_private_subscription_does(floor):
    token, caller = floor.token(), floor.enter()
    for channel in ("executions", "balances"):
        assert caller.ask("subscribe", channel=channel, token=token)[0]["success"]
    floor.advance(3600)
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 10}
    assert caller.ask("add_order", token=token, limit_price=0.5, **order)[0]["success"]
    assert caller.ask("unsubscribe", channel="executions", token=token)[0]["success"]
    assert caller.ask("cancel_all", token=token)[0]["success"]
    assert caller.ask("unsubscribe", channel="balances", token=token)[0]["success"]

    assert caller.ask("cancel_all", token=token)[0]["error"] == INVALID_SESSION


def test_a_token_ends_with_the_connection_that_kept_it(floor):
    token, first, second = floor.token(), floor.enter(), floor.enter()
    for caller in (first, second):
        assert caller.ask("subscribe", channel="balances", token=token)[0]["success"]
    floor.advance(3600)
    first.leave()
    assert second.ask("cancel_all", token=token)[0]["success"]
    second.leave()

    assert floor.enter().ask("cancel_all", token=token)[0]["error"] == INVALID_SESSION


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
