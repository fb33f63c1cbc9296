"""The exchange's answers, read from their raw text: what was said and what it proves.

A client library's exceptions are too coarse for money: they call a nonce error a network
error and an accepted order's lost answer a refusal. So the text itself is read here, with
exact numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any

from market.errors import ExchangeRefused, ExchangeUnreachable
from market.instruments import Side
from trader.errors import OutcomeUnknown
from trader.orders import Filled, ListedFill, ListedOrder

OK = 200
# Errors that the exchange gives before an order can reach its engine.
NEVER_PLACED = (
    "EOrder:",
    "EQuery:",
    "EAPI:",
    "EGeneral:Invalid arguments",
    "EGeneral:Permission denied",
    "EGeneral:Temporary lockout",
    "EGeneral:Too many requests",
    "EGeneral:Unknown method",
    "EService:Market in",
    "EService: Throttled",
    "EService:Throttled",
)
# The exception: an earlier attempt under the same id is resting.
ALREADY_THERE = "cl_ord_id not unique"
# Errors that answer a question with "not now" rather than "no".
ASK_AGAIN = ("EService", "EGeneral:Internal", "EDatabase", "EAPI:Rate limit", "EGeneral:Too many")
NOT_OPEN = ("EOrder:Unknown order", "EOrder:Invalid order")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for a request: its HTTP status and text, or nothing at all."""

    status: int | None
    text: str


def read(answer: Answer) -> Any:
    """Return the result of a question that changed nothing.

    Raises:
        ExchangeUnreachable: There is no usable answer now.
        ExchangeRefused: The answer is no.
    """
    try:
        result, errors = _open(answer)
    except OutcomeUnknown as unknown:
        raise ExchangeUnreachable(str(unknown)) from None
    if not errors:
        return result
    said = ", ".join(errors)
    if any(error.startswith(ASK_AGAIN) for error in errors):
        raise ExchangeUnreachable(f"the exchange cannot answer now: {said}")
    raise ExchangeRefused(f"the exchange refused: {said}")


def read_order(answer: Answer) -> str:
    """Return the exchange's id of the order that was placed.

    Raises:
        ExchangeRefused: The order was certainly not placed.
        OutcomeUnknown: Nothing proves whether it was.
    """
    result, errors = _open(answer)
    if errors:
        said = ", ".join(errors)
        refused = all(e.startswith(NEVER_PLACED) and ALREADY_THERE not in e for e in errors)
        raise ExchangeRefused(said) if refused else OutcomeUnknown(said)
    match result:
        case {"txid": [str(exchange_id), *_]} if exchange_id:
            return exchange_id
    raise OutcomeUnknown(f"the answer names no order: {answer.text[:200]!r}")


def read_amend(answer: Answer) -> bool:
    """Return whether the exchange changed the order as asked, rather than left it as it was.

    Raises:
        ExchangeUnreachable: Nothing proves either.
    """
    _result, errors = _open_change(answer)
    if not errors:
        return True
    if all(error.startswith(NEVER_PLACED) for error in errors):
        return False
    raise ExchangeUnreachable(f"nothing proves what became of the change: {', '.join(errors)}")


def read_cancel(answer: Answer) -> bool:
    """Return whether an order was open and is cancelled now, rather than not open at all.

    Raises:
        ExchangeUnreachable: Nothing proves either.
        ExchangeRefused: The exchange will not cancel for us.
    """
    result, errors = _open_change(answer)
    if not errors:
        match result:
            case {"count": count}:
                return int(count) > 0
        raise ExchangeUnreachable(f"the answer counts nothing: {answer.text[:200]!r}")
    if all(error.startswith(NOT_OPEN) for error in errors):
        return False
    said = ", ".join(errors)
    if any(error.startswith(ASK_AGAIN) for error in errors):
        raise ExchangeUnreachable(f"the exchange cannot answer now: {said}")
    raise ExchangeRefused(f"the exchange refused to cancel: {said}")


def moment(seconds: Any) -> datetime:
    """Read a time in seconds since 1970, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=int(Decimal(str(seconds)) * 1_000_000))


def listed_order(exchange_id: str, row: dict[str, Any], symbols: dict[str, str]) -> ListedOrder:
    """Read an order of OpenOrders or ClosedOrders; symbols by any of the exchange's names."""
    client_id = row.get("cl_ord_id")
    closed = row.get("closetm")
    return ListedOrder(
        exchange_id=exchange_id,
        client_order_id=client_id.replace("-", "") if client_id else None,
        symbol=symbols.get(row["descr"]["pair"], row["descr"]["pair"]),
        side=Side(row["descr"]["type"]),
        quantity=Decimal(row["vol"]),
        executed=Decimal(row["vol_exec"]),
        status=row["status"],
        reason=row.get("reason") or "",
        opened_at=moment(row["opentm"]),
        closed_at=moment(closed) if closed else None,
    )


def listed_fill(exec_id: str, row: dict[str, Any], symbols: dict[str, str]) -> ListedFill:
    """Read a trade of TradesHistory."""
    return ListedFill(
        exchange_id=row["ordertxid"],
        symbol=symbols.get(row["pair"], row["pair"]),
        side=Side(row["type"]),
        fill=Filled(
            at=moment(row["time"]),
            exec_id=exec_id,
            quantity=Decimal(row["vol"]),
            price=Decimal(row["price"]),
            cost=Decimal(row["cost"]),
            fee=Decimal(row["fee"]),
            liquidity="maker" if row.get("maker") else "taker",
            exchange_id=row["ordertxid"],
        ),
    )


def exact(text: Any) -> Decimal:
    """Read an amount that the exchange states as text."""
    return Decimal(str(text))


def _open(answer: Answer) -> tuple[Any, list[str]]:
    if answer.status is None:
        raise OutcomeUnknown(answer.text or "no answer")
    if answer.status != OK:
        raise OutcomeUnknown(f"HTTP {answer.status} instead of an answer")
    try:
        body = json.loads(answer.text, parse_float=Decimal)
    except (ValueError, DecimalException):
        raise OutcomeUnknown(f"not a readable answer: {answer.text[:80]!r}") from None
    match body:
        case {"error": list(errors)} if errors:
            return None, [str(error) for error in errors]
        case {"result": result} if result is not None:
            return result, []
    raise OutcomeUnknown(f"neither a result nor an error: {answer.text[:80]!r}")


def _open_change(answer: Answer) -> tuple[Any, list[str]]:
    try:
        return _open(answer)
    except OutcomeUnknown as unknown:
        raise ExchangeUnreachable(str(unknown)) from None
