"""What a key may do: Kraken's names for it, and what each method and channel asks for.

Source: docs.kraken.com, rest-api/get-api-key-info and the "API Key Permissions Required" of
every method. Where a row names several, one of them is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection

FUNDS = "query-funds"
OPEN = "query-open-trades"
CLOSED = "query-closed-trades"
MODIFY = "modify-trades"
CANCEL = "close-trades"
LEDGER = "query-ledger"
TOKEN = "create-ws-token"  # noqa: S105 - the name of a permission
SERVED = (FUNDS, OPEN, CLOSED, MODIFY, CANCEL, LEDGER, TOKEN)
PERMISSIONS = (
    *SERVED,
    *("add-funds", "withdraw-funds", "earn-funds", "export-data"),
    *("add-withdraw-address", "update-withdraw-address"),
)
_PLACES = (MODIFY,)
_CANCELS = (MODIFY, CANCEL)
_LOOKS = (OPEN, CLOSED)
REQUIRED: dict[str, tuple[str, ...]] = {
    "Balance": (FUNDS,),
    "BalanceEx": (FUNDS,),
    "TradeBalance": (FUNDS,),
    "TradeVolume": (FUNDS,),
    "OpenOrders": (OPEN,),
    "ClosedOrders": (CLOSED,),
    "OrderAmends": _LOOKS,
    "QueryOrders": _LOOKS,
    "TradesHistory": _LOOKS,
    "QueryTrades": _LOOKS,
    "Ledgers": (LEDGER,),
    "QueryLedgers": (LEDGER,),
    "OpenPositions": (OPEN,),
    "DepositStatus": (FUNDS,),
    "WithdrawStatus": (FUNDS,),
    "Earn/Allocations": (FUNDS,),
    "GetWebSocketsToken": (TOKEN,),
    "AddOrder": _PLACES,
    "AddOrderBatch": _PLACES,
    "AmendOrder": _PLACES,
    "EditOrder": _PLACES,
    "CancelOrder": _CANCELS,
    "CancelOrderBatch": _CANCELS,
    "CancelAll": _CANCELS,
    "CancelAllOrdersAfter": _CANCELS,
    "add_order": _PLACES,
    "batch_add": _PLACES,
    "amend_order": _PLACES,
    "edit_order": _PLACES,
    "cancel_order": _CANCELS,
    "batch_cancel": _CANCELS,
    "cancel_all": _CANCELS,
    "cancel_all_orders_after": _CANCELS,
    "executions": _LOOKS,
    "balances": (FUNDS, LEDGER),
}


def require(held: Collection[str], name: str) -> None:
    """Refuse a method or channel that none of the permissions held allows."""
    wanted = REQUIRED.get(name, ())
    if wanted and not any(each in held for each in wanted):
        raise Refused("EGeneral:Permission denied")
