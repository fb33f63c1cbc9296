"""Kraken's methods for what this exchange has not: margin, funding, earning, exports, subaccounts.

Those that list something have an empty list to give. The others do something that cannot be done
here, and no key may: they answer as Kraken answers a key without the permission. Names are those
of docs.kraken.com as of 2026; what is not among them is an unknown method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.keys import Key
    from sandbox.private_data import Form
    from sandbox.venue import Venue

FORBIDDEN = (
    *("Level3", "CreditLines", "ListWalletAccounts"),
    *("AddExport", "RetrieveExport", "RemoveExport"),
    *("DepositMethods", "DepositAddresses", "WalletTransfer"),
    *("WithdrawMethods", "WithdrawAddresses", "WithdrawInfo", "Withdraw", "WithdrawCancel"),
    *("CreateSubaccount", "AccountTransfer"),
    *("Earn/Allocate", "Earn/Deallocate", "Earn/AllocateStatus", "Earn/DeallocateStatus"),
)


def _nothing(_venue: Venue, _key: Key, _form: Form, _now: int) -> Any:
    return []


def _no_strategies(_venue: Venue, _key: Key, _form: Form, _now: int) -> Any:
    return {"next_cursor": None, "items": []}


def _no_allocations(_venue: Venue, _key: Key, form: Form, _now: int) -> Any:
    asset = str(form.get("converted_asset") or "USD")
    none = {"total_allocated": "0.0000", "total_rewarded": "0.0000", "next_cursor": None}
    return {"converted_asset": asset, **none, "items": []}


def _forbidden(_venue: Venue, _key: Key, _form: Form, _now: int) -> Any:
    raise Refused("EGeneral:Permission denied")


METHODS: dict[str, Callable[[Venue, Key, Form, int], Any]] = {
    "OpenPositions": _nothing,
    "DepositStatus": _nothing,
    "WithdrawStatus": _nothing,
    "ExportStatus": _nothing,
    "Earn/Strategies": _no_strategies,
    "Earn/Allocations": _no_allocations,
} | dict.fromkeys(FORBIDDEN, _forbidden)
