"""What every test may ask for: a real PostgreSQL, migrated, and a database of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import psycopg2
import pytest
from quick_postgres import QUICK

from ops import postgres
from sql.database import DatabaseSettings, migrate, open_engine

TEMPLATE = "template_friday"
_numbers = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption(
        "--regenerate", action="store_true", help="write the golden files anew, to be reviewed"
    )
    parser.addoption(
        "--fuzz-examples", type=int, default=0, help="how many times to try nonsense on the sandbox"
    )


@pytest.fixture(scope="session")
def server():
    """Run one server for the session, where the account it drops to can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="friday-tests-"))
    folder.chmod(0o755)
    running = None
    try:
        running = postgres.start(folder / "postgres", settings=QUICK)
        postgres.create_databases(running, (TEMPLATE,))
        engine = open_engine(_settings(running.url(TEMPLATE)))
        migrate(engine)
        engine.dispose()
        yield running
    finally:
        if running is not None:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(server):
    """Give the test a migrated, empty database and take it away afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
    yield server.url(name)
    _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def engine(database_url):
    """Open a pool on the test's own database."""
    opened = open_engine(_settings(database_url))
    yield opened
    opened.dispose()


def _settings(url):
    return DatabaseSettings(DATABASE_URL=url)


def _execute(server, statement):
    connection = psycopg2.connect(server.url("postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def pytest_collection_modifyitems(items):
    """Run what starts several real processes last, so that a slip shows at once."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
