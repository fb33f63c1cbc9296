"""Where an exchange tells anybody what happened in its markets, from the environment."""

from __future__ import annotations

from pydantic import Field, field_validator
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
