"""The shapes of the exchange's WebSocket v2 messages; numbers keep every digit sent."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal  # noqa: TC003 - msgspec reads the types of the fields
from typing import Annotated, Any

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Message(msgspec.Struct):
    """Any message: a channel's data, or the answer to a request."""

    channel: str | None = None
    type: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"[]")
    sequence: int | None = None
    method: str | None = None
    success: bool | None = None
    error: str | None = None
    time_out: Moment | None = None


class BookLevel(msgspec.Struct):
    """One price; a quantity of zero takes it away."""

    price: Decimal
    qty: Decimal


class BookUpdate(msgspec.Struct):
    """Levels of one symbol that changed, and the checksum of the book after them."""

    symbol: str
    bids: list[BookLevel]
    asks: list[BookLevel]
    checksum: int
    timestamp: Moment | None = None


class TradeRow(msgspec.Struct):
    """One public trade."""

    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: Moment


class TickerRow(msgspec.Struct):
    """A day of one symbol in figures; volume in the base currency, of the last 24 hours."""

    symbol: str
    last: Decimal
    volume: Decimal
    vwap: Decimal
    low: Decimal
    high: Decimal
    timestamp: Moment | None = None


class PairRow(msgspec.Struct):
    """What orders of one symbol have to be like, and whether they are taken now."""

    symbol: str
    status: str
    price_precision: int
    qty_precision: int
    cost_precision: int
    qty_min: Decimal
    cost_min: Decimal


class _Instruments(msgspec.Struct):
    pairs: list[PairRow]


class Status(msgspec.Struct):
    """The state of the exchange's engine."""

    system: str


_message = msgspec.json.Decoder(Message)
_books = msgspec.json.Decoder(list[BookUpdate])
_trades = msgspec.json.Decoder(list[TradeRow])
_tickers = msgspec.json.Decoder(list[TickerRow])
_instruments = msgspec.json.Decoder(_Instruments)
_statuses = msgspec.json.Decoder(list[Status])


def read(text: str | bytes) -> Message:
    """Read the outside of a message.

    Raises:
        msgspec.DecodeError: It is not JSON, or not of this shape.
        RecursionError: It is nested deeper than anything the exchange says.
    """
    return _message.decode(text)


def books(message: Message) -> list[BookUpdate]:
    """Read what a book message holds; raises msgspec.DecodeError as read does."""
    return _books.decode(message.data)


def trades(message: Message) -> list[TradeRow]:
    """Read what a trade message holds; raises msgspec.DecodeError as read does."""
    return _trades.decode(message.data)


def tickers(message: Message) -> list[TickerRow]:
    """Read what a ticker message holds; raises msgspec.DecodeError as read does."""
    return _tickers.decode(message.data)


def pairs(message: Message) -> list[PairRow]:
    """Read which symbols an instrument message describes; raises as read does."""
    return _instruments.decode(message.data).pairs


def statuses(message: Message) -> list[Status]:
    """Read what a status message holds; raises msgspec.DecodeError as read does."""
    return _statuses.decode(message.data)


def request(
    method: str, channel: str, symbols: list[str], depth: int | None, request_id: int
) -> str:
    """Spell a subscription, or its end; the instrument channel knows no symbols."""
    params: dict[str, Any] = {"channel": channel}
    if channel != "instrument":
        params["symbol"] = symbols
    if depth is not None:
        params["depth"] = depth
    if method == "subscribe":
        params["snapshot"] = True
    return json.dumps({"method": method, "params": params, "req_id": request_id})


def ping(request_id: int) -> str:
    """Spell the question that the exchange answers with its time."""
    return json.dumps({"method": "ping", "req_id": request_id})


class Fee(msgspec.Struct):
    """What was taken, and in which asset."""

    asset: str
    qty: Decimal


class ExecutionRow(msgspec.Struct):
    """Something that happened to an order of ours; most fields come with some events only."""

    exec_type: str
    order_id: str
    timestamp: Moment
    order_status: str | None = None
    cl_ord_id: str | None = None
    exec_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    cum_qty: Decimal | None = None
    liquidity_ind: str | None = None
    fees: list[Fee] = []
    reason: str | None = None


class BalanceRow(msgspec.Struct):
    """What is left of an asset."""

    asset: str
    balance: Decimal
    timestamp: Moment | None = None


_executions = msgspec.json.Decoder(list[ExecutionRow])
_balances = msgspec.json.Decoder(list[BalanceRow])


def executions(message: Message) -> list[ExecutionRow]:
    """Read what an executions message holds; raises msgspec.DecodeError as read does."""
    return _executions.decode(message.data)


def balances(message: Message) -> list[BalanceRow]:
    """Read what a balances message holds; raises msgspec.DecodeError as read does."""
    return _balances.decode(message.data)


def private_request(channel: str, token: str, request_id: int) -> str:
    """Spell the subscription of a private channel with all its snapshots."""
    params: dict[str, Any] = {"channel": channel, "token": token}
    if channel == "executions":
        params |= {"snap_orders": True, "snap_trades": True, "order_status": True}
    else:
        params["snapshot"] = True
    return json.dumps({"method": "subscribe", "params": params, "req_id": request_id})
