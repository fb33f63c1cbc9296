"""The REST doors: envelope, signature and nonce around the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import elsewhere, key_info, past_data, private_data, private_trading, public_data
from sandbox.bodies import read_form
from sandbox.errors import Refused, printable
from sandbox.keys import Key, authenticate
from sandbox.permissions import require
from sandbox.venue import Venue
from sandbox.wire import encode

UNKNOWN = "EGeneral:Unknown method"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
WRONG = "EGeneral:Invalid arguments"  # also to GET where POST is wanted: ccxt issue 7423
Private = Callable[[Venue, Key, dict[str, Any], int], Any]
PRIVATE: dict[str, Private] = {
    "Balance": private_data.balance,
    "BalanceEx": private_data.balance_extended,
    "TradeBalance": private_data.trade_balance,
    "TradeVolume": private_data.trade_volume,
    "OpenOrders": private_data.open_orders,
    "ClosedOrders": past_data.closed_orders,
    "OrderAmends": past_data.order_amends,
    "QueryOrders": private_data.query_orders,
    "TradesHistory": past_data.trades_history,
    "QueryTrades": past_data.query_trades,
    "Ledgers": past_data.ledgers,
    "QueryLedgers": past_data.query_ledgers,
    "GetWebSocketsToken": key_info.websockets_token,
    "GetApiKeyInfo": key_info.api_key_info,
    "AddOrder": private_trading.add_order,
    "AddOrderBatch": private_trading.add_order_batch,
    "AmendOrder": private_trading.amend_order,
    "EditOrder": private_trading.edit_order,
    "CancelOrder": private_trading.cancel_order,
    "CancelOrderBatch": private_trading.cancel_order_batch,
    "CancelAll": private_trading.cancel_all,
    "CancelAllOrdersAfter": private_trading.cancel_all_after,
    **elsewhere.METHODS,
}


def answer_public(venue: Venue, name: str, query: dict[str, str], address: str = "") -> bytes:
    """Answer a request for public data that came from an address."""
    method = public_data.METHODS.get(name)
    if method is None:
        return refusal(UNKNOWN)
    now = venue.sync()
    try:
        venue.gate.ask(address, now)
        body = encode({"error": [], "result": method(venue, now, query)})
    except Refused as refused:
        body = refusal(refused.text)
    if venue.recording is not None:
        venue.recording.call(now, name, None, query, body)
    return body


def answer_private(
    venue: Venue, name: str, headers: dict[str, str], body: bytes, address: str = ""
) -> bytes:
    """Answer a signed request that came from an address; it is kept before it is answered."""
    now = venue.sync()
    form: dict[str, Any] = {}
    key: Key | None = None
    try:
        form = read_form(body)
        signed = headers.get("api-key", ""), headers.get("api-sign", "")
        nonce = str(form.get("nonce", ""))
        key = _identify(venue, signed, (f"/0/private/{name}", nonce, body), address, now)
        venue.touched[key.name] = key
        require(key.permissions, name)
        venue.limits.call(key.name, name, now)
        method = PRIVATE.get(name, _unknown)
        answer = encode({"error": [], "result": method(venue, key, form, now)})
        key.used = now
    except Refused as refused:
        answer = refusal(refused.text)
    finally:
        venue.commit(now)
    if venue.recording is not None:
        account = None if key is None else key.account
        venue.recording.call(now, printable(name), account, form, answer)
    return answer


def _identify(
    venue: Venue,
    signed: tuple[str, str],
    message: tuple[str, str, bytes],
    address: str,
    now: int,
) -> Key:
    """Find whose request it is, unless the key or the address is locked out."""
    name, _ = signed
    at, by = f"at {address}", f"by {name}"
    venue.gate.check_lock(at, by, now=now, anew="" if name in venue.keys else at)
    try:
        key = authenticate(venue.keys, signed, *message)
    except Refused:
        venue.gate.fail(by if name in venue.keys else at, now)
        raise
    venue.gate.succeed(at, by)
    return key


def _unknown(_venue: Venue, _key: Key, _form: dict[str, Any], _now: int) -> Any:
    raise Refused(UNKNOWN)


def refusal(text: str) -> bytes:
    """Write the envelope of an error; where an answer was recorded, the result is null."""
    return encode({"error": [text], "result": None} if text == UNKNOWN_PAIR else {"error": [text]})
