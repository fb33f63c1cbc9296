"""Who reads orders, fills or the ledger page by page misses nothing and gets nothing twice.

Source of the parameters: docs.kraken.com, rest-api/get-closed-orders, get-trade-history,
get-ledgers, get-trades-info and get-ledgers-info.
"""

import pytest
from desks import Desk, open_desk

FILLS = 24


@pytest.fixture(scope="module")
def desk():
    made = open_desk()
    for number in range(FILLS):
        side = "sell" if number % 2 else "buy"
        order = {"pair": "XRPUSD", "type": side, "ordertype": "market", "volume": "7"}
        made.call("AddOrder", **order)
        made.wait(1)
    resting = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "price": "1.5"}
    for _ in range(3):
        made.call("AddOrder", volume="10", **resting)
    made.call("CancelAll")
    return made


@pytest.mark.parametrize(
    ("method", "rows"),
    [("ClosedOrders", "closed"), ("TradesHistory", "trades"), ("Ledgers", "ledger")],
)
def test_a_page_may_begin_after_one_row_and_end_with_another(desk: Desk, method, rows):
    every = list(desk.call(method)[rows])
    for place in (1, 2, 5, len(every) - 1):
        later = desk.call(method, start=every[place])
        assert (list(later[rows]), later["count"]) == (every[:place], place)
        earlier = desk.call(method, end=every[place])[rows]
        assert list(earlier) == every[place:][:50]
    between = desk.call(method, start=every[6], end=every[2])[rows]
    assert list(between) == every[2:6]


def test_a_page_from_nowhere_has_everything_and_one_up_to_nowhere_nothing(desk: Desk):
    nobody = "L00000-00000-000000"
    assert len(desk.call("Ledgers", start=nobody)["ledger"]) == 50
    assert desk.call("Ledgers", end=nobody) == {"ledger": {}, "count": 0}


@pytest.mark.parametrize("method", ["ClosedOrders", "TradesHistory", "Ledgers"])
def test_nothing_is_counted_for_those_who_do_not_want_it(desk: Desk, method):
    assert "count" in desk.call(method, without_count="false")
    assert "count" not in desk.call(method, without_count="true")


def test_a_fill_names_what_it_wrote_into_the_ledger(desk: Desk):
    trades = desk.call("TradesHistory", ledgers="true")["trades"]
    assert all("ledgers" not in each for each in desk.call("TradesHistory")["trades"].values())
    for txid, trade in trades.items():
        entries = desk.call("QueryLedgers", id=",".join(trade["ledgers"]))
        assert [entry["refid"] for entry in entries.values()] == [txid, txid]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("all", FILLS), ("no position", FILLS), ("any position", 0), ("closing position", 0)],
)
def test_no_fill_belongs_to_a_position(desk: Desk, kind, count):
    assert int(desk.call("TradesHistory", type=kind)["count"]) >= count
    assert bool(desk.call("TradesHistory", type=kind)["trades"]) == bool(count)


@pytest.mark.parametrize(
    ("method", "name", "listing", "rows"),
    [
        ("QueryTrades", "txid", "TradesHistory", "trades"),
        ("QueryLedgers", "id", "Ledgers", "ledger"),
    ],
)
def test_twenty_are_asked_for_at_most_and_one_at_least(desk: Desk, method, name, listing, rows):
    every = list(desk.call(listing)[rows])

    assert list(desk.call(method, **{name: ",".join(every[:20])})) == every[:20]
    assert desk.refusal(method, **{name: ",".join(every[:21])}) == "EGeneral:Invalid arguments"
    assert desk.refusal(method) == "EGeneral:Invalid arguments"


@pytest.mark.parametrize(
    "asked", ["c0ffee00-2821-40e2-ad83-4ecb18a06876", "c0ffee00282140e2ad834ecb18a06876"]
)
def test_an_order_is_found_by_its_name_with_and_without_dashes(desk: Desk, asked):
    named = "c0ffee00-2821-40e2-ad83-4ecb18a06876"
    order = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "price": "1.5", "volume": "10"}
    (txid,) = desk.call("AddOrder", **order, cl_ord_id=named)["txid"]
    try:
        assert list(desk.call("OpenOrders", cl_ord_id=asked)["open"]) == [txid]
        assert list(desk.call("QueryOrders", txid=txid, cl_ord_id=asked)) == [txid]
    finally:
        desk.call("CancelOrder", txid=txid)
    assert txid in desk.call("ClosedOrders", cl_ord_id=asked)["closed"]
    assert desk.call("ClosedOrders", cl_ord_id="nobody")["count"] == 0
