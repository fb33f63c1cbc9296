"""Every field of orders, trades and events is spelled as Kraken spells it, over both doors."""

import re
from decimal import Decimal

import pytest
from desks import open_desk

from sandbox.errors import Refused
from sandbox.public_data import METHODS

TXID = re.compile(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}")
UUID = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
SECOND = 1_000_000_000


@pytest.fixture
def desk():
    return open_desk()


def add(desk, ordertype="limit", side="buy", volume="10", **more):
    form = {"pair": "XRPUSD", "type": side, "ordertype": ordertype, "volume": volume} | more
    return desk.call("AddOrder", **form)


def shown(desk, txid):
    return desk.call("QueryOrders", txid=txid)[txid]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"price": "1.5"}, "buy 10.00000000 XRPUSD @ limit 1.50000"),
        ({"ordertype": "market"}, "buy 10.00000000 XRPUSD @ market"),
        (
            {"ordertype": "iceberg", "price": "1.5", "displayvol": "2"},
            "buy 10.00000000 XRPUSD @ limit 1.50000",
        ),
        (
            {"ordertype": "stop-loss", "side": "sell", "price": "1.5"},
            "sell 10.00000000 XRPUSD @ stop loss 1.50000",
        ),
        (
            {"ordertype": "stop-loss-limit", "side": "sell", "price": "1.5", "price2": "1.4"},
            "sell 10.00000000 XRPUSD @ stop loss 1.50000 -> limit 1.40000",
        ),
        (
            {"ordertype": "take-profit", "price": "1.5"},
            "buy 10.00000000 XRPUSD @ take profit 1.50000",
        ),
        (
            {"ordertype": "take-profit-limit", "price": "1.5", "price2": "1.6"},
            "buy 10.00000000 XRPUSD @ take profit 1.50000 -> limit 1.60000",
        ),
        (
            {"ordertype": "trailing-stop", "price": "+50%"},
            "buy 10.00000000 XRPUSD @ trailing stop +50.0000%",
        ),
    ],
)
def test_descriptions_follow_the_grammar_and_validation_gives_no_id(desk, form, text):
    assert add(desk, **form, validate="True") == {"descr": {"order": text}}
    made = add(desk, **form)

    assert made["descr"]["order"] == text
    (txid,) = made["txid"]
    assert TXID.fullmatch(txid)
    assert shown(desk, txid)["descr"]["order"] == text


def test_an_open_order_has_every_field_of_krakens(desk):
    (txid,) = add(desk, price="1.5", cl_ord_id=UUID, oflags="post")["txid"]
    order = desk.call("OpenOrders")["open"][txid]

    assert order["descr"] == {
        "pair": "XRPUSD",
        "aclass": "forex",
        "type": "buy",
        "ordertype": "limit",
        "price": "1.50000",
        "price2": "0",
        "leverage": "none",
        "order": "buy 10.00000000 XRPUSD @ limit 1.50000",
        "close": "",
    }
    del order["descr"]
    assert re.fullmatch(r"\d{10}\.\d{6}", order.pop("opentm"))
    assert order == {
        "refid": None,
        "userref": None,
        "cl_ord_id": UUID,
        "status": "open",
        "starttm": 0,
        "expiretm": 0,
        "vol": "10.00000000",
        "vol_exec": "0.00000000",
        "cost": "0.00000000",
        "fee": "0.00000000",
        "price": "0.00000000",
        "stopprice": "0.00000000",
        "limitprice": "0.00000000",
        "misc": "",
        "oflags": "post,fciq",
    }


def test_a_closed_order_and_its_trades_have_every_field(desk):
    (txid,) = add(desk, ordertype="market", userref="7")["txid"]
    closed = desk.call("ClosedOrders", trades="true")["closed"][txid]

    assert (closed["status"], closed["reason"], closed["userref"]) == ("closed", None, 7)
    assert re.fullmatch(r"\d{10}\.\d{6}", closed["closetm"])
    assert re.fullmatch(r"\d+\.\d{5}", closed["price"])
    for name in ("cost", "fee"):
        assert re.fullmatch(r"\d+\.\d{8}", closed[name])
    trades = desk.call("QueryTrades", txid=",".join(closed["trades"]))
    for name, trade in trades.items():
        assert name.startswith("T")
        assert set(trade) == {
            *("ordertxid", "postxid", "pair", "aclass", "time", "type", "ordertype", "price"),
            *("cost", "fee", "vol", "margin", "leverage", "misc", "trade_id", "maker"),
        }
        assert (trade["pair"], trade["leverage"], trade["maker"]) == ("XXRPZUSD", "0", False)
        assert re.fullmatch(r"\d+\.\d{8}", trade["price"])
        assert isinstance(trade["trade_id"], int)


def test_conditional_orders_show_what_recorded_ones_show(desk):
    (still,) = add(desk, "stop-loss-limit", "sell", price="1.5", price2="1.4")["txid"]
    (trails,) = add(desk, "trailing-stop", "sell", price="+50%", trigger="index")["txid"]
    resting, trailing = shown(desk, still), shown(desk, trails)

    assert (resting["stopprice"], resting["limitprice"]) == ("0.00000000", "0.00000000")
    assert "trigger" not in resting
    assert (resting["descr"]["price"], resting["descr"]["price2"]) == ("1.50000", "1.40000")
    assert trailing["trigger"] == "index"
    assert trailing["descr"]["price"] == "+50.0000%"
    stop, peak = float(trailing["stopprice"]), float(trailing["limitprice"])
    assert stop == pytest.approx(peak / 2, abs=1e-5)


def test_a_scheduled_order_is_listed_as_pending_with_its_time(desk):
    now = desk.venue.sync() // SECOND
    (txid,) = add(desk, price="1.5", starttm="+60", expiretm="+120")["txid"]
    order = shown(desk, txid)
    assert (order["status"], order["starttm"], order["expiretm"]) == (
        "pending",
        now + 60,
        now + 120,
    )
    desk.wait(61)
    assert shown(desk, txid)["status"] == "open"
    desk.wait(60)
    assert shown(desk, txid)["status"] == "expired"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"ordertype": "settle-position", "leverage": "2"}, "EOrder:Unknown position"),
        ({"price": "1.5", "leverage": "2"}, "EGeneral:Permission denied"),
        ({"price": "1.5", "leverage": "50"}, "EGeneral:Invalid arguments:leverage"),
        ({"price": "1.5", "reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
        ({"price": "1.5", "timeinforce": "PO"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"price": "1.5", "timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
        ({"price": "1.5", "trigger": "mark"}, "EGeneral:Invalid arguments:trigger"),
        ({"price": "1.5", "oflags": "wrong"}, "EGeneral:Invalid arguments:oflags"),
        ({"price": "1.5", "displayvol": "0.5"}, "EGeneral:Invalid arguments:displayvol"),
        ({"price": "1.5", "oflags": "viqc"}, "EGeneral:Invalid arguments:viqc"),
        ({"ordertype": "market", "type": "sell", "oflags": "viqc"},
         "EGeneral:Invalid arguments:viqc"),
        ({"price": "1.5", "stptype": "none"}, "EGeneral:Invalid arguments:stptype"),
        ({"price": "1.5", "userref": "1", "cl_ord_id": "a"},
         "EGeneral:Invalid arguments:cl_ord_id and userref are mutually exclusive"),
        ({"price": "1.5", "cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"price": "1.5", "cl_ord_id": "g" * 32}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"price": "1.5", "close[ordertype]": "market", "close[price]": "1"},
         "EGeneral:Invalid arguments:close[ordertype]"),
        ({"price": "1.5", "close[ordertype]": "stop-loss-limit", "close[price]": "1"},
         "EGeneral:Invalid arguments:close[price2]"),
        ({"price": "1.5", "deadline": "2026-03-01T10:29:59Z"}, "EService:Deadline elapsed"),
        ({"price": "1.5", "deadline": "2026-03-01T10:31:01Z"},
         "EGeneral:Invalid arguments:deadline"),
    ],
)  # fmt: skip
def test_what_is_not_to_be_had_is_refused_in_krakens_words(desk, form, words):
    form = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "volume": "10"} | form

    assert desk.refusal("AddOrder", **form) == words
    assert not desk.call("OpenOrders")["open"]


@pytest.mark.parametrize("name", [UUID, UUID.replace("-", ""), "plain-text_18chars"])
def test_a_clients_name_is_taken_in_three_forms_and_only_once_while_open(desk, name):
    (txid,) = add(desk, price="1.5", cl_ord_id=name)["txid"]
    form = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "volume": "10", "price": "1.5"}
    words = "EGeneral:Invalid arguments:cl_ord_id not unique"
    assert desk.refusal("AddOrder", **form, cl_ord_id=name) == words
    if name == UUID:
        other = UUID.replace("-", "").upper()
        assert desk.refusal("AddOrder", **form, cl_ord_id=other) == words
    assert desk.call("CancelOrder", cl_ord_id=name) == {"count": 1}
    assert shown(desk, txid)["reason"] == "User requested"
    assert desk.call("AddOrder", **form, cl_ord_id=name)["txid"]


def test_a_batch_fails_whole_by_the_rules_and_leg_by_leg_by_funds(desk):
    good = {"type": "buy", "ordertype": "limit", "volume": "10", "price": "1.5"}
    dear = good | {"volume": "1000000"}
    made = desk.call("AddOrderBatch", pair="XRPUSD", orders=[good, dear, good], as_json=True)
    first, second, third = made["orders"]
    assert TXID.fullmatch(first["txid"])
    assert TXID.fullmatch(third["txid"])
    assert second == {
        "error": "EOrder:Insufficient funds",
        "descr": {"order": "buy 1000000.00000000 XRPUSD @ limit 1.50000"},
    }
    small = good | {"volume": "0.1"}
    words = desk.refusal("AddOrderBatch", pair="XRPUSD", orders=[good, small], as_json=True)
    assert words == "EGeneral:Invalid arguments:volume minimum not met"
    for count in (1, 16):
        legs = [good] * count
        refused = desk.refusal("AddOrderBatch", pair="XRPUSD", orders=legs, as_json=True)
        assert refused == "EGeneral:Invalid arguments:orders"
    assert len(desk.call("OpenOrders")["open"]) == 2


def test_orders_are_cancelled_by_the_batch_and_all_at_once(desk):
    (first,) = add(desk, price="1.5")["txid"]
    add(desk, price="1.5", cl_ord_id="named")
    add(desk, price="1.5", userref="5")
    asked = {"orders": [first, "5"], "cl_ord_ids": ["named"]}
    assert desk.call("CancelOrderBatch", **asked, as_json=True) == {"count": 3}
    assert "orders" in desk.refusal("CancelOrderBatch", orders=["x"] * 51, as_json=True)
    for _ in range(3):
        add(desk, price="1.5")
    assert desk.call("CancelAll") == {"count": 3}


def test_an_edited_order_is_another_and_some_cannot_be_edited(desk):
    (txid,) = add(desk, "stop-loss-limit", "sell", price="1.5", price2="1.4", userref="3")["txid"]
    answer = desk.call("EditOrder", txid=txid, pair="XRPUSD", price="1.3", price2="1.2")
    assert answer == {
        "status": "ok",
        "txid": answer["txid"],
        "originaltxid": txid,
        "volume": "10.00000000",
        "price": "1.30000",
        "price2": "1.20000",
        "orders_cancelled": 1,
        "descr": {"order": "sell 10.00000000 XRPUSD @ stop loss 1.30000 -> limit 1.20000"},
    }
    assert shown(desk, txid)["status"] == "canceled"
    assert shown(desk, answer["txid"])["userref"] == 3
    (named,) = add(desk, price="1.5", cl_ord_id="named")["txid"]
    closing = {"close[ordertype]": "limit", "close[price]": "9"}
    (closes,) = add(desk, price="1.5", **closing)["txid"]
    for each in (named, closes):
        words = desk.refusal("EditOrder", txid=each, pair="XRPUSD", volume="20")
        assert words == "EOrder:Invalid order"


def test_the_websocket_edits_orders(desk):
    made = desk.send(
        "add_order", symbol="XRP/USD", side="buy", order_type="limit", order_qty=10, limit_price=1.5
    )["result"]
    edited = desk.send(
        "edit_order", symbol="XRP/USD", order_id=made["order_id"], order_qty=12, post_only=True
    )

    assert edited["success"]
    assert edited["result"]["original_order_id"] == made["order_id"]
    order = shown(desk, edited["result"]["order_id"])
    assert (order["vol"], order["oflags"]) == ("12.00000000", "post,fciq")


def test_balances_tell_what_is_held_and_of_no_credit(desk):
    add(desk, price="1.5")

    assert desk.call("BalanceEx")["ZUSD"] == {
        "balance": "10000.0000",
        "hold_trade": "15.0301",
        "credit": "0.0000",
        "credit_used": "0.0000",
    }


def test_the_dead_mans_switch_tells_its_times_and_clears_the_account(desk):
    (txid,) = add(desk, price="1.5")["txid"]
    (later,) = add(desk, price="1.5", starttm="+3600")["txid"]
    answer = desk.call("CancelAllOrdersAfter", timeout="60")
    assert answer == {
        "currentTime": "2026-03-01T10:30:00Z",
        "triggerTime": "2026-03-01T10:31:00Z",
    }
    assert desk.call("CancelAllOrdersAfter", timeout="0")["triggerTime"] == "0"
    desk.send("cancel_all_orders_after", timeout=60)
    desk.wait(61)
    assert shown(desk, txid)["status"] == shown(desk, later)["status"] == "canceled"


def test_events_show_schedules_icebergs_and_closing_orders(desk):
    desk.send("subscribe", channel="executions")
    made = desk.send(
        "add_order",
        symbol="XRP/USD",
        side="buy",
        order_type="iceberg",
        order_qty=30,
        display_qty=10,
        limit_price=1.5,
        effective_time="2026-03-01T10:31:00Z",
        expire_time="2026-03-01T10:40:00Z",
        time_in_force="gtd",
        conditional={"order_type": "stop-loss-limit", "trigger_price": 1.2, "limit_price": 1.1},
    )["result"]
    (event,) = desk.heard()
    assert event == {
        "timestamp": "2026-03-01T10:30:00.000000Z",
        "exec_type": "pending_new",
        "order_status": "pending_new",
        "order_id": made["order_id"],
        "order_userref": 0,
        "symbol": "XRP/USD",
        "side": "buy",
        "order_type": "iceberg",
        "order_qty": "30.00000000",
        "display_qty": "10.00000000",
        "display_qty_remain": "10.00000000",
        "limit_price": "1.50000",
        "limit_price_type": "static",
        "stop_price": "0.00000",
        "time_in_force": "GTD",
        "effective_time": "2026-03-01T10:31:00.000000Z",
        "expire_time": "2026-03-01T10:40:00.000000Z",
        "fee_ccy_pref": "fciq",
        "cum_qty": "0.00000000",
        "cum_cost": "0.00000000",
        "avg_price": "0.00000",
        "fee_usd_equiv": "0.00000000",
        "contingent": {
            "order_type": "stop-loss-limit",
            "trigger_price": "1.20000",
            "trigger_price_type": "static",
            "limit_price": "1.10000",
            "limit_price_type": "static",
        },
    }
    desk.wait(61 + 600)
    new, expired = desk.heard()
    assert (new["exec_type"], new["order_status"]) == ("new", "new")
    assert set(new) == {"timestamp", "exec_type", "order_status", "order_id", "order_userref"}
    assert (expired["exec_type"], expired["reason"]) == ("expired", "Order expired")


def test_an_event_shows_what_an_iceberg_was_amended_to_show(desk):
    (txid,) = add(desk, "iceberg", volume="30", price="1.5", displayvol="10")["txid"]
    desk.send("subscribe", channel="executions", snap_orders=False)
    desk.send("amend_order", order_id=txid, display_qty=5)
    (amended,) = desk.heard()

    assert (amended["exec_type"], amended["display_qty"]) == ("amended", "5.00000000")


def test_events_show_triggers_with_reference_units_and_peak(desk):
    desk.send("subscribe", channel="executions")
    desk.send(
        "add_order",
        symbol="XRP/USD",
        side="sell",
        order_type="trailing-stop",
        order_qty=10,
        triggers={"reference": "index", "price": 1, "price_type": "pct"},
    )
    first, _new = desk.heard()
    triggers = first["triggers"]
    actual = triggers.pop("actual_price")
    peak = float(triggers.pop("peak_price"))
    assert float(actual) == pytest.approx(0.99 * peak, abs=2e-5)
    assert triggers == {
        "reference": "index",
        "price": "1.0000",
        "price_type": "pct",
        "status": "untriggered",
    }
    assert (first["stop_price"], first["trigger"]) == (actual, "index")
    desk.wait(48 * 3600)
    events = desk.heard()
    moves = [e for e in events if e["exec_type"] == "status"]
    *trailed, fired = moves
    assert all(e["triggers"]["status"] == "untriggered" for e in trailed)
    assert [e["order_status"] for e in (fired, events[-1])] == ["triggered", "filled"]
    assert fired["triggers"]["status"] == "triggered"
    assert fired["triggers"]["last_price"] == fired["triggered_price"]
    assert fired["triggers"]["timestamp"] == fired["timestamp"]


def test_amendments_are_listed_with_what_they_changed(desk):
    (txid,) = add(desk, "iceberg", price="1.5", displayvol="5")["txid"]
    changed = desk.call("AmendOrder", txid=txid, order_qty="8", display_qty="2")
    assert re.fullmatch(r"T[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", changed["amend_id"])
    first, second = desk.call("OrderAmends", order_id=txid)["amends"]

    assert (first["amend_type"], first["order_qty"], first["display_qty"]) == (
        "original",
        "10.00000000",
        "5.00000000",
    )
    assert (second["amend_id"], second["order_qty"]) == (changed["amend_id"], "8.00000000")
    assert shown(desk, txid)["misc"] == "amended"
    for form in ({}, {"order_qty": "0"}, {"limit_price": "-1"}):
        assert desk.refusal("AmendOrder", txid=txid, **form) == "EGeneral:Invalid arguments"
    words = desk.refusal("AmendOrder", txid=txid, limit_price_type="pct", limit_price="1")
    assert words == "EGeneral:Invalid arguments:limit_price_type"


def test_the_distance_of_a_trailing_stop_can_be_amended_over_both_doors(desk):
    (txid,) = add(desk, "trailing-stop-limit", "sell", price="+50%", price2="-0.1")["txid"]
    before = shown(desk, txid)
    desk.call("AmendOrder", txid=txid, trigger_price="+40%")
    after = shown(desk, txid)
    peak = float(after["limitprice"])
    assert after["descr"]["price"] == "+40.0000%"
    assert float(after["stopprice"]) == pytest.approx(0.6 * peak, abs=1e-5)
    moved = float(after["stopprice"]) - float(before["stopprice"])
    limits = [float(order["descr"]["price2"]) for order in (before, after)]
    assert limits[1] - limits[0] == pytest.approx(moved, abs=1e-9)
    desk.send("amend_order", order_id=txid, trigger_price=0.5, trigger_price_type="quote")
    assert shown(desk, txid)["descr"]["price"] == "+0.50000"
    words = desk.refusal("AmendOrder", txid=txid, trigger_price="1.5")
    assert words == "EGeneral:Invalid arguments:trigger_price"


def test_the_websocket_places_and_cancels_in_batches(desk):
    good = {"side": "buy", "order_type": "limit", "order_qty": 10, "limit_price": 1.5}
    legs = [good | {"cl_ord_id": "one"}, good | {"order_qty": 10**6}, good | {"order_userref": 9}]
    first, second, third = desk.send("batch_add", symbol="XRP/USD", orders=legs)["result"]
    assert (first["cl_ord_id"], second) == ("one", {"error": "EOrder:Insufficient funds"})
    wrong = desk.send("batch_add", symbol="XRP/USD", orders=[good, good | {"order_qty": 0.1}])
    assert (wrong["success"], wrong["error"]) == (
        False,
        "EGeneral:Invalid arguments:volume minimum not met",
    )
    many = desk.send("batch_cancel", orders=["x"] * 51)
    assert many["error"] == "EGeneral:Invalid arguments:orders"
    (other,) = add(desk, price="1.5")["txid"]
    asked = {"orders": [other, "9", "OAAAAA-AAAAA-AAAAAA"], "cl_ord_id": ["one"]}
    assert desk.send("batch_cancel", **asked)["orders_cancelled"] == 3
    assert TXID.fullmatch(third["order_id"])
    assert desk.send("cancel_all")["result"] == {"count": 0}


def test_a_closing_order_is_described_and_placed_with_every_fill(desk):
    closing = {"close[ordertype]": "stop-loss-limit", "close[price]": "1.2", "close[price2]": "1.1"}
    made = add(desk, "market", **closing)
    assert made["descr"]["close"] == "close position @ stop loss 1.20000 -> limit 1.10000"
    (txid,) = made["txid"]
    opened = desk.call("OpenOrders")["open"]
    assert opened
    for order in opened.values():
        assert order["refid"] == txid
        assert order["descr"]["type"] == "sell"
        assert order["descr"]["order"].endswith("@ stop loss 1.20000 -> limit 1.10000")
    assert sum(float(order["vol"]) for order in opened.values()) == 10


def test_a_closing_order_may_be_an_object_of_its_own_in_json(desk):
    leg = {"type": "buy", "ordertype": "limit", "volume": "10", "price": "1.5"}
    leg["close"] = {"ordertype": "take-profit", "price": "9"}
    made = desk.call("AddOrderBatch", pair="XRPUSD", orders=[leg, leg], as_json=True)["orders"]

    assert [m["descr"]["close"] for m in made] == ["close position @ take profit 9.00000"] * 2


def test_an_account_is_valued_in_any_money(desk):
    dollars, euros, coins = (
        desk.call("TradeBalance", **more) for more in ({}, {"asset": "ZEUR"}, {"asset": "XRP"})
    )
    assert Decimal(euros["eb"]) == round(Decimal(dollars["eb"]) * Decimal("0.86"), 4)
    assert desk.call("TradeBalance", asset="EUR") == euros
    assert Decimal(coins["eb"]) - Decimal(coins["tb"]) == 5000
    assert desk.refusal("TradeBalance", asset="NOPE") == "EQuery:Unknown asset"


@pytest.mark.parametrize(
    ("info", "fields"),
    [
        ("leverage", {"leverage_buy", "leverage_sell"}),
        ("fees", {"fees", "fees_maker", "fee_volume_currency"}),
        ("margin", {"margin_call", "margin_stop"}),
    ],
)
def test_a_part_of_what_is_known_of_a_pair_can_be_asked_for(desk, info, fields):
    now = desk.venue.sync()
    answer = METHODS["AssetPairs"](desk.venue, now, {"pair": "XDGUSD", "info": info})
    assert set(answer["XDGUSD"]) == fields
    with pytest.raises(Refused):
        METHODS["AssetPairs"](desk.venue, now, {"info": "nonsense"})


def test_a_quote_of_less_than_one_lot_is_shown_as_one(desk):
    def bid():
        ticker = METHODS["Ticker"](desk.venue, desk.venue.sync(), {"pair": "XRPUSD"})
        return ticker["XXRPZUSD"]["b"][1:]

    whole = int(bid()[0])
    assert whole > 1
    book = METHODS["Depth"](desk.venue, desk.venue.sync(), {"pair": "XRPUSD"})["XXRPZUSD"]
    between = (float(book["bids"][0][0]) + float(book["asks"][0][0])) / 2
    add(desk, "limit", volume="1.7", price=f"{between:.5f}")
    assert bid() == ["1", "1.000"]
    add(desk, "market", "sell", volume="1.65")
    assert bid() == ["1", "1.000"]
