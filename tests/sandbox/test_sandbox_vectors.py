"""Signatures and checksums are those of Kraken's documentation and of recorded messages."""

import json
from decimal import Decimal

import pytest

from sandbox.book import checksum
from sandbox.keys import Key, authenticate, sign


def load(fixtures, name):
    return json.loads((fixtures / name).read_text(), parse_float=Decimal)


def units(levels, decimals):
    return [
        tuple(int(Decimal(x).scaleb(d)) for x, d in zip(level, decimals, strict=True))
        for level in levels
    ]


def test_signatures_are_krakens(fixtures):
    vectors = load(fixtures, "signing_vectors.json")

    assert vectors
    for vector in vectors:
        body = vector["body"].encode()
        signature = sign(vector["secret"], vector["path"], vector["nonce"], body)
        assert signature == vector["api_sign"]
        keys = {"k": Key("k", vector["secret"], "main")}
        signed = ("k", vector["api_sign"])
        assert authenticate(keys, signed, vector["path"], vector["nonce"], body).account == "main"


def test_checksums_are_krakens(fixtures):
    vectors = load(fixtures, "book_checksum_vectors.json")

    assert vectors
    for vector in vectors:
        decimals = vector["price_precision"], vector["qty_precision"]
        bids, asks = units(vector["bids"], decimals), units(vector["asks"], decimals)
        assert checksum(bids, asks) == vector["checksum"], vector["name"]


def test_the_recorded_stream_reproduces_every_checksum(fixtures):
    recorded = load(fixtures, "python-kraken-sdk/orderbook-v2.json")
    bodies = [recorded["init"]["data"][0]]
    bodies += [
        message["data"][0]
        for name, part in recorded.items()
        if name != "init"
        for message in part
        if message.get("channel") == "book"
    ]
    sides = {"bids": {}, "asks": {}}
    for body in bodies:
        for name, side in sides.items():
            side.update(units([(x["price"], x["qty"]) for x in body[name]], (1, 8)))
            kept = sorted((x for x in side.items() if x[1]), reverse=name == "bids")[:10]
            side.clear()
            side.update(kept)
        found = checksum(list(sides["bids"].items()), list(sides["asks"].items()))
        assert found == body["checksum"]
    assert len(bodies) > 500


@pytest.mark.parametrize("name", ["XDGUSD", "XXBTZUSD"])
def test_a_listing_is_the_recorded_one(fixtures, sandbox, name):
    recorded = load(fixtures, "recorded_live_messages.json")["rest"]
    ours = sandbox.ask(f"/0/public/AssetPairs?pair={name}")["result"]

    assert ours[name] == json.loads(recorded[f"AssetPairs_{name}"])
    assets = json.loads(recorded["Assets"])
    listed = sandbox.ask("/0/public/Assets")["result"]
    assert {asset: listed[asset] for asset in assets} == assets
