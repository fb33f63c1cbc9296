"""API keys: who signs a request, whether the signature is right and the nonce is new."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from hashlib import sha256

import msgspec

from sandbox.errors import Refused
from sandbox.permissions import SERVED

LARGEST_NONCE = 2**64 - 1
LONGEST_NONCE = len(str(LARGEST_NONCE))


class Key(msgspec.Struct):
    """A key pair of an account. The secret is kept as the client holds it, in base64.

    `window` is how far below the largest nonce one may still be, in the client's own unit;
    `created` and `used` are ns since 1970, 0 for never; `label` is what its owner calls it.
    """

    name: str
    secret: str
    account: str
    nonce: int = 0
    window: int = 0
    spent: list[int] = []
    permissions: tuple[str, ...] = SERVED
    label: str = ""
    created: int = 0
    used: int = 0

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
    if not _is_nonce(nonce):
        raise Refused("EAPI:Invalid nonce")
    wanted = sign(key.secret, path, nonce, body)
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise Refused("EAPI:Invalid signature")
    _spend(key, int(nonce))
    return key


def _is_nonce(text: str) -> bool:
    digits = text.isascii() and text.isdigit() and len(text) <= LONGEST_NONCE
    return digits and int(text) <= LARGEST_NONCE


def _spend(key: Key, nonce: int) -> None:
    if nonce <= key.nonce - key.window or nonce == key.nonce or nonce in key.spent:
        raise Refused("EAPI:Invalid nonce")
    key.nonce = max(key.nonce, nonce)
    if key.window:
        key.spent = [*(n for n in key.spent if n > key.nonce - key.window), nonce]
