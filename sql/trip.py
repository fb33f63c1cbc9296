"""Several statements in one trip to PostgreSQL, where going there takes longer than the work.

Statements that are joined by semicolons are sent as one message. PostgreSQL runs each in turn,
so that one sees what those before it wrote, and what the last one returns comes back. Each is
prepared once a connection: to parse and plan it takes as long as to run it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

NAME = re.compile(r":(\w+)")
PREPARED = "prepared"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with a :name for every value, and the values; JSON is text that the SQL casts.

    PostgreSQL has to know a value's type from where it stands, or from a CAST around it.
    """

    sql: str
    given: Mapping[str, object]


def run(session: Session, statements: Sequence[Statement]) -> Any:
    """Run the statements in order, and return the last one's first value, if it has any."""
    connection = session.connection()
    parts, values = [], []
    for one in statements:
        names, _ = _numbered(one.sql)
        given = ", ".join(["%s"] * len(names))
        parts.append(f"EXECUTE {_prepared(connection, one.sql)}{given and f'({given})'}")
        values += [one.given[name] for name in names]
    found = connection.exec_driver_sql("; ".join(parts), tuple(values))
    return found.scalar() if found.returns_rows else None


def _prepared(connection: Connection, sql: str) -> str:
    # What SQLAlchemy keeps here is forgotten with the connection to the server.
    known = connection.info.setdefault(PREPARED, {})
    if sql not in known:
        _, numbered = _numbered(sql)
        name = f"trip_{len(known)}"
        connection.exec_driver_sql(f"PREPARE {name} AS {numbered}")
        known[sql] = name
    return str(known[sql])


@cache
def _numbered(sql: str) -> tuple[tuple[str, ...], str]:
    """Return the values' names, each once, and the SQL with a number for every name."""
    names = tuple(dict.fromkeys(NAME.findall(sql)))
    return names, NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
