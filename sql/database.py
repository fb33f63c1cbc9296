"""The way to PostgreSQL: its address, an engine, and the schema's version."""

from __future__ import annotations

import select
import time
from pathlib import Path
from typing import Any

import psycopg2
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2 import errors, extensions
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from sql.errors import DatabaseUnreachable, SchemaOutdated, TurnNotCome

MIGRATIONS = Path(__file__).parent / "migrations"
# Of two that migrate at once the second waits for the first, and finds it done.
ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))")
LONGEST_MIGRATION = 60.0  # seconds


class DatabaseSettings(BaseSettings):
    """Where the record is kept, from DATABASE_URL."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    url: SecretStr = Field(validation_alias="DATABASE_URL")

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        try:
            backend = make_url(address).get_backend_name()
        except (ArgumentError, ValueError):
            backend = "something that is not a URL"
        if backend != "postgresql":
            raise ValueError(
                f"DATABASE_URL must be postgresql://user:password@host:port/name, not {backend}"
            )
        if (
            address.partition("?")[0].count("@") > 1
        ):  # the rest would pass for the host, and be told
            raise ValueError("DATABASE_URL has more than one @; write one in a password as %40")
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
                raise psycopg2.OperationalError(f"PostgreSQL has not answered for {seconds:g} s")

    extensions.set_wait_callback(None if seconds is None else wait)


def migrate(engine: Engine) -> None:
    """Bring the schema to the version this code expects; does nothing if it is there.

    Raises:
        SchemaOutdated: A later version of this code has migrated it.
        TurnNotCome: Somebody else was still migrating it.
    """
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_MIGRATION:.0f}s'"))
        try:
            connection.execute(ALONE)
        except OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
            raise TurnNotCome(
                f"somebody else was still migrating the database after {LONGEST_MIGRATION:.0f} s"
            ) from None
        _refuse_later(_revisions(connection))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_schema(engine: Engine) -> None:
    """Refuse to go on with a schema that is not the one this code expects.

    Raises:
        SchemaOutdated: The revision differs; the message says which way.
    """
    with engine.connect() as connection:
        found = _revisions(connection)
    _refuse_later(found)
    head = _scripts().get_current_head()
    if found != {head}:
        raise SchemaOutdated(
            f"the database is at schema revision {_named(found)}, this code expects {head}; "
            "run friday migrate"
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _revisions(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def _refuse_later(found: set[str]) -> None:
    if not found <= {script.revision for script in _scripts().walk_revisions()}:
        raise SchemaOutdated(
            f"the database is at schema revision {_named(found)}, later than this code, which "
            f"expects {_scripts().get_current_head()}; update the code"
        )


def _named(revisions: set[str]) -> str:
    return " and ".join(sorted(revisions)) or "none"


def _explain(url: URL, error: DBAPIError) -> str:
    cause = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
    return f"cannot use PostgreSQL at {url.host}:{url.port or 5432}/{url.database}: {cause}"
