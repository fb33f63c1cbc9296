"""The answer to an order proves what it proves and no more; numbers stay exact."""

from datetime import timedelta
from decimal import Decimal

import pytest
from orders_of_ours import NOON, order
from paper_exchange import PaperExchange, serving

from market.errors import ExchangeRefused, ExchangeUnreachable
from trader.answers import moment
from trader.orders import Accepted, LostTrack, Rejected


@pytest.fixture
def paper():
    return PaperExchange()


@pytest.fixture
def exchange(paper):
    with serving(paper) as client:
        yield client


def test_an_order_carries_our_id_its_deadline_and_asks_for_fees_in_the_quote(paper, exchange):
    answer = exchange.place(order(quantity=Decimal("10.50000000"), limit=Decimal("2.10000")))

    assert isinstance(answer, Accepted)
    assert answer.exchange_id in paper.orders
    _, sent = paper.asked[-1]
    assert sent["nonce"]
    del sent["nonce"]
    assert sent == {
        "pair": "XXRPZUSD",
        "type": "buy",
        "ordertype": "limit",
        "volume": "10.5",
        "price": "2.1",
        "timeinforce": "IOC",
        "oflags": "fciq",
        "cl_ord_id": order().id,
        "deadline": "2026-09-21T14:13:25.000Z",
    }


REFUSALS = [
    "EOrder:Insufficient funds",
    "EOrder:Cost minimum not met",
    "EOrder:Rate limit exceeded",
    "EQuery:Unknown asset pair",
    "EAPI:Invalid nonce",
    "EAPI:Rate limit exceeded",
    "EGeneral:Invalid arguments:volume minimum not met",
    "EGeneral:Permission denied",
    "EService:Market in cancel_only mode",
    "EService: Throttled: 1790000000",
]
UNPROVEN = [
    "EService:Unavailable",
    "EService:Busy",
    "EService:Timeout",
    "EService:Deadline elapsed",
    "EGeneral:Internal error",
    "EGeneral:Internal error[:17]",
    "EDatabase:Internal error",
    "EGeneral:Invalid arguments:cl_ord_id not unique",
    "WGeneral:Something odd",
    "ENever:Heard of",
]


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refusal_before_the_engine_is_a_rejection_in_the_exchange_s_words(paper, exchange, error):
    paper.before["AddOrder"] = (200, f'{{"error": ["{error}"]}}')

    answer = exchange.place(order())

    assert isinstance(answer, Rejected)
    assert answer.reason == error


@pytest.mark.parametrize("error", UNPROVEN)
def test_an_error_that_may_come_after_acceptance_proves_nothing(paper, exchange, error):
    paper.before["AddOrder"] = (200, f'{{"error": ["{error}"]}}')

    assert isinstance(exchange.place(order()), LostTrack)


LOST = [
    (None, ""),
    (200, ""),
    (200, '{"error": [], "result": {"tx'),
    (200, '{"error": [], "result": {"descr": {}}}'),
    (200, '{"error": [], "result": {"txid": []}}'),
    (200, '{"error": null}'),
    (200, "[]"),
    (200, "<html>"),
    *[(status, "") for status in (400, 429, 500, 502, 503, 504, 520, 522, 524)],
    (502, '{"error": ["EOrder:Insufficient funds"]}'),
]


@pytest.mark.parametrize("answer", LOST)
def test_an_answer_that_is_lost_or_garbled_leaves_the_order_unknown(paper, exchange, answer):
    paper.after["AddOrder"] = answer

    assert isinstance(exchange.place(order()), LostTrack)
    assert len(paper.orders) == 1


def test_a_question_that_fails_says_whether_to_ask_again(paper, exchange):
    paper.before["BalanceEx"] = (200, '{"error": ["EService:Unavailable"]}')
    with pytest.raises(ExchangeUnreachable, match="EService:Unavailable"):
        exchange.balances()

    paper.before["BalanceEx"] = (200, '{"error": ["EAPI:Invalid key"]}')
    with pytest.raises(ExchangeRefused, match="EAPI:Invalid key"):
        exchange.balances()


@pytest.mark.parametrize("result", ["{}", "[]", '{"token": 7}'])
def test_an_answer_without_a_token_is_asked_for_again(paper, exchange, result):
    paper.before["GetWebSocketsToken"] = (200, f'{{"error": [], "result": {result}}}')

    with pytest.raises(ExchangeUnreachable, match="no token"):
        exchange.websocket_token()


def test_fees_come_from_our_own_tier_as_fractions(exchange):
    (doge,) = exchange.instruments(["DOGE/USD"])

    assert (doge.exchange_id, doge.base, doge.price_decimals) == ("XDGUSD", "DOGE", 7)
    assert (doge.maker_fee, doge.taker_fee) == (Decimal("0.004"), Decimal("0.008"))


def test_a_market_that_is_not_traded_is_named(exchange):
    with pytest.raises(ExchangeRefused, match="does not trade ABC/USD"):
        exchange.instruments(["XRP/USD", "ABC/USD"])


def test_cancelling_tells_open_from_gone(exchange):
    exchange.place(order(time_in_force="gtc"))

    assert exchange.cancel(order().id) is True
    assert exchange.cancel(order().id) is False


def test_an_order_is_found_by_our_id_whether_open_or_closed(exchange):
    exchange.place(order(time_in_force="gtc"))
    since = NOON - timedelta(minutes=1)

    (listed,) = exchange.find(order().id, since)
    assert listed.status == "open"
    exchange.cancel(order().id)
    (listed,) = exchange.find(order().id, since)
    assert listed.status == "canceled"
    assert exchange.find(order().id, NOON + timedelta(minutes=1)) == []


def test_every_page_of_trades_is_read_and_amounts_are_exact(paper, exchange):
    exchange.place(order(time_in_force="gtc"))
    for _ in range(120):
        paper.fill(next(iter(paper.orders)), "0.01234567", "2.00001")

    fills = exchange.fills_since(NOON)

    assert len({item.fill.exec_id for item in fills}) == 120
    assert sum(item.fill.cost for item in fills) == 120 * Decimal("0.01234567") * Decimal("2.00001")
    assert fills == sorted(fills, key=lambda item: item.fill.at)


def test_times_are_exact_to_the_microsecond():
    assert moment(Decimal("1710429248.3052235")).microsecond == 305223


def test_an_order_that_rests_never_takes_and_is_moved_under_our_id(paper, exchange):
    resting = order(worst=Decimal("2.2"), time_in_force="gtc")
    exchange.place(resting)
    assert paper.asked[-1][1]["oflags"] == "fciq,post"
    assert paper.asked[-1][1]["timeinforce"] == "GTC"

    assert exchange.amend(resting, Decimal("2.15"), NOON + timedelta(seconds=2))

    _, sent = paper.asked[-1]
    assert (sent["cl_ord_id"], sent["limit_price"]) == (resting.id, "2.15")
    assert (sent["post_only"], sent["deadline"]) == ("true", "2026-09-21T14:13:22.000Z")


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refused_move_leaves_the_order_where_it_was(paper, exchange, error):
    paper.before["AmendOrder"] = 200, f'{{"error": ["{error}"]}}'

    assert not exchange.amend(order(), Decimal("2.15"), NOON)


@pytest.mark.parametrize("error", [one for one in UNPROVEN if "cl_ord_id" not in one])
def test_a_move_without_a_clear_answer_proves_nothing(paper, exchange, error):
    paper.before["AmendOrder"] = 200, f'{{"error": ["{error}"]}}'

    with pytest.raises(ExchangeUnreachable):
        exchange.amend(order(), Decimal("2.15"), NOON)
