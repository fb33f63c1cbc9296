"""The tokens that open the private websocket.

A token is good for fifteen minutes after it was made, and longer for as long as a private
subscription that was made with it is maintained (docs.kraken.com, get-websockets-token).
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.keys import Key

TOKEN_SECONDS = 900
TOKEN_LIFE_NS = TOKEN_SECONDS * 1_000_000_000


class Tokens:
    """The tokens of all keys. All times are the exchange's, in ns."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[Key, int]] = {}
        self._kept: Counter[str] = Counter()

    def issue(self, key: Key, now: int) -> str:
        """Make a token for a key, and forget those that have run out."""
        token = secrets.token_urlsafe(32)
        self._issued = {
            old: (owner, made)
            for old, (owner, made) in self._issued.items()
            if self._lives(old, made, now)
        }
        self._issued[token] = key, now
        return token

    def _lives(self, token: str, made: int, now: int) -> bool:
        return now - made < TOKEN_LIFE_NS or self._kept[token] > 0

    def owner(self, token: object, now: int) -> Key | None:
        """Give the key a token belongs to, unless it has run out."""
        if not isinstance(token, str) or token not in self._issued:
            return None
        key, made = self._issued[token]
        return key if self._lives(token, made, now) else None

    def keep(self, token: str) -> None:
        """Keep a token alive for one more private subscription."""
        self._kept[token] += 1

    def release(self, token: str) -> None:
        """Take note that a private subscription that kept a token alive has ended."""
        self._kept[token] -= 1
        if self._kept[token] <= 0:
            del self._kept[token]

    def expire_all(self) -> None:
        """Make every token invalid at once."""
        self._issued.clear()
        self._kept.clear()
