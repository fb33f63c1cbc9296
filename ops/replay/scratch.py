"""A database beside the record that lives as long as a replay, and what it begins with."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from ops.databases import settings_for
from ops.errors import CannotStart
from sql import snapshot
from sql.database import migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL, Engine


@contextmanager
def scratch(record: URL, seed: Path) -> Iterator[Engine]:
    """Give a database with the recorded beginning in it, and drop it afterwards.

    Args:
        record: Where the record is; the database is made on the same server.
        seed: The folder of `snapshot.dump`.

    Raises:
        CannotStart: The account may not create databases.
    """
    url = record.set(database=f"{record.database}_replay_{os.getpid()}")
    _on_server(record, f'CREATE DATABASE "{url.database}"')
    try:
        engine = open_engine(settings_for(url.render_as_string(hide_password=False)))
        try:
            migrate(engine)
            snapshot.load(engine, seed)
            yield engine
        finally:
            engine.dispose()
    finally:
        _on_server(record, f'DROP DATABASE "{url.database}" WITH (FORCE)')


def _on_server(record: URL, statement: str) -> None:
    engine = create_engine(record, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines()[0]
        raise CannotStart(
            f"a replay needs a database of its own beside the record: {cause}"
        ) from None
    finally:
        engine.dispose()
