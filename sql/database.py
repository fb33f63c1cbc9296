"""The way to PostgreSQL: its address, an engine, and the schema's version."""

from __future__ import annotations

import select
import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2 import OperationalError, extensions
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from sql.errors import DatabaseUnreachable, SchemaOutdated

MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseSettings(BaseSettings):
    """Where the record is kept, from DATABASE_URL."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    url: SecretStr = Field(validation_alias="DATABASE_URL")

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        try:
            backend = make_url(value.get_secret_value()).get_backend_name()
        except (ArgumentError, ValueError):
            backend = "something that is not a URL"
        if backend != "postgresql":
            raise ValueError(
                f"DATABASE_URL must be postgresql://user:password@host:port/name, not {backend}"
            )
        return value

    def address(self) -> URL:
        """Return the URL with the driver this project uses."""
        return make_url(self.url.get_secret_value()).set(drivername="postgresql+psycopg2")


def open_engine(settings: DatabaseSettings, *, pool_size: int = 5) -> Engine:
    """Open a pool of connections that notices when the server went away.

    Raises:
        DatabaseUnreachable: The server does not answer or refuses the credentials.
    """
    engine = create_engine(
        settings.address(),
        pool_pre_ping=True,
        pool_size=pool_size,
        connect_args={
            "connect_timeout": 5,
            "application_name": "gal-friday",
            "options": "-c timezone=UTC",
        },
    )
    try:
        engine.connect().close()
    except DBAPIError as error:
        raise DatabaseUnreachable(_explain(settings.address(), error)) from None
    return engine


def limit_waiting(seconds: float | None) -> None:
    """Let no connection of this process wait longer for an answer; None waits for ever.

    A server that was stopped, not killed, still keeps its connections alive, so that neither
    TCP nor the server's own timeouts end the wait. A connection that waited in vain is closed
    and raises what one that broke does. COPY is not possible meanwhile.
    """

    def wait(connection: Any) -> None:
        until = time.monotonic() + (seconds or 0.0)
        while (state := connection.poll()) != extensions.POLL_OK:
            poll = select.poll()
            reads = state == extensions.POLL_READ
            poll.register(connection.fileno(), select.POLLIN if reads else select.POLLOUT)
            left = until - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise OperationalError(f"PostgreSQL has not answered for {seconds:g} s")

    extensions.set_wait_callback(None if seconds is None else wait)


def migrate(engine: Engine) -> None:
    """Bring the schema to the version this code expects; does nothing if it is there."""
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_schema(engine: Engine) -> None:
    """Refuse to go on with a schema that is not the one this code expects.

    Raises:
        SchemaOutdated: The revision differs; the message says which way.
    """
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != head:
        raise SchemaOutdated(
            f"the database is at schema revision {found or 'none'}, this code expects {head}; "
            "run friday migrate"
        )


def _explain(url: URL, error: DBAPIError) -> str:
    cause = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
    return f"cannot use PostgreSQL at {url.host}:{url.port or 5432}/{url.database}: {cause}"
