"""The way to PostgreSQL tells no secret, and the schema moves one step at a time and never back."""

import os
import subprocess
import sys

import psycopg2
import pytest
from pydantic import ValidationError
from sqlalchemy import text

from sql.database import ALONE, DatabaseSettings, check_schema, migrate, open_engine
from sql.errors import DatabaseUnreachable, SchemaOutdated, TurnNotCome


@pytest.mark.parametrize(
    "url",
    ["postgresql://anna:p@ssw0rd@127.0.0.1:1/db", "postgresql://anna:p@ss/w0rd@127.0.0.1:1/db"],
)
def test_a_password_with_a_sign_that_ends_it_is_refused_and_not_told(url):
    with pytest.raises(ValidationError, match="%40") as refused:
        DatabaseSettings(DATABASE_URL=url)

    assert "w0rd" not in str(refused.value)


def test_such_a_password_can_be_written():
    url = "postgresql://anna:p%40ssw0rd@127.0.0.1:1/db"

    with pytest.raises(DatabaseUnreachable) as refused:
        open_engine(DatabaseSettings(DATABASE_URL=url))

    assert "w0rd" not in str(refused.value)


@pytest.fixture
def later(engine):
    """Give a record that a later version of this code has migrated."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    return engine


@pytest.mark.parametrize("act", [migrate, check_schema])
def test_a_record_of_a_later_version_is_refused_with_what_to_do(later, act):
    with pytest.raises(SchemaOutdated, match=r"9999.*later than this code.*update the code"):
        act(later)


@pytest.fixture
def nothing(server):
    """Give a database without a table."""

    def do(statement):
        connection = psycopg2.connect(server.url("postgres"))
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()

    do("CREATE DATABASE without_a_table TEMPLATE template0")
    engine = open_engine(DatabaseSettings(DATABASE_URL=server.url("without_a_table")))
    yield engine
    engine.dispose()
    do("DROP DATABASE without_a_table WITH (FORCE)")


def test_an_empty_record_is_told_to_be_migrated(nothing):
    with pytest.raises(SchemaOutdated, match=r"revision none.*run friday migrate"):
        check_schema(nothing)


def test_both_who_migrate_at_once_end_well(nothing, server):
    migration = (sys.executable, "-c", "from ops.cli import main; main(['migrate'])")
    environment = {**os.environ, "DATABASE_URL": server.url("without_a_table")}

    both = [subprocess.Popen(migration, env=environment) for _ in range(2)]

    assert [one.wait(60) for one in both] == [0, 0]
    check_schema(nothing)


def test_a_migration_that_somebody_else_is_at_for_too_long_is_said(nothing, monkeypatch):
    monkeypatch.setattr("sql.database.LONGEST_MIGRATION", 1)
    with nothing.connect() as other:
        other.execute(ALONE)

        with pytest.raises(TurnNotCome, match="somebody else was still migrating"):
            migrate(nothing)
