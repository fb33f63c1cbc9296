"""The answers of `/0/private/*` about the key itself: what it may do, and a websocket token."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sandbox.tokens import TOKEN_SECONDS
from sandbox.wire import SECOND_NS

if TYPE_CHECKING:
    from sandbox.keys import Key
    from sandbox.private_data import Form
    from sandbox.venue import Venue

NEVER = "0"


def websockets_token(venue: Venue, key: Key, _form: Form, now: int) -> Any:
    """Answer GetWebSocketsToken."""
    return {"token": venue.tokens.issue(key, now), "expires": TOKEN_SECONDS}


def api_key_info(_venue: Venue, key: Key, _form: Form, _now: int) -> Any:
    """Answer GetApiKeyInfo; times are whole seconds since 1970, as text.

    Source: docs.kraken.com, rest-api/get-api-key-info.
    """
    created = str(key.created // SECOND_NS)
    return {
        "apiKeyName": key.label or key.account,
        "apiKey": key.name,
        "nonce": str(key.nonce),
        "nonceWindow": key.window,
        "permissions": list(key.permissions),
        "iban": _iban(key.account),
        "validUntil": NEVER,
        "queryFrom": NEVER,
        "queryTo": NEVER,
        "createdTime": created,
        "modifiedTime": created,
        "ipAllowlist": [],
        "lastUsed": str(key.used // SECOND_NS) if key.used else None,
    }


def _iban(account: str) -> str:
    """Spell an account the way Kraken spells its own numbers, the same one every time."""
    digest = sha256(account.encode()).hexdigest().upper()
    return f"AA{int(digest[:8], 16) % 100:02d} {digest[8:12]} {digest[12:16]} {digest[16:20]}"
