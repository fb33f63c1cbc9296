"""The kill switch: a small process of its own that cancels everything and halts trading.

It shares nothing with the trader but the account: its key may only cancel, so that it can
lie on a machine where no other key should. It works while the trader hangs, and while
PostgreSQL is away.
"""

from __future__ import annotations

import base64
import binascii
import sys
from typing import TYPE_CHECKING, Protocol

import requests
from pydantic import SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from market.errors import ExchangeUnreachable
from sql.errors import DatabaseError
from trader import record
from trader.settings import ExchangeSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

ATTEMPTS = 30  # times the exchange is asked before giving up, a second apart
QUIET_ROUNDS = 2  # answers in a row that nothing was left to cancel
PAUSE = 1.0
PATIENCE = 2.0  # seconds for the trader, or the record, to answer


class KillSettings(BaseSettings):
    """The key that may only cancel, from KRAKEN_KILL_*."""

    model_config = SettingsConfigDict(env_prefix="KRAKEN_KILL_", hide_input_in_errors=True)

    api_key: SecretStr
    api_secret: SecretStr

    @field_validator("api_key", "api_secret")
    @classmethod
    def _can_be_sent(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text, name = value.get_secret_value(), f"KRAKEN_KILL_{info.field_name}".upper()
        if not text.isascii() or not text.isprintable() or not text:
            raise ValueError(f"{name} must be what Kraken shows when a key is made")
        return value

    @field_validator("api_secret")
    @classmethod
    def _is_base64(cls, value: SecretStr) -> SecretStr:
        try:
            base64.b64decode(value.get_secret_value(), validate=True)
        except binascii.Error:
            raise ValueError("KRAKEN_KILL_API_SECRET must be the base64 text Kraken gave") from None
        return value

    def exchange(self) -> ExchangeSettings:
        """Return how to reach the exchange with this key."""
        return ExchangeSettings(api_key=self.api_key, api_secret=self.api_secret)


class Cancels(Protocol):
    """An account whose orders can be cancelled all at once."""

    def cancel_all(self) -> int:
        """Cancel every open order and return how many there were."""


def cancel_everything(exchange: Cancels, pause: Callable[[float], object]) -> int:
    """Cancel until the exchange says twice that nothing is open; return how many there were.

    Asking again is safe, whatever became of the answer before, and an order that was on its
    way is found the second time.

    Raises:
        ExchangeUnreachable: It did not say so within ATTEMPTS questions.
        ExchangeRefused: The key may not cancel, or is not known.
    """
    cancelled = quiet = 0
    for _ in range(ATTEMPTS):
        try:
            count = exchange.cancel_all()
        except ExchangeUnreachable as error:
            sys.stderr.write(f"asking again: {error}\n")
            count, quiet = 0, -1
        cancelled += count
        quiet = 0 if count else quiet + 1
        if quiet >= QUIET_ROUNDS:
            return cancelled
        pause(PAUSE)
    raise ExchangeUnreachable(
        f"the exchange did not confirm within {ATTEMPTS} attempts that nothing is open; "
        f"{cancelled} orders were cancelled"
    )


def halt(engine: Engine | None, reason: str, who: str, at: datetime) -> bool:
    """Write the halt down, so that nothing follows; return whether the record took it."""
    if engine is None:
        return False
    try:
        with Session(engine) as session, session.begin():
            record.halt(session, reason_code="kill", reason=reason, who=who, at=at)
    except (DBAPIError, DatabaseError) as error:
        why = str(error).splitlines()[0]
        sys.stderr.write(f"the record is away, so the trader is not halted: {why}\n")
        return False
    return True


def watch(
    url: str, silence: float, clock: Callable[[], float], pause: Callable[[float], object]
) -> str:
    """Return, with the reason, once the trader has not been well for so many seconds.

    Args:
        url: Where the trader answers for its health.
        silence: Seconds without a good answer.
        clock: Seconds of a clock that never goes back.
        pause: Waits so many seconds.
    """
    heard = clock()
    while True:
        word = _ask(url)
        now = clock()
        if word is None:
            heard = now
        elif now - heard >= silence:
            return f"the trader was not well for {now - heard:.0f} s: {word}"
        pause(PAUSE)


def _ask(url: str) -> str | None:
    """Return what is wrong with the trader; None if nothing is."""
    try:
        answer = requests.get(url, timeout=PATIENCE)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else f"it answers {answer.status_code}"
