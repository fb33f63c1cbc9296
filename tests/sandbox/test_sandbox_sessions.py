"""Tokens and connections live as long as Kraken lets them, and are answered as it does."""

import json
import ssl
from decimal import Decimal

import ccxt
import pytest
import requests
from kraken.spot import User
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

INVALID_SESSION = "ESession:Invalid session"


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


def test_a_connection_that_listens_to_nothing_is_closed_after_a_minute(floor):
    silent, talking, listening = floor.enter(), floor.enter(), floor.enter()
    listening.ask("subscribe", channel="ticker", symbol=["XRP/USD"])
    floor.advance(45)
    talking.ask("ping")
    floor.advance(15)
    assert floor.pulse(1.0) == []
    floor.advance(1)

    assert floor.pulse(2.0) == [(silent.connection, 1000)]
    floor.advance(45)
    assert {each for each, _ in floor.pulse(3.0)} == {silent.connection, talking.connection}


def test_the_minute_is_the_exchanges_where_time_is_told(sandbox):
    stream = sandbox.public()
    stream.wait('"status"')
    sandbox.advance(61)
    with pytest.raises(ConnectionClosed) as closed:
        stream.wait("nothing")

    assert closed.value.rcvd.code == 1000


def encrypted(sandbox):
    """Give the address of the encrypted port, which is told after the other."""
    return sandbox.process.stdout.readline().split()[3]


def trusting(sandbox, folder):
    """Save the certificate as a person would who wants to trust it."""
    path = folder / "sandbox.pem"
    path.write_bytes(requests.get(sandbox.http + "/admin/certificate", timeout=9).content)
    return str(path)


def test_clients_that_only_speak_tls_are_served(start, tmp_path, monkeypatch):
    sandbox = start("--clock", "simulated", "--tls-port", "0")
    https = encrypted(sandbox)
    trusted = trusting(sandbox, tmp_path)
    client = sandbox.new_client("safe")
    client.urls["api"] = {"public": https, "private": https}
    with pytest.raises(ccxt.NetworkError):
        client.fetch_time()
    client.validateServerSsl = trusted

    assert client.create_order("XRP/USD", "market", "buy", 10)["id"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
    minted = sandbox.ask("/admin/keys", {"account": "safe"})
    user = User(key=minted["key"], secret=minted["secret"], url=https)
    assert Decimal(user.get_account_balance()["XXRP"]) == 10
    context = ssl.create_default_context(cafile=trusted)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    token = client.privatePostGetWebSocketsToken()["result"]["token"]
    for name in (https, https.replace("127.0.0.1", "localhost")):
        url = name.replace("https", "wss") + "/auth/v2"
        with connect(url, ssl=context, proxy=None) as private:
            params = {"channel": "executions", "token": token, "snap_trades": True}
            private.send(json.dumps({"method": "subscribe", "params": params}))
            heard = [private.recv(timeout=9) for _ in range(4)]
        assert '"exec_type":"trade"' in heard[-1]


def test_a_kept_exchange_keeps_its_certificate(start, tmp_path):
    options = ("--clock", "simulated", "--tls-port", "0", "--state", str(tmp_path / "state"))
    first = start(*options)
    before = requests.get(first.http + "/admin/certificate", timeout=9).text
    assert (tmp_path / "state.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in before
    first.kill()
    again = start(*options)

    assert requests.get(again.http + "/admin/certificate", timeout=9).text == before


def test_without_an_encrypted_port_there_is_nothing_to_trust(sandbox):
    assert requests.get(sandbox.http + "/admin/certificate", timeout=9).status_code == 404


TERMS = {"symbol": "XRP/USD", "side": "buy", "order_qty": 10}
ORDERS = {
    "limit": {**TERMS, "order_type": "limit", "limit_price": 0.5},
    "post": {**TERMS, "order_type": "limit", "limit_price": 0.5, "post_only": True},
    "market": {**TERMS, "order_type": "market"},
}
TAKEN = {
    "online": {"limit", "post", "market", "amend limit", "amend post", "cancel", "arm"},
    "limit_only": {"limit", "post", "amend limit", "amend post", "cancel", "arm"},
    "post_only": {"post", "amend post", "cancel", "arm"},
    "cancel_only": {"cancel", "arm"},
    "maintenance": set(),
}


@pytest.mark.parametrize("mode", TAKEN)
def test_every_mode_takes_what_kraken_takes_in_it(floor, mode):
    token, caller = floor.token(), floor.enter()
    kept = {
        kind: caller.ask("add_order", token=token, **ORDERS[kind])[0]["result"]["order_id"]
        for kind in ("limit", "post")
    }
    floor.venue.mode = mode
    said = {
        kind: caller.ask("add_order", token=token, **order)[0] for kind, order in ORDERS.items()
    }
    for kind, name in kept.items():
        change = {"order_id": name, "order_qty": 12}
        said[f"amend {kind}"] = caller.ask("amend_order", token=token, **change)[0]
    said["arm"] = caller.ask("cancel_all_orders_after", token=token, timeout=60)[0]
    said["cancel"] = caller.ask("cancel_order", token=token, order_id=list(kept.values()))[0]

    assert {kind for kind, answer in said.items() if answer["success"]} == TAKEN[mode]
    refused = {answer["error"] for answer in said.values() if not answer["success"]}
    market = "EService:Unavailable" if mode == "maintenance" else f"EService:Market in {mode} mode"
    assert refused == (set() if mode == "online" else {market})


@pytest.mark.parametrize("mode", ["maintenance", "cancel_only", "post_only", "limit_only"])
def test_a_change_of_mode_is_told_to_everybody_at_once(floor, mode):
    plain, listening = floor.enter(), floor.enter()
    listening.ask("subscribe", channel="instrument")
    floor.venue.mode = mode
    floor.pulse(1.0)
    (told,) = plain.read()
    pairs = [m for m in listening.read() if m.get("channel") == "instrument"]

    assert (told["channel"], told["type"]) == ("status", "update")
    assert told["data"][0]["system"] == ("online" if mode == "limit_only" else mode)
    assert pairs[0]["type"] == "update"
    assert {pair["status"] for pair in pairs[0]["data"]["pairs"]} == {mode}
    floor.pulse(2.0)
    assert plain.read() == []
    later = floor.enter().greeting
    assert later[0]["data"][0] == {**told["data"][0], "connection_id": 1}


def test_the_greeting_is_the_recorded_one(floor, fixtures):
    recorded = json.loads((fixtures / "recorded_live_messages.json").read_text())["ws"]
    wanted = json.loads(recorded["status_banner"])
    (greeting,) = floor.enter().greeting
    wanted["data"][0]["connection_id"] = greeting["data"][0]["connection_id"]

    assert greeting == wanted


ACKS = {
    "executions": {},
    "balances": {},
    "ticker": {"symbol": ["BTC/USD"]},
    "book": {"symbol": ["BTC/USD"], "depth": 10},
    "ohlc": {"symbol": ["BTC/USD"], "interval": 60},
    "trade": {"symbol": ["BTC/USD"]},
    "instrument": {},
}


@pytest.mark.parametrize("channel", ACKS)
def test_acknowledgements_are_the_recorded_ones_and_are_mirrored(floor, fixtures, channel):
    recorded = json.loads((fixtures / "recorded_live_messages.json").read_text())
    wanted = json.loads(recorded["ws_acks_recorded_2024_05"][channel].replace("ETH/", "BTC/"))
    private = {"token": floor.token()} if channel in {"executions", "balances"} else {}
    params = {"channel": channel, **ACKS[channel], **private}
    caller = floor.enter()
    (ack,) = caller.ask("subscribe", req_id=wanted["req_id"], **params)

    assert [*ack, *ack["result"]] == [*wanted, *wanted["result"]]
    assert (ack["result"], ack["req_id"]) == (wanted["result"], wanted["req_id"])
    (mirror,) = caller.ask("unsubscribe", **params)
    kept = ("warnings", "snapshot", "maxratecount")
    said = {name: value for name, value in wanted["result"].items() if name not in kept}
    assert (mirror["method"], mirror["success"], mirror["result"]) == ("unsubscribe", True, said)
    assert "req_id" not in mirror
    (again,) = caller.ask("unsubscribe", **params)
    assert (again["success"], again["error"]) == (False, "Subscription Not Found")
    assert caller.connection.topics == set()


def test_every_symbol_is_acknowledged_by_itself(floor):
    caller = floor.enter()
    names = ["XRP/USD", "XBT/USD", "DOGE/USD"]
    said = caller.ask("subscribe", req_id=5, channel="trade", symbol=names)

    assert [each["success"] for each in said] == [True, False, True]
    assert [each.get("symbol") or each["result"]["symbol"] for each in said] == names
    assert {each["req_id"] for each in said} == {5}
    assert said[1]["error"] == "Currency pair not supported XBT/USD"
    (again,) = caller.ask("subscribe", channel="trade", symbol=["XRP/USD"])
    assert again["error"] == "Already subscribed"


@pytest.mark.parametrize(
    ("door", "name", "params"),
    [
        ("public", "private_channel_on_public_host", {"channel": "executions", "token": "x"}),
        ("private", "public_channel_on_private_host", {"channel": "book", "symbol": ["BTC/USD"]}),
        ("private", "executions_bad_token", {"channel": "executions", "token": "x"}),
        ("public", "subscribe_refused_legacy_symbol", {"channel": "book", "symbol": ["XBT/USD"]}),
    ],
)
def test_refusals_are_the_recorded_ones(floor, fixtures, door, name, params):
    recorded = json.loads((fixtures / "recorded_live_messages.json").read_text())["ws"]
    wanted = json.loads(recorded[name])
    (refused,) = floor.enter(opens=(door,)).ask("subscribe", **params)

    assert {**refused, **{n: wanted[n] for n in ("time_in", "time_out")}} == wanted
    assert list(refused) == list(wanted)


def test_nobody_trades_through_the_public_door(floor):
    public = floor.enter(opens=("public",))
    for method in ("add_order", "cancel_all", "cancel_all_orders_after"):
        (refused,) = public.ask(method, token=floor.token(), timeout=60, **ORDERS["limit"])
        assert refused["error"].endswith("Try ws-auth.kraken.com")


@pytest.mark.parametrize("number", [None, 0, 1, 2**63 - 1])
def test_a_ping_is_answered_and_its_number_echoed(floor, number):
    (pong,) = floor.enter().ask("ping", req_id=number)

    assert pong["method"] == "pong"
    assert pong.get("req_id") == number
    assert set(pong) - {"req_id"} == {"method", "time_in", "time_out"}
