"""Which exchange a stack trades on, and whose key each process has.

A key has one nonce, so the trader, the flows and the command line need one each. The
sandbox mints them; for the real exchange they come from the environment.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr  # noqa: TC002 - pydantic reads it at run time
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.home import Home

KRAKEN_REST = "https://api.kraken.com"
KRAKEN_PUBLIC_WS = "wss://ws.kraken.com/v2"
KRAKEN_PRIVATE_WS = "wss://ws-auth.kraken.com/v2"


class KeySettings(BaseSettings):
    """The keys of the real exchange for the flows and the command line, from FRIDAY_*."""

    model_config = SettingsConfigDict(env_prefix="FRIDAY_")

    worker_api_key: SecretStr | None = None
    worker_api_secret: SecretStr | None = None
    command_api_key: SecretStr | None = None
    command_api_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key and its secret."""

    key: str
    secret: str = field(repr=False)

    def environment(self, prefix: str = "KRAKEN_") -> dict[str, str]:
        """Return the variables that hand it to a process."""
        return {f"{prefix}API_KEY": self.key, f"{prefix}API_SECRET": self.secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where an exchange answers, and how long to wait between questions."""

    name: str
    rest: str
    public_ws: str
    private_ws: str
    request_interval: str

    def environment(self) -> dict[str, str]:
        """Return the variables that point a process there."""
        return {
            "KRAKEN_REST_URL": self.rest,
            "KRAKEN_PUBLIC_WS_URL": self.public_ws,
            "KRAKEN_PRIVATE_WS_URL": self.private_ws,
            "KRAKEN_REQUEST_INTERVAL_SECONDS": self.request_interval,
        }


def sandbox(port: int) -> Venue:
    """Return the exchange that runs here."""
    return Venue(
        name="sandbox",
        rest=f"http://127.0.0.1:{port}",
        public_ws=f"ws://127.0.0.1:{port}/v2",
        private_ws=f"ws://127.0.0.1:{port}/v2",
        request_interval="0",
    )


def kraken(request_interval: str = "1.0") -> Venue:
    """Return the real exchange."""
    return Venue(
        name="kraken",
        rest=KRAKEN_REST,
        public_ws=KRAKEN_PUBLIC_WS,
        private_ws=KRAKEN_PRIVATE_WS,
        request_interval=request_interval,
    )


def first_key(home: Home) -> Key:
    """Return the trader's key, which the sandbox learns when it is set up."""
    return Key(
        home.secret("trader-key", lambda: secrets.token_urlsafe(42)),
        home.secret("trader-secret", lambda: b64encode(secrets.token_bytes(64)).decode()),
    )


def mint(home: Home, venue: Venue, name: str, permissions: Sequence[str] = ()) -> Key:
    """Return the key of a process, asking the sandbox for it the first time.

    Args:
        home: Where keys are kept.
        venue: The sandbox.
        name: Whose key.
        permissions: All that it may do; whatever the sandbox serves if there are none.

    Raises:
        CannotStart: The sandbox refused.
    """
    if (kept := kept_key(home, name)) is not None:
        return kept
    asked = {"permissions": list(permissions)} if permissions else {}
    answer = httpx.post(f"{venue.rest}/admin/keys", json=asked, timeout=5.0, trust_env=False)
    if answer.is_error:
        raise CannotStart(f"the sandbox minted no key: {answer.status_code} {answer.text[:100]}")
    made = answer.json()
    made = made.get("result", made)
    return Key(
        home.secret(f"{name}-key", lambda: str(made["key"])),
        home.secret(f"{name}-secret", lambda: str(made["secret"])),
    )


def kept_key(home: Home, name: str) -> Key | None:
    """Return a key that was minted before."""
    key, secret = home.kept_secret(f"{name}-key"), home.kept_secret(f"{name}-secret")
    return None if key is None or secret is None else Key(key, secret)
