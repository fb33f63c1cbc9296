"""A body is read as its client spells it: as JSON, or as a form whose lists have brackets.

Source: docs.kraken.com, rest-api/add-order-batch, whose example is such a form.
"""

import pytest
from desks import Desk, open_desk

from sandbox.bodies import read_form
from sandbox.errors import Refused

LEG = {"ordertype": "limit", "type": "buy", "volume": "10", "price": "1.5"}


@pytest.fixture
def desk():
    return open_desk()


def bracketed(legs):
    return {
        f"orders[{n}][{name}]": text for n, leg in enumerate(legs) for name, text in leg.items()
    }


def test_a_form_may_hold_a_batch_of_orders_to_place_and_to_cancel(desk: Desk):
    close = {"close[ordertype]": "limit", "close[price]": "9"}
    legs = [LEG, LEG | {"volume": "100000000"}, LEG | {"cl_ord_id": "third"} | close]
    made = desk.call("AddOrderBatch", pair="XRPUSD", **bracketed(legs))["orders"]
    assert [sorted(leg) for leg in made] == [
        ["descr", "txid"],
        ["descr", "error"],
        ["descr", "txid"],
    ]
    assert made[1]["error"] == "EOrder:Insufficient funds"
    assert made[2]["descr"]["close"] == "close position @ limit 9.00000"
    named = {"orders[0]": made[0]["txid"], "cl_ord_ids[]": "third"}
    assert desk.call("CancelOrderBatch", **named) == {"count": 2}


def test_a_batch_is_the_same_as_a_form_and_as_json(desk: Desk):
    legs = [LEG, LEG]
    assert desk.ask("AddOrderBatch", pair="XRPUSD", validate="true", **bracketed(legs)) == desk.ask(
        "AddOrderBatch", as_json=True, pair="XRPUSD", validate=True, orders=legs
    )


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"orders[0]=A&orders[1]=B", {"orders": ["A", "B"]}),
        (b"orders%5B%5D=A&orders%5B%5D=B", {"orders": ["A", "B"]}),
        (b"orders[7][type]=buy&orders[3]=A", {"orders": [{"type": "buy"}, "A"]}),
        (b"orders[0][close][price]=9", {"orders": [{"close[price]": "9"}]}),
        (b"orders[0]=A&orders[0][type]=buy", {"orders": ["A"]}),
        (b"orders[x]=A&close[price]=9", {"orders[x]": "A", "close[price]": "9"}),
    ],
)
def test_brackets_make_lists_of_orders_only(body, form):
    assert read_form(body) == form


def test_fifteen_orders_with_all_their_fields_fit_into_a_form(desk: Desk):
    more = {f"field{n}": "x" for n in range(16)}
    made = desk.call("AddOrderBatch", pair="XRPUSD", **bracketed([LEG | more] * 15))

    assert len(made["orders"]) == 15


def test_brackets_around_nothing_are_refused():
    with pytest.raises(Refused, match="EGeneral:Invalid arguments"):
        read_form(b"orders[0][[]]=x")
