"""Requests that clients not named elsewhere were seen to make are answered as Kraken would."""

import http.client
import json
from urllib.parse import urlsplit

import ccxt
import pytest
from kraken.exceptions import KrakenUnknownMethodError
from kraken.spot import User


def post_untyped(sandbox, path, body):
    """Post a body and say nothing of its type, as the npm package kraken-api does."""
    door = http.client.HTTPConnection(urlsplit(sandbox.http).netloc, timeout=10)
    door.putrequest("POST", path, skip_accept_encoding=True)
    door.putheader("Content-Length", str(len(body)))
    door.endheaders(body)
    answer = json.loads(door.getresponse().read())
    door.close()
    return answer


def test_a_public_request_may_be_posted_without_a_type(sandbox):
    answer = post_untyped(sandbox, "/0/public/Depth", b"pair=XXRPZUSD&count=2")
    assert len(answer["result"]["XXRPZUSD"]["asks"]) == 2
    answer = post_untyped(sandbox, "/0/public/Ticker", b'{"pair": "XDGUSD"}')
    assert answer["result"].keys() == {"XDGUSD"}
    assert post_untyped(sandbox, "/0/public/Time", b"\xff{")["error"] == []


def test_what_the_account_has_none_of_is_listed_as_none(sandbox):
    client = sandbox.new_client("outsider")

    assert client.fetch_positions() == []
    assert client.fetch_deposits("XRP") == []
    assert client.fetch_withdrawals("XRP") == []
    assert client.privatePostEarnStrategies()["result"]["items"] == []
    allocations = client.privatePostEarnAllocations({"converted_asset": "USD"})["result"]
    assert (allocations["total_allocated"], allocations["items"]) == ("0.0000", [])


@pytest.mark.parametrize(
    "name", ["WithdrawInfo", "DepositMethods", "AddExport", "EarnAllocate", "WalletTransfer"]
)
def test_what_cannot_be_done_here_no_key_may(sandbox, name):
    client = sandbox.new_client("outsider")

    with pytest.raises(ccxt.PermissionDenied, match="EGeneral:Permission denied"):
        getattr(client, f"privatePost{name}")({"asset": "XRP"})


def test_a_method_nobody_knows_is_said_to_be_unknown(sandbox):
    keys = sandbox.new_client("outsider")
    user = User(key=keys.apiKey, secret=keys.secret, url=sandbox.http)
    with pytest.raises(KrakenUnknownMethodError):
        user.request("POST", "/0/private/Nonsense")

    for path in ("/0/public/Nonsense", "/0/public/Non/sense"):
        assert sandbox.ask(path)["error"] == ["EGeneral:Unknown method"]


def test_the_best_price_is_the_one_behind_what_was_taken(sandbox):
    def asked():
        book = sandbox.ask("/0/public/Depth?pair=DOGEUSD&count=100")["result"]["XDGUSD"]["asks"]
        ticker = sandbox.ask("/0/public/Ticker?pair=DOGEUSD")["result"]["XDGUSD"]
        assert ticker["a"][0] == book[0][0]
        return [(float(price), float(quantity)) for price, quantity, _ in book]

    before = asked()
    wanted = sum(quantity for _, quantity in before[:3]) + 1
    sandbox.new_client("outsider").create_order("DOGE/USD", "market", "buy", wanted)

    after = asked()
    assert len(after) == len(before) == 100
    assert after[0][0] == before[3][0]
    assert after[1:50] == before[4:53]
