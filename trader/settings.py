"""How to reach the exchange, from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ExchangeSettings(BaseSettings):
    """Where the exchange answers and which key is ours, from KRAKEN_*.

    Every process that makes private calls needs a key of its own: a key has one nonce.
    """

    model_config = SettingsConfigDict(env_prefix="KRAKEN_")

    rest_url: str = "https://api.kraken.com"
    public_ws_url: str = "wss://ws.kraken.com/v2"
    private_ws_url: str = "wss://ws-auth.kraken.com/v2"
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    request_interval_seconds: float = Field(default=1.0, ge=0, le=60, allow_inf_nan=False)

    @field_validator("rest_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"KRAKEN_REST_URL must be http:// or https://, not {value!r}")
        return value.rstrip("/")

    @field_validator("public_ws_url", "private_ws_url")
    @classmethod
    def _is_websocket(cls, value: str) -> str:
        if not value.startswith(("ws://", "wss://")):
            raise ValueError(f"a KRAKEN_*_WS_URL must be ws:// or wss://, not {value!r}")
        return value
