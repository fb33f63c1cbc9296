"""How to reach MLflow and where Optuna keeps its studies, from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ModelRegistrySettings(BaseSettings):
    """Where MLflow answers, from MLFLOW_TRACKING_URI."""

    tracking_uri: str = Field(validation_alias="MLFLOW_TRACKING_URI")

    @field_validator("tracking_uri")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"MLFLOW_TRACKING_URI must be http:// or https://, not {value!r}")
        return value.rstrip("/")


class StudySettings(BaseSettings):
    """Where Optuna keeps its studies, from OPTUNA_STORAGE_URL; in memory without it.

    `workers` is how many processes work on a study (TRAINING_WORKERS); None lets its length
    decide. `heartbeat_seconds` (TRAINING_HEARTBEAT_SECONDS) is how often each says that it lives.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    storage_url: SecretStr | None = Field(default=None, validation_alias="OPTUNA_STORAGE_URL")
    workers: int | None = Field(default=None, ge=1, validation_alias="TRAINING_WORKERS")
    heartbeat_seconds: int = Field(default=5, ge=1, validation_alias="TRAINING_HEARTBEAT_SECONDS")
