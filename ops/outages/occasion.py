"""Waiting for the instant of a kill: an entry on record, or a report of the exchange."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ops.errors import CannotStart
from ops.outages.plan import ON_RECORD, REPORTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.bench.caller import Caller
    from ops.outages.fleet import Fleet
    from ops.outages.plan import Plan

LONGEST = 60.0  # seconds within which orders must flow; with a fault in the way they need not
DISTURBED = 10.0
LOOK_EVERY = 0.001


def occasion(fleet: Fleet, caller: Caller, plan: Plan, then: Callable[[], None]) -> bool:
    """Begin to watch, call `then`, and return at the drawn occasion, or in vain.

    Raises:
        CannotStart: Nothing of the kind happened although no fault was in the way.
    """
    before = _newest(fleet)
    watched = {ON_RECORD: _on_record, REPORTED: _reported}
    came = watched[plan.where](fleet, caller, plan, then) if plan.where in watched else _none(then)
    if not (came or plan.faults or _newest(fleet) > before):
        raise CannotStart(f"no order flowed within {LONGEST:.0f} s")
    time.sleep(plan.milliseconds / 1000)
    return came


def _newest(fleet: Fleet) -> int:
    with closing(psycopg2.connect(fleet.url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM order_events")
        (newest,) = cursor.fetchone() or (0,)
        return int(newest)


def _none(then: Callable[[], None]) -> bool:
    then()
    return True


def _on_record(fleet: Fleet, _caller: Caller, plan: Plan, then: Callable[[], None]) -> bool:
    with closing(psycopg2.connect(fleet.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            before = _newest(fleet)
            then()
            deadline = time.monotonic() + (DISTURBED if plan.faults else LONGEST)
            while time.monotonic() < deadline:
                cursor.execute(
                    "SELECT count(*) FROM order_events WHERE id > %s AND kind = %s",
                    (before, plan.occasion),
                )
                (found,) = cursor.fetchone() or (0,)
                if found >= plan.number:
                    return True
                time.sleep(LOOK_EVERY)
    return False


def _reported(fleet: Fleet, caller: Caller, plan: Plan, then: Callable[[], None]) -> bool:
    token = caller.call("GetWebSocketsToken")["result"]["token"]
    address = f"{fleet.address.replace('http', 'ws', 1)}/auth/v2"
    with connect(address) as stream:
        asked = {"channel": "executions", "token": token, "snap_orders": False}
        stream.send(json.dumps({"method": "subscribe", "params": {**asked, "snap_trades": False}}))
        while json.loads(stream.recv(timeout=10)).get("method") != "subscribe":
            pass
        then()
        deadline = time.monotonic() + (DISTURBED if plan.faults else LONGEST)
        heard = 0
        while time.monotonic() < deadline:
            try:
                message = json.loads(stream.recv(timeout=deadline - time.monotonic()))
            except (TimeoutError, ConnectionClosed):
                return False
            reports = message["data"] if message.get("type") == "update" else []
            heard += sum(r.get("exec_type") == plan.occasion for r in reports)
            if heard >= plan.number:
                return True
    return False
