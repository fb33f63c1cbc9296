"""How fast the sandbox is, how much memory it takes, and whether a kill makes it forget."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import ccxt
import psutil

from ops.bench.caller import Caller, ask
from ops.bench.exchange import Sandbox, running
from ops.bench.figures import Figure
from ops.bench.kills import campaign
from ops.bench.reader import Heard, Reader

if TYPE_CHECKING:
    from ops.bench.figures import Plan

SYMBOLS = ["XRP/USD", "DOGE/USD", "BTC/USD"]
RICH = ("--balance", "USD=1000000000", "--balance", "XRP=1000000000", "--fees", "8")
FAST = "20000"
PASSING = 600  # seconds, which bring about a thousand messages
BEGIN = ("--start", "2026-03-01T00:00:00Z")
MEBIBYTE = 1 << 20
MARKET = {"pair": "XRPUSD", "ordertype": "market", "volume": "5"}
RESTING = {"pair": "XRPUSD", "ordertype": "limit", "volume": "5", "price": "0.5", "type": "buy"}


def measure(plan: Plan) -> list[Figure]:
    """Measure a fresh sandbox in a process of its own, over real sockets."""
    return [
        *_books(plan),
        *_orders(plan),
        *asyncio.run(_reports(plan)),
        *_memory(plan),
        _kills(plan),
    ]


def _books(plan: Plan) -> list[Figure]:
    seconds = 3.0 if plan.quick else 10.0
    with running("--speed", FAST, "--seed", str(plan.seed), *BEGIN) as sandbox:
        heard, busy = asyncio.run(_listen(sandbox, seconds))
    how = (
        f"three books of depth 10 at --speed {FAST} over one websocket for {seconds:g} s,"
        f" {heard.size / heard.messages:.0f} bytes a message, every checksum computed by the client"
    )
    return [
        Figure(
            name="book updates to one client",
            value=heard.rate,
            unit="messages/s",
            goal=20_000.0,
            how=how,
        ),
        Figure(
            name="book updates in a second of the sandbox's processor",
            value=heard.messages / busy,
            unit="messages",
            how=f"the same, by the {busy:.1f} s that its process had of a processor",
        ),
        Figure(
            name="book updates with a wrong checksum",
            value=float(heard.wrong),
            unit=f"of {heard.messages}",
            goal=0.0,
            at_most=True,
            how=how,
        ),
    ]


async def _listen(sandbox: Sandbox, seconds: float) -> tuple[Heard, float]:
    """Listen to books and tell what was heard, and the seconds it took of the processor."""
    process = psutil.Process(sandbox.pid)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sandbox.websocket}/public/v2", max_msg_size=0) as socket,
    ):
        reader = Reader(socket, 10)
        await reader.subscribe(SYMBOLS)
        await reader.read(messages=5_000, seconds=seconds)
        before = sum(process.cpu_times()[:2])
        heard = await reader.read(messages=10**9, seconds=seconds)
        return heard, sum(process.cpu_times()[:2]) - before


def _orders(plan: Plan) -> list[Figure]:
    count = 500 if plan.quick else 3000
    with running("--seed", str(plan.seed), *RICH) as sandbox:
        caller = Caller(sandbox.http, "bench")
        raw = _through_socket(caller, count)
        caller.close()
        unmodified = _through_ccxt(sandbox, count // 2)
    mixed = "market orders and resting orders that are cancelled, in turn"
    return [
        Figure(
            name="signed orders from one client, raw",
            value=raw,
            unit="requests/s",
            goal=500.0,
            how=f"{count} requests one after another over one socket, no limits: {mixed}",
        ),
        Figure(
            name="signed orders from one client, ccxt",
            value=unmodified,
            unit="requests/s",
            goal=500.0,
            how=f"{count // 2} requests by unmodified ccxt, whose own work is part of it: {mixed}",
        ),
    ]


def _side(number: int) -> str:
    return "sell" if number % 2 else "buy"


def _through_socket(caller: Caller, count: int) -> float:
    began, placed = time.perf_counter(), ""
    for number in range(count):
        match number % 3:
            case 0:
                answer = caller.call("AddOrder", **MARKET, type=_side(number))
            case 1:
                answer = caller.call("AddOrder", **RESTING)
                placed = answer["result"]["txid"][0]
            case _:
                answer = caller.call("CancelOrder", txid=placed)
        if answer["error"]:
            raise AssertionError(answer["error"])
    return count / (time.perf_counter() - began)


def _through_ccxt(sandbox: Sandbox, count: int) -> float:
    minted = ask(f"{sandbox.http}/admin/keys", {"account": "bench"})
    client = ccxt.kraken(
        {
            "apiKey": minted["key"],
            "secret": minted["secret"],
            "enableRateLimit": False,
            "urls": {"api": {"public": sandbox.http, "private": sandbox.http}},
        }
    )
    client.load_markets()
    began, placed = time.perf_counter(), ""
    for number in range(count):
        match number % 3:
            case 0:
                client.create_order("XRP/USD", "market", _side(number), 5)
            case 1:
                placed = client.create_order("XRP/USD", "limit", "buy", 5, 0.5)["id"]
            case _:
                client.cancel_order(placed)
    return count / (time.perf_counter() - began)


async def _reports(plan: Plan) -> list[Figure]:
    """Time orders from the moment they are sent until their fill is heard of."""
    count = 300 if plan.quick else 3000
    with (
        tempfile.TemporaryDirectory() as folder,
        running("--seed", str(plan.seed), "--state", f"{folder}/state", *RICH) as sandbox,
    ):
        caller = Caller(sandbox.http, "bench")
        token = caller.call("GetWebSocketsToken")["result"]["token"]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{sandbox.websocket}/auth/v2") as socket,
        ):
            params = {"channel": "executions", "token": token}
            await socket.send_json({"method": "subscribe", "params": params})
            waited = [await _one_report(caller, socket, number) for number in range(count)]
        caller.close()
    waited = sorted(waited[count // 10 :])
    worst = waited[int(len(waited) * 0.99)]
    how = (
        f"{len(waited)} market orders one at a time over REST, kept in a state file, from the"
        " client's send to the fill on its private websocket; the median is"
        f" {1000 * statistics.median(waited):.2f} ms"
    )
    return [
        Figure(
            name="acceptance to execution report, p99",
            value=1000 * worst,
            unit="ms",
            goal=5.0,
            at_most=True,
            how=how,
        )
    ]


async def _one_report(caller: Caller, socket: Any, number: int) -> float:
    name = f"bench-{number}"
    began = time.perf_counter()
    caller.send("AddOrder", {**MARKET, "type": _side(number), "cl_ord_id": name})
    while True:
        text = await socket.receive_str()
        if '"exec_type":"trade"' in text and name in text:
            waited = time.perf_counter() - began
            break
    answer = caller.receive()
    if answer["error"]:
        raise AssertionError(answer["error"])
    return waited


def _memory(plan: Plan) -> list[Figure]:
    warm, count = (30_000, 40_000) if plan.quick else (400_000, 1_000_000)
    options = ("--clock", "simulated", "--seed", str(plan.seed), *BEGIN, *RICH)
    with running(*options) as sandbox:
        growth, end, orders = asyncio.run(_soak(sandbox, warm, count))
    how = (
        f"private memory of the process after {warm:,} book messages and after {count:,} more,"
        f" with {orders:,} market orders among them; {end:.0f} MiB at the end"
    )
    return [
        Figure(
            name="growth of memory",
            value=growth,
            unit="MiB",
            goal=10.0,
            at_most=True,
            how=how,
        )
    ]


async def _soak(sandbox: Sandbox, warm: int, count: int) -> tuple[float, float, int]:
    process = psutil.Process(sandbox.pid)
    caller = Caller(sandbox.http, "bench")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sandbox.websocket}/public/v2", max_msg_size=0) as socket,
    ):
        reader = Reader(socket, 10)
        await reader.subscribe(SYMBOLS)
        await _trade_and_read(sandbox.http, caller, reader, warm)
        before = process.memory_full_info().uss
        orders = await _trade_and_read(sandbox.http, caller, reader, count)
        after = process.memory_full_info().uss
    caller.close()
    return (after - before) / MEBIBYTE, after / MEBIBYTE, orders


async def _trade_and_read(http: str, caller: Caller, reader: Reader, messages: int) -> int:
    """Let time pass as fast as it is listened to, with an order every few minutes of it."""
    heard = orders = 0
    while heard < messages:
        ask(f"{http}/admin/clock/advance", {"seconds": PASSING})
        heard += await reader.drain()
        caller.call("AddOrder", **MARKET, type=_side(orders))
        orders += 1
    return orders


def _kills(plan: Plan) -> Figure:
    kills = plan.runs or (3 if plan.quick else 100)
    with tempfile.TemporaryDirectory() as folder:
        known = campaign(kills, plan.seed, Path(folder) / "state")
    return Figure(
        name="orders, fills and sums lost or doubled by kill -9",
        value=float(len(known.faults)),
        unit="faults",
        goal=0.0,
        at_most=True,
        how=(
            f"{known.kills} kills in the midst of {known.asked} requests; afterwards"
            f" {len(known.orders)} acknowledged orders, {len(known.fills)} fills and the ledger"
            f" were compared with what was said before{_first(known.faults)}"
        ),
    )


def _first(faults: list[str]) -> str:
    return f"; the first fault: {faults[0]}" if faults else ""
