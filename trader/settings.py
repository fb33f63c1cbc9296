"""How to reach the exchange and what to trade on it, from the environment."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta
from decimal import Decimal  # noqa: TC003 - pydantic reads the field types at run time
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market.instruments import LEADER
from market.settings import PublicDataSettings
from trader.execution import OnStop, Policy
from trader.limits import Limits
from trader.sizing import Appetite

DEFAULT = Limits()


def _amount(default: Decimal) -> Any:
    return Field(default=default, gt=0, allow_inf_nan=False)


class ExchangeSettings(PublicDataSettings):
    """Where the exchange takes orders and which key is ours, from KRAKEN_*.

    Every process that makes private calls needs a key of its own: a key has one nonce.
    """

    public_ws_url: str = "wss://ws.kraken.com/v2"
    private_ws_url: str = "wss://ws-auth.kraken.com/v2"
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None

    @field_validator("api_secret")
    @classmethod
    def _is_base64(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            base64.b64decode(value.get_secret_value() if value else "", validate=True)
        except binascii.Error:
            raise ValueError("KRAKEN_API_SECRET must be the base64 text Kraken gave") from None
        return value

    @field_validator("public_ws_url", "private_ws_url")
    @classmethod
    def _is_websocket(cls, value: str) -> str:
        if not value.startswith(("ws://", "wss://")):
            raise ValueError(f"a KRAKEN_*_WS_URL must be ws:// or wss://, not {value!r}")
        return value


class TraderSettings(BaseSettings):
    """What the live process trades and how much, from TRADER_*."""

    model_config = SettingsConfigDict(env_prefix="TRADER_")

    account: str = "kraken"
    symbols: str = "XRP/USD,DOGE/USD"
    watched_symbols: str = LEADER
    bar_seconds: int = Field(default=60, ge=1, le=86_400)
    # Kraken takes no less than half a second, counted from when the order arrives there.
    order_deadline_seconds: float = Field(default=2.0, ge=1.0, le=60.0)
    execution: Policy = Policy.MARKETABLE
    post_only_seconds: float = Field(default=30.0, ge=5.0, le=86_400.0)
    on_stop: OnStop = OnStop.CANCEL
    kelly_part: float = Field(default=0.25, gt=0, le=0.25)
    daily_volatility: float = Field(default=0.02, gt=0, le=1)
    max_position_usd: Decimal = _amount(DEFAULT.max_position_value)
    max_gross_usd: Decimal = _amount(DEFAULT.max_gross_value)
    max_order_usd: Decimal = _amount(DEFAULT.max_order_value)
    max_daily_loss_usd: Decimal = _amount(DEFAULT.max_daily_loss)
    max_drawdown_usd: Decimal = _amount(DEFAULT.max_drawdown)
    max_entries_per_hour: int = Field(default=DEFAULT.max_entries_per_hour, ge=1)
    max_model_loss_usd: Decimal = _amount(DEFAULT.max_model_loss)
    max_prediction_seconds: float = Field(
        default=DEFAULT.max_prediction_seconds, gt=0, allow_inf_nan=False
    )
    # No limit of orders, whose numbers must be finite: this one may be infinite.
    max_model_odds: float = Field(default=100.0, gt=1)
    max_clock_skew_seconds: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    model_cache: Path = Path(".friday/models")
    outage_file: Path = Path(".friday/outage.jsonl")
    recording: Path | None = None

    @field_validator("symbols", "watched_symbols")
    @classmethod
    def _are_symbols(cls, value: str, info: ValidationInfo) -> str:
        variable = f"TRADER_{info.field_name}".upper()
        names = value.split(",") if value or info.field_name == "symbols" else []
        if not all(re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+", name) for name in names):
            raise ValueError(f"{variable} must be like XRP/USD,DOGE/USD, not {value!r}")
        if len(set(names)) != len(names):
            raise ValueError(f"{variable} names a market twice: {value!r}")
        return value

    @property
    def markets(self) -> tuple[str, ...]:
        """Return the symbols to trade."""
        return tuple(self.symbols.split(","))

    @property
    def followed(self) -> tuple[str, ...]:
        """Return the symbols whose bars are kept: those to trade, and those only watched."""
        watched = filter(None, self.watched_symbols.split(","))
        return tuple(dict.fromkeys((*self.markets, *watched)))

    @property
    def limits(self) -> Limits:
        """Return what the account may do."""
        return Limits(
            max_position_value=self.max_position_usd,
            max_gross_value=self.max_gross_usd,
            max_order_value=self.max_order_usd,
            max_daily_loss=self.max_daily_loss_usd,
            max_drawdown=self.max_drawdown_usd,
            max_entries_per_hour=self.max_entries_per_hour,
            max_model_loss=self.max_model_loss_usd,
            max_prediction_seconds=self.max_prediction_seconds,
            max_clock_skew=timedelta(seconds=self.max_clock_skew_seconds),
        )

    @property
    def appetite(self) -> Appetite:
        """Return how much risk is wanted."""
        return Appetite(kelly_part=self.kelly_part, daily_volatility=self.daily_volatility)

    @property
    def interval(self) -> timedelta:
        """Return the length of a bar."""
        return timedelta(seconds=self.bar_seconds)
