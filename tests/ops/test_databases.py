"""Every program of the stack understands the address that its database is given by."""

import inspect

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from ops.databases import for_prefect

ADDRESS = "postgresql://anna:p%40ss@db.example:5432/friday_prefect"


@pytest.mark.parametrize(
    ("query", "safety"),
    [
        ("", None),
        ("?sslmode=require", "require"),
        ("?sslmode=verify-full&application_name=friday&connect_timeout=5", "verify-full"),
    ],
)
def test_prefects_driver_takes_what_libpq_takes(query, safety):
    _, given = dialect().create_connect_args(make_url(for_prefect(make_url(ADDRESS + query))))

    inspect.signature(asyncpg.connect).bind(**given)
    assert (given["password"], given["host"], given.get("ssl")) == ("p@ss", "db.example", safety)
