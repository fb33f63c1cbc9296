"""The python-kraken-sdk works here unmodified; its own order book agrees with every checksum."""

import asyncio

import kraken.base_api
import pytest
from kraken import exceptions
from kraken.spot import Market, SpotOrderBookClient, SpotWSClient, Trade, User

PATIENCE = 15


@pytest.fixture
def account(request, sandbox):
    """Give the keys of a new account, for any client of the SDK."""
    made = sandbox.new_client(request.node.name)
    return {"key": made.apiKey, "secret": made.secret}


@pytest.fixture
def market(sandbox):
    """Give the SDK's client of public data."""
    return Market(url=sandbox.http)


@pytest.fixture
def trade(sandbox, account):
    """Give the SDK's client that trades."""
    return Trade(**account, url=sandbox.http)


@pytest.fixture
def user(sandbox, account):
    """Give the SDK's client of account data."""
    return User(**account, url=sandbox.http)


def low(market):
    bid = market.get_ticker(pair="XRPUSD")["XXRPZUSD"]["b"][0]
    return round(float(bid) * 0.8, 5)


def test_the_market_is_read(market):
    assert market.get_assets(assets=["XRP", "DOGE"]).keys() == {"XXRP", "XXDG"}
    assert market.get_asset_pairs(pair="DOGE/USD")["DOGE/USD"]["altname"] == "XDGUSD"
    assert len(market.get_ohlc(pair="XRPUSD", interval=5)["XXRPZUSD"]) == 720
    assert len(market.get_order_book(pair="XRPUSD", count=20)["XXRPZUSD"]["asks"]) == 20
    assert len(market.get_recent_trades(pair="XRPUSD", count=30)["XXRPZUSD"]) == 30
    assert market.get_system_status()["status"] == "online"
    spreads = market.get_recent_spreads(pair="XRPUSD")["XXRPZUSD"]
    assert all(float(bid) < float(ask) for _, bid, ask in spreads)


def test_orders_live_and_die(market, trade, user):
    price = low(market)
    placed = trade.create_order(
        ordertype="limit", side="buy", pair="XRP/USD", volume=10, price=price, cl_ord_id="sdk-1"
    )
    (txid,) = placed["txid"]
    amended = trade.amend_order(txid=txid, order_qty=12, limit_price=price)
    history = user.get_order_amends(order_id=txid)
    assert history["amends"][-1]["amend_id"] == amended["amend_id"]
    assert [row["amend_type"] for row in history["amends"]] == ["original", "user"]
    assert user.get_open_orders()["open"][txid]["vol"] == "12.00000000"
    assert trade.cancel_order(txid=txid)["count"] == 1

    info = user.get_orders_info(txid=txid, trades=True)[txid]
    assert (info["status"], info["cl_ord_id"]) == ("canceled", "sdk-1")
    assert txid in user.get_closed_orders()["closed"]
    batch = [
        {"type": "buy", "ordertype": "limit", "volume": 10, "price": price, "userref": n}
        for n in (1, 2)
    ]
    made = trade.create_order_batch(orders=batch, pair="XRPUSD", validate=False)["orders"]
    assert trade.cancel_order_batch(orders=[leg["txid"] for leg in made])["count"] == 2
    assert trade.cancel_all_orders_after_x(60)["triggerTime"]
    assert trade.cancel_all_orders()["count"] == 0


def test_an_edited_order_is_another_order(market, trade, user):
    price = low(market)
    made = trade.create_order(
        ordertype="limit", side="buy", pair="XRPUSD", volume=10, price=price, userref=4
    )
    edited = trade.edit_order(txid=made["txid"][0], pair="XRPUSD", volume=15, price=price)

    assert edited["originaltxid"] == made["txid"][0]
    assert (edited["status"], edited["orders_cancelled"]) == ("ok", 1)
    assert user.get_open_orders()["open"][edited["txid"]]["vol"] == "15.00000000"
    old = user.get_orders_info(txid=made["txid"][0])[made["txid"][0]]
    assert old["status"] == "canceled"


def test_the_account_is_read(trade, user):
    trade.create_order(ordertype="market", side="buy", pair="XRPUSD", volume=50)
    history = user.get_trades_history()
    (txid,) = history["trades"]
    assert user.get_trades_info(txid=txid)[txid]["vol"] == "50.00000000"
    assert user.get_account_balance()["XXRP"] == "50.00000000"
    assert float(user.get_balances()["ZUSD"]["balance"]) < 10000
    assert user.get_balance(currency="XRP")["available_balance"] == 50
    ledger = user.get_ledgers_info(asset="ZUSD")["ledger"]
    entry = next(iter(ledger))
    assert user.get_ledgers(id_=entry)[entry]["type"] == "trade"
    assert user.get_trade_volume(pair="XRPUSD")["fees"]["XXRPZUSD"]["fee"] == "0.2000"
    worth = user.get_trade_balance(asset="ZUSD")
    assert 9500 < float(worth["eb"]) < 10000
    assert worth["tb"] == worth["mf"]


def test_refusals_arrive_as_the_sdks_exceptions(sandbox, market, trade, account):
    price = low(market)

    def place(**more):
        wanted = {"ordertype": "limit", "side": "buy", "pair": "XRPUSD", "price": price}
        trade.create_order(**{**wanted, "volume": 10, **more})

    with pytest.raises(exceptions.KrakenInsufficientFundsError):
        place(volume=100_000)
    with pytest.raises(exceptions.KrakenCostMinimumNotMetError):
        place(volume=2, price=0.1)
    with pytest.raises(exceptions.KrakenInvalidArgumentsError):
        place(volume=0.1)
    with pytest.raises(exceptions.KrakenUnknownAssetError):
        place(pair="NOPE")
    with pytest.raises(exceptions.KrakenDeadlineElapsedError):
        place(deadline="2020-01-01T00:00:00Z")
    with pytest.raises(exceptions.KrakenInvalidOrderError):
        trade.cancel_order(txid="OAAAAA-AAAAA-AAAAAA")
    with pytest.raises(exceptions.KrakenInvalidAPIKeyError):
        User(key="nobody", secret="AAAA", url=sandbox.http).get_account_balance()
    with pytest.raises(exceptions.KrakenInvalidSignatureError):
        User(key=account["key"], secret="AAAA", url=sandbox.http).get_account_balance()


@pytest.mark.parametrize(("symbol", "depth"), [("XRP/USD", 10), ("DOGE/USD", 25)])
def test_its_own_order_book_finds_every_checksum_right(sandbox, monkeypatch, symbol, depth):
    monkeypatch.setattr(kraken.base_api.SpotClient, "URL", sandbox.http)
    monkeypatch.setattr(SpotOrderBookClient, "WS_URL", sandbox.ws + "/public")
    monkeypatch.setattr(SpotWSClient, "WS_URL", sandbox.ws + "/public")
    verdicts = []

    async def conversation():
        heard = asyncio.Event()

        class Listener(SpotOrderBookClient):
            async def on_book_update(self, pair, message):
                assert "error" not in message
                if message["type"] == "update":
                    verdicts.append(self.get(pair)["valid"])
                heard.set()

        client = Listener(depth=depth)
        await client.start()
        await client.add_book([symbol])
        async with asyncio.timeout(PATIENCE):
            while len(verdicts) < 40:
                heard.clear()
                await asyncio.to_thread(sandbox.advance, 3)
                await heard.wait()
        await client.remove_book([symbol])
        await client.close()

    asyncio.run(conversation())
    assert verdicts
    assert all(verdicts)


def test_its_websocket_trades_and_hears_of_it(sandbox, account):
    heard = []

    async def conversation():
        done = asyncio.Event()

        async def listen(message):
            heard.append(message)
            mine = [m for m in heard if m.get("channel") == "executions" and m.get("data")]
            kinds = {m["data"][0]["exec_type"] for m in mine}
            if {"filled", "canceled"} <= kinds:
                done.set()
            if message.get("method") == "subscribe":
                subscribed.set()

        subscribed = asyncio.Event()
        client = SpotWSClient(
            **account,
            callback=listen,
            no_public=True,
            rest_url=sandbox.http,
            auth_ws_url=sandbox.ws + "/auth",
        )
        await client.start()
        async with asyncio.timeout(PATIENCE):
            await client.subscribe(params={"channel": "executions"})
            await subscribed.wait()
            order = {"symbol": "XRP/USD", "side": "buy", "order_qty": 20}
            await client.send_message(
                {"method": "add_order", "params": {**order, "order_type": "market"}}
            )
            await client.send_message(
                {
                    "method": "add_order",
                    "params": {**order, "order_type": "limit", "limit_price": 0.5},
                }
            )
            await client.send_message({"method": "cancel_all"})
            await done.wait()
        await client.close()

    asyncio.run(conversation())
    sequences = [m["sequence"] for m in heard if "sequence" in m]
    assert sequences == list(range(1, len(sequences) + 1))


def test_what_the_account_has_none_of_is_said_to_be_none(user):
    assert user.get_open_positions() == []
    assert user.get_export_report_status(report="trades") == []


def test_what_no_key_may_raises_the_sdks_own_exception(user):
    for call in (
        lambda: user.request_export_report(report="trades", description="mine"),
        lambda: user.delete_export_report(id_="GCAT", type_="delete"),
        lambda: user.create_subaccount(username="more", email="more@example.com"),
        lambda: user.account_transfer(asset="XRP", amount=1, from_="A", to_="B"),
    ):
        with pytest.raises(exceptions.KrakenPermissionDeniedError):
            call()
    assert user.retrieve_export(id_="GCAT").json()["error"] == ["EGeneral:Permission denied"]
