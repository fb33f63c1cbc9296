"""API keys: who signs a request, whether the signature is right and the nonce is new."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from hashlib import sha256

import msgspec

from sandbox.errors import Refused

LARGEST_NONCE = 2**64 - 1
TOKEN_LIFE_NS = 900 * 1_000_000_000


class Key(msgspec.Struct):
    """A key pair of an account. The secret is kept as the client holds it, in base64."""

    name: str
    secret: str
    account: str
    nonce: int = 0
    window: int = 0
    spent: list[int] = []

    def __repr__(self) -> str:
        """Show whose key it is, and nothing that could be used."""
        return f"Key of {self.account}"


def mint_key(account: str) -> Key:
    """Make a key pair nobody has."""
    return Key(
        name=base64.b64encode(secrets.token_bytes(42)).decode(),
        secret=base64.b64encode(secrets.token_bytes(64)).decode(),
        account=account,
    )


def sign(secret: str, path: str, nonce: str, body: bytes) -> str:
    """Sign a request the way Kraken's clients do.

    Source: docs.kraken.com/api/docs/guides/spot-rest-auth.
    """
    message = path.encode() + sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.digest(base64.b64decode(secret), message, "sha512")).decode()


def is_secret(text: str) -> bool:
    """Tell whether a text is base64 and so may be a secret."""
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def authenticate(
    keys: dict[str, Key], signed: tuple[str, str], path: str, nonce: str, body: bytes
) -> Key:
    """Find the key that signed a request and spend its nonce, or refuse.

    Args:
        keys: All keys, by name.
        signed: The name of the key and the signature, as the headers have them.
        path: The path of the request.
        nonce: The nonce in the body.
        body: The exact bytes that were signed.
    """
    name, signature = signed
    key = keys.get(name)
    if key is None:
        raise Refused("EAPI:Invalid key")
    if not nonce.isascii() or not nonce.isdigit() or int(nonce) > LARGEST_NONCE:
        raise Refused("EAPI:Invalid nonce")
    wanted = sign(key.secret, path, nonce, body)
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise Refused("EAPI:Invalid signature")
    _spend(key, int(nonce))
    return key


def _spend(key: Key, nonce: int) -> None:
    if nonce <= key.nonce - key.window or nonce == key.nonce or nonce in key.spent:
        raise Refused("EAPI:Invalid nonce")
    key.nonce = max(key.nonce, nonce)
    if key.window:
        key.spent = [*(n for n in key.spent if n > key.nonce - key.window), nonce]


class Tokens:
    """The tokens that open the private websocket."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[Key, int]] = {}
        self._in_use: set[str] = set()

    def issue(self, key: Key, now: int) -> str:
        """Make a token for a key."""
        token = secrets.token_urlsafe(32)
        self._issued = {
            kept: (owner, made)
            for kept, (owner, made) in self._issued.items()
            if now - made < TOKEN_LIFE_NS or kept in self._in_use
        }
        self._issued[token] = key, now
        return token

    def owner(self, token: object, now: int) -> Key | None:
        """Give the key a token belongs to, unless it has run out."""
        if not isinstance(token, str) or token not in self._issued:
            return None
        key, made = self._issued[token]
        return key if now - made < TOKEN_LIFE_NS or token in self._in_use else None

    def keep(self, token: str) -> None:
        """Keep a token alive while a private subscription uses it."""
        self._in_use.add(token)

    def expire_all(self) -> None:
        """Make every token invalid at once."""
        self._issued.clear()
        self._in_use.clear()
