"""The methods a client may call over a websocket."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox import methods
from sandbox.candles import INTERVALS
from sandbox.connection import Connection, Topic
from sandbox.errors import Refused, printable
from sandbox.gate import TOO_FAST
from sandbox.instruments import BY_SYMBOL
from sandbox.limits import Counter
from sandbox.permissions import require
from sandbox.wire import encode, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.feeds import Feeds
    from sandbox.keys import Key
    from sandbox.venue import Venue

PUBLIC = ("ticker", "book", "trade", "ohlc", "instrument")
PRIVATE = ("executions", "balances")
DEPTHS = (10, 25, 100, 500, 1000)
LARGEST_REQ_ID = 2**63 - 1
WRONG_DOOR = {
    True: "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com",
    False: "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
}
WARNINGS = {
    "executions": [
        "cancel_reason is deprecated, use reason",
        "stop_price is deprecated, use triggers.price",
        "trigger is deprecated use triggers.reference",
        "triggered_price is deprecated use triggers.last_price",
    ],
    "ohlc": ["timestamp is deprecated, use interval_begin"],
    "instrument": ["tick_size is deprecated, use price_increment"],
}
Params = dict[str, Any]
in_order = msgspec.json.Encoder(order="sorted").encode  # as every recorded answer is


class Dialogue:
    """Answers one connection's requests."""

    def __init__(self, venue: Venue, feeds: Feeds, connection: Connection) -> None:
        self._venue = venue
        self._feeds = feeds
        self._connection = connection
        self._method = ""
        self._request: Params = {}
        self._arrived = 0
        self._pace = Counter()

    def hear(self, text: str) -> None:
        """Answer one message."""
        self._arrived = self._venue.sync()
        self._connection.heard = self._venue.clock.waited()
        if not self._venue.gate.hear(self._pace, self._arrived):
            self._connection.send(TOO_FAST)
            return
        self._method, self._request = "", {}
        try:
            self._request = read_request(text)
            self._method = str(self._request.get("method") or "")
            self._dispatch()
        except Refused as refused:
            self._refuse(refused.text)
        finally:
            self._venue.commit(self._arrived)

    def _dispatch(self) -> None:
        params = self._request.get("params") or {}
        if not isinstance(params, dict):
            raise Refused("Unsupported field: 'params' for the given msg type")
        match self._method:
            case "ping":
                if "params" in self._request:
                    raise Refused("Unsupported field: 'params' for the given msg type: ping")
                self._reply({}, method="pong", bare=True)
            case "subscribe" | "unsubscribe":
                self._subscription(params)
            case name if name in methods.METHODS:
                self._trade(methods.METHODS[name], params)
            case _:
                raise Refused("Unsupported event")

    def _stamps(self) -> Params:
        left = self._venue.clock.now()
        made: Params = {"time_in": stamp(self._arrived), "time_out": stamp(left)}
        number = self._request.get("req_id")
        if isinstance(number, int) and 0 <= number <= LARGEST_REQ_ID:
            made["req_id"] = number
        return made

    def _reply(self, result: Any, *, method: str = "", bare: bool = False) -> None:
        body: Params = {"method": method or self._method}
        if not bare:
            told = {"result": result} if self._method != "batch_cancel" else result
            body |= told | {"success": True}
        self._connection.send(in_order(body | self._stamps()))

    def _refuse(self, text: str, **more: Any) -> None:
        body: Params = {"error": text, "method": printable(self._method), "success": False}
        self._connection.send(in_order(body | more | self._stamps()))

    def _key(self, params: Params) -> Key:
        if self._method not in {"subscribe", "unsubscribe"} and "token" not in params:
            raise Refused("Token(s) not found")
        key = self._venue.tokens.owner(params.get("token"), self._arrived)
        if key is None:
            raise Refused("ESession:Invalid session")
        return key

    def _subscription(self, params: Params) -> None:
        channel = params.get("channel")
        if channel in PRIVATE:
            self._subscribe_private(str(channel), params)
        elif channel in PUBLIC:
            self._subscribe_public(str(channel), params)
        else:
            raise Refused(f"Channel not supported {channel}" if channel else "Unsupported event")

    def _subscribe_private(self, channel: str, params: Params) -> None:
        if "private" not in self._connection.opens:
            raise Refused(WRONG_DOOR[False])
        try:
            key = self._key(params)
            require(key.permissions, channel)
        except Refused as refused:
            self._refuse(refused.text, channel=channel, status="error")
            return
        if self._method == "unsubscribe":
            self._unsubscribe_private(channel)
            return
        self._hold(channel, params["token"])
        self._reply(self._private_ack(channel, params))
        wants = {
            "snapshot": params.get("snapshot", True) is not False,
            "orders": _wants(params, "snap_orders", default=True),
            "trades": _wants(params, "snap_trades", default=False),
            "order_status": params.get("order_status", True) is not False,
            "ratecounter": params.get("ratecounter") is True,
        }
        self._venue.commit(self._arrived)
        self._feeds.join_private(self._connection, channel, key.account, wants)

    def _unsubscribe_private(self, channel: str) -> None:
        if Topic(channel) not in self._connection.topics:
            self._refuse("Subscription Not Found", channel=channel)
            return
        self._feeds.leave(self._connection, Topic(channel))
        self._let_go(channel)
        self._reply({"channel": channel})

    def _hold(self, channel: str, token: str) -> None:
        """Let a subscription keep the token alive that it was made with."""
        self._venue.tokens.keep(token)
        self._let_go(channel)
        self._connection.tokens[channel] = token

    def _let_go(self, channel: str) -> None:
        token = self._connection.tokens.pop(channel, None)
        if token is not None:
            self._venue.tokens.release(token)

    def _private_ack(self, channel: str, params: Params) -> Params:
        ack: Params = {"channel": channel}
        if channel == "executions":
            ack["maxratecount"] = int(self._venue.limits.allowance.engine)
        ack["snapshot"] = params.get("snapshot", True) is not False
        if channel in WARNINGS:
            ack["warnings"] = WARNINGS[channel]
        return ack

    def _subscribe_public(self, channel: str, params: Params) -> None:
        if "public" not in self._connection.opens:
            raise Refused(WRONG_DOOR[True])
        if channel == "instrument":
            self._one_topic(Topic(channel), params, {})
            return
        symbols = params.get("symbol") or []
        if not isinstance(symbols, list):
            raise Refused("Symbol field must be an array")
        if not symbols:
            raise Refused("Symbol(s) not found")
        detail, shown = _detail(channel, params)
        for symbol in symbols:
            if not isinstance(symbol, str) or symbol not in BY_SYMBOL:
                name = printable(symbol)
                self._refuse(f"Currency pair not supported {name}", symbol=name)
                continue
            self._one_topic(Topic(channel, symbol, detail), params, shown)

    def _one_topic(self, topic: Topic, params: Params, shown: Params) -> None:
        ack: Params = {"channel": topic.channel} | shown
        if topic.symbol:
            ack["symbol"] = topic.symbol
        named = {"symbol": topic.symbol} if topic.symbol else {}
        if self._method == "unsubscribe":
            if topic not in self._connection.topics:
                self._refuse("Subscription Not Found", **named)
                return
            self._feeds.leave(self._connection, topic)
            self._reply(ack)
            return
        if words := self._hears_already(topic):
            self._refuse(words, **named)
            return
        snapshot = params.get("snapshot", True) is not False
        ack["snapshot"] = snapshot
        if topic.channel in WARNINGS:
            ack["warnings"] = WARNINGS[topic.channel]
        self._reply(ack)
        self._feeds.join(self._connection, topic, snapshot=snapshot)

    def _hears_already(self, topic: Topic) -> str:
        """Say why a topic cannot be heard as well; each symbol is heard in one way a channel."""
        same = topic.channel, topic.symbol
        held = [t for t in self._connection.topics if (t.channel, t.symbol) == same]
        if topic.channel == "ohlc" and held and topic not in held:
            return "Already subscribed to one ohlc interval on this symbol"
        return "Already subscribed" if held else ""

    def _trade(self, act: Callable[..., Any], params: Params) -> None:
        if "private" not in self._connection.opens:
            raise Refused(WRONG_DOOR[False])
        key = self._key(params)
        require(key.permissions, self._method)
        wanted = {"drop_before", "error"}
        fault = self._venue.faults.take(wanted, self._arrived, method=self._method)
        if fault is not None and fault.kind == "drop_before":
            return
        if fault is not None:
            if fault.after:
                act(self._venue, key.account, params, self._arrived)
            raise Refused(fault.text)
        results = act(self._venue, key.account, params, self._arrived)
        if self._venue.recording is not None:
            shown = encode([r.text if isinstance(r, Refused) else r for r in results])
            named = self._method, key.account
            self._venue.recording.call(self._arrived, *named, params, shown)
        for result in results:
            if isinstance(result, Refused):
                self._refuse(result.text)
            else:
                self._reply(result)


def read_request(text: str) -> Params:
    """Read a message, keeping decimals exact."""
    try:
        request = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise Refused("Malformed request") from error
    if not isinstance(request, dict):
        raise Refused("Malformed request")
    return request


def _wants(params: Params, name: str, *, default: bool) -> bool:
    return bool(params.get(name, default)) and params.get("snapshot", True) is not False


def _detail(channel: str, params: Params) -> tuple[str, Params]:
    match channel:
        case "book":
            depth = params.get("depth", 10)
            if isinstance(depth, Decimal | float | bool) or depth not in DEPTHS:
                raise Refused("Subscription depth not supported")
            return str(depth), {"depth": depth}
        case "ohlc":
            interval = params.get("interval", 1)
            if isinstance(interval, Decimal | float | bool) or interval not in INTERVALS:
                raise Refused("Subscription ohlc interval not supported")
            return str(interval), {"interval": interval}
        case "ticker":
            trigger = params.get("event_trigger", "trades")
            if trigger not in ("trades", "bbo"):
                raise Refused("Event trigger not supported")
            return str(trigger), {"event_trigger": trigger}
        case _:
            return "", {}


METHODS = ("ping", "subscribe", "unsubscribe", *methods.METHODS)
