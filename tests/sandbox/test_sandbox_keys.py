"""Keys do what they are permitted to, calls are signed as Kraken wants them, others refused."""

from urllib.parse import urlencode

import ccxt
import pytest
import requests

from sandbox.keys import sign

DENIED = "EGeneral:Permission denied"


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


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_private_calls_are_posted(sandbox, method):
    answer = requests.request(method, f"{sandbox.http}/0/private/Balance?nonce=1", timeout=9)

    assert (answer.status_code, answer.json()) == (200, {"error": ["EGeneral:Invalid arguments"]})


@pytest.mark.parametrize(("method", "known"), [("GET", True), ("POST", True), ("PUT", False)])
def test_public_calls_may_be_posted(sandbox, method, known):
    answer = requests.request(method, sandbox.http + "/0/public/Time", timeout=9).json()

    assert ("result" in answer) == known
    assert answer["error"] == ([] if known else ["EGeneral:Invalid arguments"])


@pytest.mark.parametrize("path", ["public/Nothing", "public/", "public/a/b", "", "x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_to_nowhere_is_an_unknown_method(sandbox, path, method):
    answer = requests.request(method, f"{sandbox.http}/0/{path}", timeout=9)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"error": ["EGeneral:Unknown method"]}


def test_an_unknown_private_method_is_named_only_to_those_who_sign(sandbox):
    client = sandbox.new_client("curious")

    assert post(sandbox, client, "NoSuchMethod", "nonce=1")["error"] == ["EGeneral:Unknown method"]
    stranger = sandbox.client("nobody")
    assert post(sandbox, stranger, "NoSuchMethod", "nonce=1")["error"] == ["EAPI:Invalid key"]


def post(sandbox, client, name, body, nonce="1"):
    """Post a body as it is, signed for the nonce in it."""
    path = f"/0/private/{name}"
    signature = sign(client.secret, path, nonce, body.encode())
    headers = {"API-Key": client.apiKey, "API-Sign": signature}
    return requests.post(sandbox.http + path, data=body, headers=headers, timeout=9).json()


@pytest.mark.parametrize(
    "body", ["nonce=1&otp=123456", '{"nonce": "1"}', '{"nonce": 1, "otp": "123456"}']
)
def test_bodies_are_forms_or_json_and_a_password_is_not_needed(sandbox, body):
    client = sandbox.new_client("bilingual")

    assert post(sandbox, client, "Balance", body)["result"]["ZUSD"] == "10000.0000"


@pytest.mark.parametrize(
    "nonce", ["", "0x1", "-1", "1.5", "18446744073709551616", "9" * 5000, "one", "\u0661"]
)
def test_a_nonce_is_an_unsigned_64_bit_integer(sandbox, nonce):
    client = sandbox.new_client("numerate")
    answer = post(sandbox, client, "Balance", urlencode({"nonce": nonce}), nonce)

    assert answer["error"] == ["EAPI:Invalid nonce"]
    most = str(2**64 - 1)
    assert post(sandbox, client, "Balance", f"nonce={most}", most)["error"] == []


def test_a_nonce_window_lets_late_calls_in_once(sandbox):
    minted = sandbox.ask("/admin/keys", {"account": "main", "window": 10})
    client = sandbox.client(minted["key"], minted["secret"])

    def accepted(nonce):
        return post(sandbox, client, "Balance", f"nonce={nonce}", str(nonce))["error"] == []

    assert [accepted(nonce) for nonce in (100, 95, 95, 90, 91, 100, 120, 109, 110, 111)] == [
        *(True, True, False, False, True, False, True, False, False, True)
    ]
