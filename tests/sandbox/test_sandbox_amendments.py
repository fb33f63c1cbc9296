"""An amendment changes the order itself, wherever it waits, or is refused.

Source of what cannot be amended: docs.kraken.com, guides/spot-amends.
"""

import pytest
from desks import Desk, open_desk

LIMIT = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "volume": "10", "price": "1.5"}


@pytest.fixture
def desk():
    return open_desk()


def held(desk):
    return float(desk.call("BalanceEx")["ZUSD"]["hold_trade"])


def shown(desk, txid):
    return desk.call("QueryOrders", txid=txid)[txid]


def test_a_scheduled_order_is_amended_for_good(desk: Desk):
    (txid,) = desk.call("AddOrder", starttm="+60", **LIMIT)["txid"]
    desk.wait(1)
    before = held(desk)
    desk.call("AmendOrder", txid=txid, order_qty="20", limit_price="1.4")
    assert held(desk) == pytest.approx(before * 20 / 10 * 1.4 / 1.5, rel=1e-3)
    desk.wait(120)
    order = shown(desk, txid)
    assert (order["status"], order["vol"], order["misc"]) == ("open", "20.00000000", "amended")
    assert order["descr"]["price"] == "1.40000"
    desk.call("CancelOrder", txid=txid)
    assert held(desk) == 0


def test_a_scheduled_order_that_was_amended_and_cancelled_leaves_nothing_behind(desk: Desk):
    (txid,) = desk.call("AddOrder", starttm="+60", **LIMIT)["txid"]
    for quantity in ("12", "30", "11"):
        desk.wait(1)
        desk.call("AmendOrder", txid=txid, order_qty=quantity)
    desk.call("CancelAll")
    desk.wait(120)

    assert held(desk) == 0
    assert (shown(desk, txid)["status"], shown(desk, txid)["vol"]) == ("canceled", "11.00000000")


def test_an_order_with_one_that_closes_it_cannot_be_amended(desk: Desk):
    close = {"close[ordertype]": "limit", "close[price]": "9"}
    (txid,) = desk.call("AddOrder", **LIMIT, **close)["txid"]

    assert desk.refusal("AmendOrder", txid=txid, order_qty="11") == "EOrder:Invalid order"
    assert shown(desk, txid)["misc"] == ""


def test_an_order_for_money_has_no_quantity_to_amend(desk: Desk):
    wanted = {"pair": "XRPUSD", "type": "buy", "ordertype": "market", "oflags": "viqc"}
    (txid,) = desk.call("AddOrder", volume="30", starttm="+60", **wanted)["txid"]

    assert desk.refusal("AmendOrder", txid=txid, order_qty="11") == "EOrder:Invalid order"
    desk.wait(61)
    assert float(shown(desk, txid)["cost"]) == pytest.approx(30, abs=0.001)
