"""Where to ask what happened in markets, and with which key, from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class PublicDataSettings(BaseSettings):
    """Where the exchange answers without a key, and how often to ask it, from KRAKEN_*."""

    model_config = SettingsConfigDict(env_prefix="KRAKEN_", hide_input_in_errors=True)

    rest_url: str = "https://api.kraken.com"
    request_interval_seconds: float = Field(default=1.0, ge=0, le=60, allow_inf_nan=False)

    @field_validator("rest_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"KRAKEN_REST_URL must be http:// or https://, not {value!r}")
        return value.rstrip("/")


class AlpacaSettings(BaseSettings):
    """Where Alpaca answers, with which key, and from which feeds, from APCA_*."""

    model_config = SettingsConfigDict(env_prefix="APCA_", hide_input_in_errors=True)

    api_key_id: SecretStr = Field(default=SecretStr(""), validate_default=True)
    api_secret_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    api_data_url: str = "https://data.alpaca.markets"
    stock_feed: Literal["iex", "sip", "delayed_sip"] = "iex"
    option_feed: Literal["indicative", "opra"] = "indicative"
    request_interval_seconds: float = Field(default=0.3, ge=0, le=60, allow_inf_nan=False)

    @field_validator("api_key_id", "api_secret_key")
    @classmethod
    def _is_there(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or not text:
            name = f"APCA_{info.field_name}".upper()
            raise ValueError(f"{name} must be set to what Alpaca shows when a key is made")
        return SecretStr(text)

    @field_validator("api_data_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        if not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError(f"APCA_API_DATA_URL must be https://, not {value!r}")
        return value.rstrip("/")
