"""What an order may choose is spelled and refused as Kraken does.

Sources: docs.kraken.com, websocket-v2/add_order, where `fee_preference` is base or quote; the
refusal of `no_mpp` was recorded in 2024 by kraken-async-rs.
"""

import pytest

from sandbox.errors import Refused
from sandbox.rest_orders import from_rest
from sandbox.websocket_orders import from_websocket

LIMIT = {
    "order_type": "limit",
    "side": "buy",
    "symbol": "XRP/USD",
    "order_qty": 10,
    "limit_price": 1.5,
}
MARKET = {"order_type": "market", "side": "buy", "symbol": "XRP/USD", "order_qty": 10}
REST = {"pair": "XRPUSD", "type": "buy", "volume": "10", "price": "1.5"}
WORDS = "EGeneral:Invalid arguments:{} order option is only available when ordertype = market"


@pytest.mark.parametrize("fee", ["base", "quote"])
def test_a_fee_may_be_preferred_in_the_words_of_the_websocket(floor, fee):
    token, caller = floor.token(), floor.enter()
    (made,) = caller.ask("add_order", token=token, fee_preference=fee, **LIMIT)
    assert made["success"]
    order = made["result"]["order_id"]
    (edited,) = caller.ask(
        "edit_order",
        token=token,
        order_id=order,
        symbol="XRP/USD",
        order_qty=12,
        fee_preference=fee,
    )
    assert edited["success"]


def test_another_preference_is_refused(floor):
    (refused,) = floor.enter().ask("add_order", token=floor.token(), fee_preference="XRP", **LIMIT)

    assert refused["error"] == "EGeneral:Invalid arguments:fee_preference"


def test_only_a_market_order_may_do_without_price_protection(floor):
    token, caller = floor.token(), floor.enter()
    (refused,) = caller.ask("add_order", token=token, no_mpp=True, **LIMIT)
    assert refused["error"] == WORDS.format("no_mpp")
    (made,) = caller.ask("add_order", token=token, no_mpp=True, **MARKET)
    assert made["success"]
    with pytest.raises(Refused, match="nompp order option is only available"):
        from_rest({**REST, "ordertype": "limit", "oflags": "nompp"}, 0)
    assert "nompp" in from_rest({**REST, "ordertype": "market", "oflags": "nompp"}, 0).flags
    assert "nompp" not in from_websocket({**LIMIT, "no_mpp": False}).flags


@pytest.mark.parametrize("name", ["post_only", "reduce_only", "margin", "no_mpp", "validate"])
@pytest.mark.parametrize("value", ["false", "true", 0, []])
def test_a_choice_spelled_as_text_is_refused_and_not_guessed(floor, name, value):
    (refused,) = floor.enter().ask("add_order", token=floor.token(), **LIMIT, **{name: value})

    assert refused["error"] == f"{name.capitalize()} field must be a boolean"


def test_an_amendment_spells_its_choice_likewise(floor):
    token, caller = floor.token(), floor.enter()
    (made,) = caller.ask("add_order", token=token, post_only=None, **LIMIT)
    named = {"token": token, "order_id": made["result"]["order_id"]}
    (refused,) = caller.ask("amend_order", order_qty=9, post_only="false", **named)
    assert refused["error"] == "Post_only field must be a boolean"
    assert caller.ask("amend_order", order_qty=9, post_only=False, **named)[0]["success"]
