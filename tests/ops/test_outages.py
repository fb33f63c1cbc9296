"""Kills of whole processes lose, double and leave unexplained no order; few of them, here."""

import pytest
from sqlalchemy import text
from waiting import until

from ops.bench.caller import Caller
from ops.outages.campaign import started
from ops.outages.plan import BACKEND, BOTH, POSTGRES, SANDBOX, STANDBY, TRADER, draw
from ops.outages.verdict import judge
from trader.execution import Policy

SEED, RUNS = 10, 3
FORGET = "DELETE FROM fills WHERE exec_id = (SELECT min(exec_id) FROM fills) RETURNING exec_id"


def test_the_same_seed_and_number_draw_the_same_run():
    assert [draw(SEED, number) for number in range(50)] == [
        draw(SEED, number) for number in range(50)
    ]
    assert draw(SEED, 0) != draw(SEED + 1, 0)


def test_every_process_is_killed_and_orders_are_worked_in_both_ways():
    plans = [draw(SEED, number) for number in range(200)]

    killed = {victim for plan in plans for victim in plan.victims}
    assert killed == {TRADER, BOTH, STANDBY, POSTGRES, BACKEND, SANDBOX}
    assert {plan.policy for plan in plans} == set(Policy)


@pytest.mark.slow
def test_after_kills_the_record_says_what_the_exchange_says_or_the_judge_tells():
    with started(SEED, Policy.MARKETABLE) as running:
        wrong = {number: running.play(number).wrong for number in range(RUNS)}
        assert wrong == {number: [] for number in range(RUNS)}

        caller = Caller(running.fleet.address, "main")
        form = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "price": "0.5"}
        answer = caller.call("AddOrder", **form, volume="20", cl_ord_id="foreign")
        (txid,) = answer["result"]["txid"]

        def shows():
            return any(txid in line for line in judge(running.engine, caller, None))

        until(shows, 10, "the notice of an order without an intent")
        with running.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            (fill,) = connection.execute(text(FORGET)).one()
        assert any(f"trade {fill} " in line for line in judge(running.engine, caller, None))
        caller.close()
