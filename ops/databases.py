"""The four databases of a stack, on the embedded server or on the one of DATABASE_URL.

Each of MLflow, Prefect and Optuna keeps a migration table of the same name, so each
needs a database of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from ops import postgres
from ops.errors import CannotStart
from sql.database import DatabaseSettings, migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.home import Home

OTHERS = ("mlflow", "prefect", "optuna")
# libpq's parameter -> asyncpg's.
ASYNCPG = {"sslmode": "ssl", "target_session_attrs": "target_session_attrs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The addresses, passwords included."""

    friday: str = field(repr=False)
    mlflow: str = field(repr=False)
    prefect: str = field(repr=False)
    optuna: str = field(repr=False)
    address: str
    server: postgres.Server | None


def open_databases(home: Home, external: str | None) -> Databases:
    """Start the embedded server unless there is another, create and migrate what is missing.

    Raises:
        CannotStart: The server does not start, or a database cannot be created.
        DatabaseUnreachable: Nothing answers at DATABASE_URL, or it refuses us.
    """
    if external is not None:
        return _migrated(_external(external))
    server = postgres.start(home.postgres)
    with stopped_on_failure(server):
        postgres.create_databases(server, ("friday", *OTHERS))
        return _migrated(embedded(server))


@contextmanager
def stopped_on_failure(server: postgres.Server | None) -> Iterator[None]:
    """Leave no server behind if what follows its start fails."""
    try:
        yield
    except BaseException:
        if server is not None:
            server.stop()
        raise


def embedded(server: postgres.Server) -> Databases:
    """Return the addresses on the embedded server."""
    return Databases(
        friday=server.url("friday"),
        mlflow=server.url("mlflow", driver="postgresql+psycopg2"),
        prefect=server.url("prefect", driver="postgresql+asyncpg"),
        optuna=server.url("optuna", driver="postgresql+psycopg2"),
        address=f"127.0.0.1:{server.port}",
        server=server,
    )


def settings_for(url: str) -> DatabaseSettings:
    """Return the settings that DATABASE_URL with this value would give.

    Raises:
        CannotStart: The value is not the address of a PostgreSQL.
    """
    try:
        return DatabaseSettings.model_validate({"DATABASE_URL": url})
    except ValidationError as error:
        raise CannotStart(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _migrated(databases: Databases) -> Databases:
    engine = open_engine(settings_for(databases.friday))
    migrate(engine)
    engine.dispose()
    return databases


def _external(address: str) -> Databases:
    url = settings_for(address).address()
    engine = open_engine(settings_for(address))
    names = {name: f"{url.database}_{name}" for name in OTHERS}
    _create(engine.url.render_as_string(hide_password=False), tuple(names.values()))
    engine.dispose()

    def at(name: str, driver: str) -> str:
        return url.set(database=name, drivername=f"postgresql+{driver}").render_as_string(
            hide_password=False
        )

    return Databases(
        friday=address,
        mlflow=at(names["mlflow"], "psycopg2"),
        prefect=for_prefect(url.set(database=names["prefect"])),
        optuna=at(names["optuna"], "psycopg2"),
        address=f"{url.host}:{url.port or 5432}/{url.database}",
        server=None,
    )


def for_prefect(url: URL) -> str:
    """Return the address for Prefect's driver, which knows few of libpq's parameters.

    Those that say how safe the connection must be are spelt its way; it fails if it cannot
    be. Of the rest, as the name of the application, it has no use.
    """
    query = {ASYNCPG[name]: value for name, value in url.query.items() if name in ASYNCPG}
    spelt = url.set(drivername="postgresql+asyncpg", query=query)
    return spelt.render_as_string(hide_password=False)


def _create(address: str, names: tuple[str, ...]) -> None:
    engine = create_engine(make_url(address), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            present = set(connection.scalars(text("SELECT datname FROM pg_database")))
            for name in names:
                if name not in present:
                    connection.execute(text(f'CREATE DATABASE "{name}"'))
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines()[0]
        raise CannotStart(
            f"the account of DATABASE_URL must be able to create the databases "
            f"{', '.join(names)}, or find them there: {cause}"
        ) from None
    finally:
        engine.dispose()
