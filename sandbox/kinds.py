"""The kinds of faults there are: what each does, in a sentence, and where it can strike."""

from __future__ import annotations

from typing import Any

KINDS = {
    "drop_before": "the connection is cut, or the message lost, before anything was carried out",
    "drop_after": "the request is carried out and its answer lost",
    "delay_before": "the request is carried out some seconds later",
    "delay": "the request is carried out and answered some seconds later",
    "status": "HTTP answers with a status in place of JSON",
    "truncated": "HTTP 200 with half an answer; the request was carried out",
    "empty": "HTTP 200 with no answer; the request was carried out",
    "short": "HTTP 200 that breaks off before its Content-Length; the request was carried out",
    "error": "the answer is an error of your choice",
    "nonce_race": "a call is held back and overtaken by another that uses the same key",
    "duplicate": "a message comes twice",
    "repeated": "a fill is reported twice, the second time under the next number",
    "missing": "a message never comes",
    "reordered": "a message comes after the next one",
    "late": "a message comes some seconds late",
    "sequence_gap": "a number is left out of executions or balances, no message is",
    "trade_id_gap": "trades are left out of the feed, not out of the history",
    "wrong_checksum": "a book message has the wrong checksum",
    "crossed_book": "a book message has a bid above the best ask, with the right checksum",
    "stall": "messages are swallowed, heartbeats are not",
    "silence": "everything is swallowed, heartbeats too",
    "close": "connections are closed with a code",
    "abort": "connections are cut without a word",
    "token_expiry": "every websocket token becomes invalid",
    "open_orders_lag": "OpenOrders shows an amended order as it was",
    "clock_skew": "the exchange's clock is wrong by some seconds",
    "maintenance": "the exchange is in a mode other than online",
    "rate_limit": "only a share of the rate limits is left",
}
REST = frozenset(
    {"drop_before", "drop_after", "delay_before", "delay", "status", "truncated", "empty", "error"}
    | {"short"}
)
PRIVATE = REST | {"nonce_race"}
MESSAGES = frozenset(
    {"duplicate", "missing", "reordered", "late", "sequence_gap", "trade_id_gap", "wrong_checksum"}
    | {"repeated", "stall", "silence", "delay", "drop_after"}
)
SUDDEN = frozenset({"close", "abort", "token_expiry"})
STANDING = frozenset({"clock_skew", "maintenance", "rate_limit"})
# Names for a kind with its particulars, which may still be given otherwise.
SHORT: dict[str, dict[str, Any]] = {
    "502": {"kind": "status", "status": 502},
    "520": {"kind": "status", "status": 520, "after": True},
    "524": {"kind": "status", "status": 524, "after": True},
    "unavailable": {"kind": "error", "text": "EService:Unavailable", "after": True},
    "internal_error": {"kind": "error", "text": "EGeneral:Internal error", "after": True},
    "going_away": {"kind": "close", "code": 1001},
    "restart": {"kind": "close", "code": 1012},
}
GROUPS = {
    "Requests": sorted(PRIVATE),
    "Requests, by a short name": [name for name in SHORT if SHORT[name]["kind"] in PRIVATE],
    "Websocket messages": sorted((MESSAGES - PRIVATE) | {"crossed_book"}),
    "Everybody at once": sorted(SUDDEN | STANDING | {"open_orders_lag"}),
    "Everybody, by a short name": [name for name in SHORT if SHORT[name]["kind"] in SUDDEN],
}
_PARTICULARS = {
    "status": ("status", "after"),
    "error": ("text", "after"),
    "close": ("code",),
    "maintenance": ("mode",),
    "rate_limit": ("share",),
}
_TIMED = frozenset({"delay_before", "delay", "nonce_race", "late", "open_orders_lag", "clock_skew"})


def takes(kind: str) -> list[str]:
    """List what matters to a fault of a kind, besides its kind."""
    where: tuple[str, ...] = ("method",) if kind in PRIVATE else ()
    if kind in SUDDEN - {"token_expiry"} or (kind in MESSAGES and kind not in PRIVATE):
        where = ("channel", "symbol")
    elif kind == "crossed_book":
        where = ("symbol",)
    particulars = (*_PARTICULARS.get(kind, ()), *(("seconds",) if kind in _TIMED else ()))
    often = () if kind in STANDING else ("times", "chance", "skip")
    again = ("every",) if kind in SUDDEN else ()
    return [*where, *particulars, *often, *again, "from", "for"]
