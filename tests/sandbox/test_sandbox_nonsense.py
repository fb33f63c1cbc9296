"""Whatever is sent, the answer is a Kraken error or a result, and the books still balance."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import rest
from sandbox.connection import Connection
from sandbox.feeds import Feeds
from sandbox.keys import mint_key, sign
from sandbox.opening import Settings, open_venue
from sandbox.requests import METHODS, Dialogue

WORDS = ["XRPUSD", "XRP/USD", "buy", "sell", "limit", "market", "10", "0.5", "1e9", "-1", "NaN"]
scraps = st.one_of(
    st.sampled_from(WORDS), st.text(max_size=12), st.integers(), st.floats(), st.booleans()
)
values = st.recursive(
    st.one_of(scraps, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)
NAMES = (
    *("pair", "type", "ordertype", "volume", "price", "price2", "userref", "cl_ord_id", "oflags"),
    *("timeinforce", "expiretm", "deadline", "validate", "stptype", "leverage", "reduce_only"),
    *("txid", "start", "end", "ofs", "trades", "asset", "timeout", "orders", "cl_ord_ids"),
    *("order_qty", "limit_price", "id", "count", "since", "interval"),
    *("displayvol", "starttm", "trigger", "trigger_price", "display_qty", "limit_price_type"),
    *("close[ordertype]", "close[price]", "close[price2]"),
)
forms = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)
plausible = st.fixed_dictionaries(
    {"pair": st.just("XRPUSD"), "type": st.just("buy"), "ordertype": st.just("limit")},
    optional=dict.fromkeys(NAMES[3:], values),
)


@pytest.fixture(scope="module")
def venue():
    settings_ = Settings(
        seed=7,
        market="synthetic",
        edge=150,
        clock="simulated",
        speed=1,
        start="2026-03-01T10:30:00Z",
        state=None,
        fees=8,
        balance=("USD=10000", "XRP=1000"),
        key="",
        secret="",
    )
    return open_venue(settings_)


@pytest.fixture(scope="module")
def signed(venue):
    key = mint_key("main")
    venue.add_key(key, venue.sync())

    def call(name, form, *, as_json):
        nonce = str(key.nonce + 1)
        form = {**form, "nonce": nonce}
        body = (json.dumps(form) if as_json else urlencode(form)).encode()
        path = f"/0/private/{name}"
        headers = {"api-key": key.name, "api-sign": sign(key.secret, path, nonce, body)}
        return json.loads(rest.answer_private(venue, name, headers, body))

    return call


def is_answer(answer):
    if answer["error"]:
        assert all(words.startswith("E") for words in answer["error"])
    return "result" in answer or answer["error"]


@given(st.sampled_from([*rest.PRIVATE, "Nothing"]), forms | plausible, st.booleans())
@settings(max_examples=150, deadline=None)
def test_private_requests(venue, signed, name, form, as_json):
    assert is_answer(signed(name, form, as_json=as_json))
    assert set(venue.exchange.accounts.sums().values()) <= {0}


@given(
    st.sampled_from([*rest.public_data.METHODS, "Nothing"]),
    st.dictionaries(st.sampled_from(NAMES), scraps.map(str), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_public_requests(venue, name, query):
    query = query | ({"pair": "XRPUSD"} if len(query) % 2 else {})
    assert is_answer(json.loads(rest.answer_public(venue, name, query)))


@given(st.binary(max_size=60), st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_private_requests_nobody_signed(venue, body, name, signature):
    headers = {"api-key": name, "api-sign": signature}
    assert json.loads(rest.answer_private(venue, "AddOrder", headers, body))["error"]


class Sink(Connection):
    """A connection whose messages stay here."""

    def __init__(self):
        super().__init__(number=1, opens=frozenset({"public", "private"}))
        self.sent = []

    def send(self, message):
        """Keep a message."""
        self.sent.append(json.loads(message))


PARAMS = (
    *("channel", "symbol", "depth", "interval", "snapshot", "token", "order_type", "side"),
    *("order_qty", "limit_price", "cl_ord_id", "order_userref", "order_id", "deadline", "orders"),
    *("timeout", "event_trigger", "cash_order_qty", "expire_time", "time_in_force", "stp_type"),
    *("display_qty", "effective_time", "triggers", "conditional", "fee_preference", "post_only"),
)
params = st.dictionaries(st.sampled_from(PARAMS), values, max_size=6)


@given(st.sampled_from([*METHODS, "nothing"]), params | values, values, st.booleans())
@settings(max_examples=150, deadline=None)
def test_websocket_requests(venue, method, body, number, knows_token):
    feeds, sink = Feeds(venue), Sink()
    if knows_token and isinstance(body, dict):
        key = next(iter(venue.keys.values()))
        known = {"symbol": ["XRP/USD"]} if "subscribe" in method else {"symbol": "XRP/USD"}
        body = {**known, **body, "token": venue.tokens.issue(key, venue.sync())}
    request = {"method": method, "params": body, "req_id": number}
    Dialogue(venue, feeds, sink).hear(json.dumps(request))
    venue.listeners.clear()

    assert sink.sent
    assert set(venue.exchange.accounts.sums().values()) <= {0}


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_websocket_text(venue, text):
    feeds, sink = Feeds(venue), Sink()
    Dialogue(venue, feeds, sink).hear(text)
    venue.listeners.clear()

    assert sink.sent
