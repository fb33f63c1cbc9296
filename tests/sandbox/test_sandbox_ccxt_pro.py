"""Every watcher of ccxt.pro that speaks to Kraken spot works here, and so does its trading."""

import asyncio

import ccxt.pro
import pytest

SYMBOL = "XRP/USD"
PATIENCE = 10


@pytest.fixture
def watch(request, sandbox):
    """Give a function that runs a conversation with a client of an account of its own."""

    def run(conversation):
        made = sandbox.new_client(request.node.name)
        made.create_order(SYMBOL, "market", "buy", 200)
        api = {"public": sandbox.http, "private": sandbox.http}
        api["ws"] = {
            "public": sandbox.ws,
            "private": sandbox.ws,
            "publicV2": sandbox.ws + "/public/v2",
            "privateV2": sandbox.ws + "/auth/v2",
        }
        keys = {"apiKey": made.apiKey, "secret": made.secret}

        async def whole():
            client = ccxt.pro.kraken({**keys, "enableRateLimit": False, "urls": {"api": api}})
            try:
                return await conversation(client)
            finally:
                await client.close()

        return asyncio.run(whole())

    return run


@pytest.fixture
def later(sandbox):
    """Give a function that lets time pass until something is heard."""

    async def wait(awaitable, seconds=30):
        task = asyncio.ensure_future(awaitable)
        async with asyncio.timeout(PATIENCE):
            while not task.done():
                await asyncio.to_thread(sandbox.advance, seconds)
                await asyncio.wait([task], timeout=0.1)
        return task.result()

    return wait


def test_the_book_is_watched(watch, later):
    async def conversation(client):
        first = (await later(client.watch_order_book(SYMBOL, 10), 0)).copy()
        second = await later(client.watch_order_book(SYMBOL, 10))
        return first, second

    first, second = watch(conversation)
    for book in (first, second):
        assert len(book["bids"]) >= 10
        assert book["bids"][0][0] < book["asks"][0][0]
    assert second["timestamp"] > 0


def test_tickers_are_watched(watch, later):
    async def conversation(client):
        one = await later(client.watch_ticker(SYMBOL))
        many = await later(client.watch_tickers([SYMBOL, "DOGE/USD"]))
        quotes = await later(client.watch_bids_asks([SYMBOL]))
        return one, many, quotes

    one, many, quotes = watch(conversation)
    assert one["low"] <= one["last"] <= one["high"]
    assert many.keys() <= {SYMBOL, "DOGE/USD"}
    assert quotes[SYMBOL]["bid"] < quotes[SYMBOL]["ask"]


def test_trades_are_watched_without_a_gap(watch, later):
    async def conversation(client):
        client.newUpdates = True
        trades = list(await later(client.watch_trades(SYMBOL), 0))
        return trades + list(await later(client.watch_trades(SYMBOL), 60))

    numbers = [int(trade["id"]) for trade in watch(conversation)]
    assert len(numbers) > 50
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_candles_are_watched(watch, later):
    async def conversation(client):
        return list(await later(client.watch_ohlcv(SYMBOL, "1m")))

    candles = watch(conversation)
    assert candles
    for _, first, high, low, last, volume in candles:
        assert low <= min(first, last) <= max(first, last) <= high
        assert volume > 0


def test_the_balance_is_watched(watch, later):
    async def conversation(client):
        before = (await later(client.watch_balance(), 0)).copy()
        waiting = asyncio.ensure_future(client.watch_balance())
        await client.create_order(SYMBOL, "market", "buy", 10)
        return before, await later(waiting, 0)

    before, after = watch(conversation)
    assert before["XRP"]["total"] == 200
    assert after["USD"]["total"] < before["USD"]["total"]


def test_an_order_is_placed_changed_and_cancelled_over_the_websocket(watch):
    async def conversation(client):
        await client.load_markets()
        ticker = await client.fetch_ticker(SYMBOL)
        low = float(client.price_to_precision(SYMBOL, ticker["bid"] * 0.8))
        placed = await client.create_order_ws(SYMBOL, "limit", "buy", 10, low)
        await client.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 12, low)
        amounts = [o["amount"] for o in await client.fetch_open_orders(SYMBOL)]
        await client.cancel_order_ws(placed["id"])
        others = [
            (await client.create_order_ws(SYMBOL, "limit", "buy", 10, low))["id"] for _ in range(3)
        ]
        await client.cancel_orders_ws(others[:1])
        await client.cancel_all_orders_ws()
        return placed, amounts, await client.fetch_open_orders(SYMBOL)

    placed, amounts, left = watch(conversation)
    assert placed["id"].startswith("O")
    assert amounts == [12]
    assert left == []


def test_orders_are_watched_through_their_life(watch, later):
    async def conversation(client):
        await client.load_markets()
        resting = await client.create_order(SYMBOL, "limit", "sell", 50, 90)
        snapshot = list(await later(client.watch_orders(SYMBOL), 0))
        waiting = asyncio.ensure_future(client.watch_orders())
        placed = await client.create_order_ws(SYMBOL, "market", "buy", 10)
        await later(waiting, 0)
        async with asyncio.timeout(PATIENCE):
            while not any(o["id"] == placed["id"] and o["filled"] for o in client.orders):
                await client.fetch_time()
        return resting, snapshot, placed, [o for o in client.orders if o["status"] == "closed"]

    resting, snapshot, placed, closed = watch(conversation)
    assert [(o["id"], o["amount"], o["status"]) for o in snapshot] == [(resting["id"], 50, "open")]
    assert {(order["id"], order["filled"]) for order in closed} == {(placed["id"], 10)}


def test_fills_are_watched(watch, later):
    async def conversation(client):
        fills = list(await later(client.watch_my_trades(SYMBOL), 0))
        task = asyncio.ensure_future(client.watch_my_trades(SYMBOL))
        placed = await client.create_order_ws(SYMBOL, "market", "sell", 20)
        fills += await later(task, 0)
        return placed, fills, await client.fetch_my_trades(SYMBOL)

    placed, fills, kept = watch(conversation)
    assert fills[-1]["order"] == placed["id"]
    assert {fill["id"] for fill in fills} <= {trade["id"] for trade in kept}


def test_refusals_over_the_websocket_arrive_as_the_documented_exceptions(watch):
    async def conversation(client):
        found = []
        for attempt in (
            client.create_order_ws(SYMBOL, "limit", "buy", 900_000, 1.5),
            client.create_order_ws(SYMBOL, "limit", "buy", 0.5, 1.5),
            client.cancel_order_ws("OAAAAA-AAAAA-AAAAAA"),
        ):
            try:
                await asyncio.wait_for(attempt, PATIENCE)
            except ccxt.BaseError as error:
                found.append(type(error))
        return found

    assert watch(conversation) == [ccxt.ExchangeError, ccxt.BadRequest, ccxt.InvalidOrder]


def test_several_markets_are_watched_at_once(watch, later):
    async def conversation(client):
        both = [SYMBOL, "DOGE/USD"]
        books, trades = {}, {}
        while books.keys() != set(both):
            book = await later(client.watch_order_book_for_symbols(both, 10))
            books[book["symbol"]] = (book["bids"][0][0], book["asks"][0][0])
        while trades.keys() != set(both):
            found = await later(client.watch_trades_for_symbols(both))
            trades.update({trade["symbol"]: trade["price"] for trade in found})
        return books, trades

    books, trades = watch(conversation)
    for symbol, (bid, ask) in books.items():
        assert bid < ask
        assert 0.5 * bid < trades[symbol] < 2 * ask


# What is asked of ccxt.pro, and what the order says of itself afterwards; 2.17 is about the price.
WAYS = [
    (("limit", "buy", 10, 1.5), {"clientOrderId": "ws-1"}, "limit 1.50000"),
    (("limit", "buy", 10, 1.5), {"postOnly": True}, "limit 1.50000"),
    (("market", "sell", 10), {"stopLossPrice": 1.5}, "stop loss 1.50000"),
    (
        *(("limit", "sell", 10, 1.4), {"stopLossPrice": 1.5}),
        "stop loss 1.50000 -> limit 1.40000",
    ),
    (("market", "sell", 10), {"takeProfitPrice": 3.5}, "take profit 3.50000"),
    (
        *(("limit", "sell", 10, 3.6), {"takeProfitPrice": 3.5}),
        "take profit 3.50000 -> limit 3.60000",
    ),
    (("market", "sell", 10), {"trailingAmount": 0.5}, "trailing stop +0.50000"),
    (("market", "sell", 10), {"trailingPercent": 10}, "trailing stop +10.0000%"),
    (
        *(("limit", "buy", 10, 1.5), {"stopLoss": {"triggerPrice": 1.2}}),
        "limit 1.50000; close position @ stop loss 1.20000",
    ),
]


def test_every_kind_of_order_is_placed_over_the_websocket(watch):
    async def conversation(client):
        made = []
        for arguments, params, _ in WAYS:
            placed = await client.create_order_ws(SYMBOL, *arguments, params=params)
            made.append(await client.fetch_order(placed["id"]))
        limit = await client.create_limit_order_ws(SYMBOL, "buy", 10, 1.5)
        market = await client.create_market_order_ws(SYMBOL, "sell", 10)
        return made, await client.fetch_orders_by_ids([limit["id"], market["id"]], SYMBOL)

    made, plain = watch(conversation)
    for order, (arguments, params, words) in zip(made, WAYS, strict=True):
        descr = order["info"]["descr"]
        told = "; ".join(filter(None, (descr["order"], descr["close"])))
        assert told == f"{arguments[1]} 10.00000000 XRPUSD @ {words}"
        assert order["clientOrderId"] == params.get("clientOrderId")
        assert bool(order["postOnly"]) == params.get("postOnly", False)
    assert {order["status"] for order in plain} == {"open", "closed"}
