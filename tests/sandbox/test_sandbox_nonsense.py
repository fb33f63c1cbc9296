"""Whatever is sent, the answer is a Kraken error or a result, and the books still balance.

`--fuzz-examples N` makes it last: N calls of the corpus, N examples of every strategy.
"""

import json
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nonsense import CHANNELS, KEYS, NUMBERS, STRANGE, WORDS, Babbler, Sink

from sandbox import rest
from sandbox.feeds import Feeds
from sandbox.instruments import BY_SYMBOL
from sandbox.keys import mint_key, sign
from sandbox.opening import Settings, open_venue
from sandbox.requests import METHODS, Dialogue

SECOND = 1_000_000_000
CALLS = 2000
EXAMPLES = 100

scraps = st.one_of(
    st.sampled_from([*WORDS, *NUMBERS, *STRANGE]),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
)
values = st.recursive(
    st.one_of(scraps, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)
forms = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
plausible = forms.map(lambda form: {"pair": "XRPUSD", "type": "buy", "ordertype": "limit"} | form)
params = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


@pytest.fixture(scope="module")
def venue():
    return open_venue(
        Settings(
            seed=7,
            market="synthetic",
            edge=150,
            clock="simulated",
            speed=1,
            start="2026-03-01T10:30:00Z",
            state=None,
            fees=8,
            balance=("USD=10000", "XRP=10000", "DOGE=10000"),
            key="",
            secret="",
        )
    )


class Caller:
    """Signs whatever it is given."""

    def __init__(self, venue):
        self.venue = venue
        self.key = mint_key("main")
        venue.add_key(self.key, venue.sync())

    def call(self, name, body, nonce):
        """Send a body that may be anything, rightly signed."""
        path = f"/0/private/{name}"
        signature = sign(self.key.secret, path, nonce, body)
        headers = {"api-key": self.key.name, "api-sign": signature}
        return json.loads(rest.answer_private(self.venue, name, headers, body))


@pytest.fixture(scope="module")
def caller(venue):
    return Caller(venue)


@pytest.fixture
def examples(request):
    """Say how many examples of a strategy to try."""
    return request.config.getoption("--fuzz-examples") or EXAMPLES


def is_answer(answer):
    if answer["error"]:
        assert all(words.startswith(("E", "W")) for words in answer["error"])
    return "result" in answer or answer["error"]


def is_reply(message):
    """Whether a message over the websocket has one of the shapes that Kraken's have."""
    if "channel" in message and "method" not in message:
        return True
    if message["method"] == "pong":
        return True
    return message["success"] is True or (message["success"] is False and message["error"])


def check_books(venue):
    """Hold the ledger to its sums, balances to nothing at least, and holds to the orders."""
    accounts = venue.exchange.accounts
    assert set(accounts.sums().values()) <= {0}
    held = {}
    for order in venue.exchange.open.values():
        pair = BY_SYMBOL[order.symbol]
        key = order.account, (pair.quote if order.buys else pair.base).id
        held[key] = held.get(key, Decimal(0)) + order.reserve
    for key, amount in accounts.held.items():
        assert amount == held.get(key, Decimal(0)), key
    for (account, asset), amount in list(accounts.balances.items()):
        if not account.startswith("house:"):
            assert amount >= accounts.held.get((account, asset), Decimal(0)) >= 0, (account, asset)


def ids(venue):
    """Name orders, open and finished, and fills, in every way they can be named."""
    found = []
    for order in list(venue.exchange.open.values())[-20:]:
        found += [order.txid, order.cl_ord_id, order.userref]
    found += [trade.txid for trade in venue.past.latest_trades(5)]
    return [str(name) for name in found if name is not None]


def babble(venue, caller, seed, calls):
    """Make calls at random, and yield what each was, to be blamed."""
    random = Random(seed)
    babbler = Babbler(random, lambda: ids(venue))
    feeds, sink = Feeds(venue), Sink()
    dialogue = Dialogue(venue, feeds, sink)
    for number in range(calls):
        kind = random.random()
        if kind < 0.5:
            name, form, as_json = babbler.private()
            body = babbler.body(form | {"nonce": str(caller.key.nonce + 1)}, as_json=as_json)
            yield name, body
            assert is_answer(caller.call(name, body, str(caller.key.nonce + 1)))
        elif kind < 0.6:
            name, query = babbler.public()
            yield name, query
            assert is_answer(json.loads(rest.answer_public(venue, name, query)))
        elif kind < 0.95:
            text = babbler.request(venue.tokens.issue(caller.key, venue.sync()))
            yield "websocket", text
            dialogue.hear(text)
            assert sink.sent
            assert all(map(is_reply, sink.sent))
            sink.sent.clear()
        else:
            yield "time passes", number
            venue.clock.advance(random.choice((1, 5, 30, 120)) * SECOND)
            venue.commit(venue.sync())
            if len(venue.exchange.open) > 100:
                rest.PRIVATE["CancelAll"](venue, caller.key, {}, venue.sync())
    feeds.drop(sink)
    venue.listeners.clear()


def test_a_corpus_of_almost_sensible_calls(venue, caller, examples):
    for _said in babble(venue, caller, 1, CALLS if examples == EXAMPLES else examples):
        check_books(venue)
    check_books(venue)
    assert len(venue.past.latest_trades(10)) == 10


def test_private_requests(venue, caller, examples):
    @given(st.sampled_from([*rest.PRIVATE, "Nothing"]), forms | plausible, st.booleans())
    @settings(max_examples=examples, deadline=None)
    def hold(name, form, as_json):
        nonce = str(caller.key.nonce + 1)
        body = Babbler(Random(1), tuple).body({**form, "nonce": nonce}, as_json=as_json)
        assert is_answer(caller.call(name, body, nonce))
        check_books(venue)

    hold()


def test_public_requests(venue, examples):
    @given(
        st.sampled_from([*rest.public_data.METHODS, "Nothing"]),
        st.dictionaries(st.sampled_from(KEYS), scraps.map(str), max_size=4),
        st.booleans(),
    )
    @settings(max_examples=examples, deadline=None)
    def hold(name, query, knows_pair):
        query = query | ({"pair": "XRPUSD"} if knows_pair else {})
        assert is_answer(json.loads(rest.answer_public(venue, name, query)))

    hold()


def test_bytes_that_were_rightly_signed(caller, examples):
    @given(st.sampled_from([*rest.PRIVATE]), st.binary(max_size=80), st.booleans())
    @settings(max_examples=examples, deadline=None)
    def hold(name, body, as_json):
        nonce = str(caller.key.nonce + 1)
        start = f'{{"nonce": "{nonce}", "x": ' if as_json else f"nonce={nonce}&"
        assert is_answer(caller.call(name, start.encode() + body, nonce))

    hold()


def test_requests_nobody_signed(venue, examples):
    @given(st.binary(max_size=60), st.text(max_size=30), st.text(max_size=30))
    @settings(max_examples=examples, deadline=None)
    def hold(body, name, signature):
        headers = {"api-key": name, "api-sign": signature}
        assert json.loads(rest.answer_private(venue, "AddOrder", headers, body))["error"]

    hold()


def say(venue, text):
    feeds, sink = Feeds(venue), Sink()
    Dialogue(venue, feeds, sink).hear(text)
    feeds.drop(sink)
    venue.listeners.clear()
    assert sink.sent
    assert all(map(is_reply, sink.sent))


def test_websocket_requests(venue, caller, examples):
    @given(st.sampled_from([*METHODS, "nothing"]), params | values, values, st.booleans())
    @settings(max_examples=examples, deadline=None)
    def hold(method, body, number, knows_token):
        if knows_token and isinstance(body, dict):
            known = {"symbol": ["XRP/USD"]} if "subscribe" in method else {"symbol": "XRP/USD"}
            body = {**known, **body, "token": venue.tokens.issue(caller.key, venue.sync())}
        say(venue, json.dumps({"method": method, "params": body, "req_id": number}))
        check_books(venue)

    hold()


def test_subscriptions(venue, caller, examples):
    @given(st.sampled_from(CHANNELS), params, st.sampled_from(["subscribe", "unsubscribe"]))
    @settings(max_examples=examples, deadline=None)
    def hold(channel, more, method):
        token = venue.tokens.issue(caller.key, venue.sync())
        body = {"channel": channel, "symbol": ["XRP/USD"], "token": token, **more}
        say(venue, json.dumps({"method": method, "params": body}))

    hold()


def test_websocket_text(venue, examples):
    @given(st.text() | st.sampled_from(["[" * 100_000, '{"method":' * 50_000, "1" * 5000, "NaN"]))
    @settings(max_examples=examples, deadline=None)
    def hold(text):
        say(venue, text)

    hold()
