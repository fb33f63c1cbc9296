"""Signatures, checksums and spellings are Kraken's, proven by recorded messages."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.book import changes, checksum
from sandbox.errors import Refused
from sandbox.forms import read_cursor
from sandbox.instruments import BY_SYMBOL, find_pair
from sandbox.keys import Key, authenticate, mint_key, sign
from sandbox.randomness import code
from sandbox.requests import read_request
from sandbox.rest_orders import from_rest


def test_signatures_equal_the_published_ones(fixtures):
    for vector in json.loads((fixtures / "signing_vectors.json").read_text()):
        body = vector["body"].encode()
        assert sign(vector["secret"], vector["path"], vector["nonce"], body) == vector["api_sign"]


def digits(side, precision):
    return [
        (int(Decimal(price).scaleb(precision)), int(Decimal(quantity).scaleb(8)))
        for price, quantity in side
    ]


def test_checksums_equal_the_published_ones(fixtures):
    for vector in json.loads((fixtures / "book_checksum_vectors.json").read_text()):
        if vector.get("qty_precision") != 8 or "asks" not in vector:
            continue
        precision = vector["price_precision"]
        asks, bids = (digits(vector[side], precision) for side in ("asks", "bids"))
        assert checksum(bids, asks) == vector["checksum"]


levels = st.dictionaries(st.integers(100, 140), st.integers(1, 50), min_size=1, max_size=30)


@given(levels, levels, st.sampled_from([5, 10, 25]), st.booleans())
def test_a_client_that_applies_every_change_holds_the_same_book(before, after, depth, falling):
    def cut(side):
        return sorted(side.items(), reverse=falling)[:depth]

    held = dict(cut(before))
    for price, lots in changes(cut(before), cut(after), depth, falling=falling):
        held[price] = lots
        if lots == 0:
            del held[price]

    assert cut(held) == cut(after)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("XRPUSD", "XXRPZUSD"),
        ("XXRPZUSD", "XXRPZUSD"),
        ("XRP/USD", "XRP/USD"),
        ("DOGEUSD", "XDGUSD"),
        ("XDGUSD", "XDGUSD"),
        ("XXDGZUSD", None),
        ("XDG/USD", None),
        ("XBT/USD", None),
        ("XBTUSD", "XXBTZUSD"),
        ("BTC/USD", "BTC/USD"),
        ("", None),
    ],
)
def test_a_pair_is_found_by_the_names_kraken_takes_and_answered_as_kraken_does(name, key):
    found = find_pair(name)

    assert (found and found[0]) == key


def test_a_nonce_is_spent_only_once_and_only_upward():
    key = mint_key("ann")
    keys = {key.name: key}

    def call(nonce, secret=key.secret):
        signature = sign(secret, "/0/private/Balance", nonce, b"body")
        return authenticate(keys, (key.name, signature), "/0/private/Balance", nonce, b"body")

    assert call("10") is key
    for wrong in ("10", "9", "-1", "", "1.5", str(2**64), "²"):
        with pytest.raises(Refused, match="EAPI:Invalid nonce"):
            call(wrong)
    with pytest.raises(Refused, match="EAPI:Invalid signature"):
        call("11", mint_key("bob").secret)
    assert call("11") is key


def test_a_nonce_window_lets_late_requests_in_once():
    key = Key("name", mint_key("ann").secret, "ann", window=5)

    def call(nonce):
        signature = sign(key.secret, "/p", nonce, b"")
        return authenticate({"name": key}, ("name", signature), "/p", nonce, b"")

    call("10")
    call("7")
    for spent in ("7", "10", "4"):
        with pytest.raises(Refused, match="EAPI:Invalid nonce"):
            call(spent)


@given(st.integers())
def test_ids_have_krakens_grammar(number):
    head, middle, tail = code("O", number).split("-")

    assert head[0] == "O"
    assert [len(head), len(middle), len(tail)] == [6, 5, 6]
    assert (head + middle + tail).isalnum()


def form(**more):
    return {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "volume": "10", **more}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"price": "2.123456"}, "EOrder:Invalid price:XRP/USD price can only be specified up to 5"),
        ({"price": "NaN"}, "EGeneral:Invalid arguments:price"),
        ({"price": ""}, "EGeneral:Invalid arguments:price"),
        ({"price": "1", "volume": "Infinity"}, "EGeneral:Invalid arguments:volume"),
        ({"price": "1", "ordertype": "iceberg!"}, "EGeneral:Invalid arguments:ordertype"),
        ({"price": "1", "timeinforce": "PO"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"price": "1", "pair": "ABCUSD"}, "EQuery:Unknown asset pair"),
        ({"price": "1", "userref": "x"}, "EGeneral:Invalid arguments:userref"),
        ({"price": "1", "deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"price": "1", "reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_in_krakens_words(more, words):
    with pytest.raises(Refused) as refused:
        from_rest(form(**more), 0)

    assert refused.value.text.startswith(words)


def test_quantities_are_cut_and_flags_read_in_all_their_spellings():
    request = from_rest(form(price="2.1", volume="10.123456789", validate="True"), 0)

    assert request.quantity == 1012345678
    assert request.limit == 210000
    assert request.validate
    assert not from_rest(form(price="2.1", validate="False"), 0).validate


@pytest.mark.parametrize(
    ("text", "cursor"),
    [("1700000000", 17 * 10**17), ("1700000000.5", 17 * 10**17 + 5 * 10**8), ("0", 0)],
)
def test_a_cursor_may_be_seconds_or_nanoseconds(text, cursor):
    assert read_cursor(text) == cursor
    assert read_cursor(str(17 * 10**17 + 9)) == 17 * 10**17 + 9


@given(st.text())
def test_no_message_breaks_the_reader(text):
    try:
        request = read_request(text)
    except Refused:
        return
    assert isinstance(request, dict)


def test_prices_are_spelled_in_full():
    pair = BY_SYMBOL["XRP/USD"]

    assert pair.price_text(7) == "0.00007"
    assert pair.long_price_text(210000) == "2.10000000"
    assert pair.quantity_text(5_000_000_000) == "50.00000000"
