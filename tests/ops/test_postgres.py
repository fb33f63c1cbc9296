"""The embedded PostgreSQL starts anywhere, keeps its data, and never trusts a stale trace."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

import psutil
import psycopg2
import pytest
from psycopg2.extras import wait_select

from ops import postgres
from ops.errors import CannotStart


@pytest.fixture
def folder():
    place = Path(tempfile.mkdtemp(prefix="friday-postgres-"))
    place.chmod(0o755)
    yield place / "postgres"
    if (left := postgres.find(place / "postgres")) is not None:
        left.stop()
    shutil.rmtree(place)


def rows(server, statement):
    connection = psycopg2.connect(server.url("postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def test_a_second_start_attaches_to_the_running_server(folder):
    first = postgres.start(folder)

    second = postgres.start(folder)

    assert second.process == first.process
    assert second.port == first.port


def test_after_a_kill_the_data_is_there_on_the_same_port(folder):
    first = postgres.start(folder)
    postgres.create_databases(first, ("kept",))
    first.process.kill()
    postgres._wait_until_gone(first.process, 5)

    second = postgres.start(folder)

    assert second.port == first.port
    assert ("kept",) in rows(second, "SELECT datname FROM pg_database")


def test_after_a_kill_in_the_midst_of_a_statement_it_starts_all_the_same(folder):
    first = postgres.start(folder)
    connection = psycopg2.connect(first.url("postgres"), async_=1)
    wait_select(connection)
    busy = psutil.Process(connection.info.backend_pid)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(a) FROM generate_series(1, 1000000000) a")
    first.process.kill()
    postgres._wait_until_gone(first.process, 5)
    assert busy.is_running()

    second = postgres.start(folder)

    assert not busy.is_running()
    assert rows(second, "SELECT 1") == [(1,)]
    connection.close()


def test_a_port_taken_by_a_stranger_is_left_to_them(folder):
    first = postgres.start(folder)
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = postgres.start(folder)

        assert second.port != first.port
        assert rows(second, "SELECT 1") == [(1,)]


def test_a_pid_file_that_names_a_stranger_is_not_believed(folder):
    postgres.start(folder).stop()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")

    server = postgres.start(folder)

    assert server.process.pid != os.getpid()
    assert psutil.Process().is_running()


def test_a_wrong_password_is_refused_and_checksums_are_on(folder):
    server = postgres.start(folder)

    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(server.url("postgres").replace(server.password, "wrong"))
    assert rows(server, "SHOW data_checksums") == [("on",)]
    assert (folder / "password").stat().st_mode & 0o777 == 0o600


def test_stopping_disconnects_whoever_is_left(folder):
    server = postgres.start(folder)
    connection = psycopg2.connect(server.url("postgres"))

    server.stop()

    assert postgres.find(folder) is None
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another account")
def test_a_folder_that_nobody_may_enter_is_named(folder):
    folder.parent.chmod(0o700)

    with pytest.raises(CannotStart, match=f"enter {folder.parent};"):
        postgres.start(folder)
