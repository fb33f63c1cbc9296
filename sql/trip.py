"""Several statements in one trip to PostgreSQL, where going there takes longer than the work.

psycopg2 sends statements that are joined by semicolons as one message. PostgreSQL runs each in
turn, so that one sees what those before it wrote, and what the last one returns comes back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

NAME = re.compile(r":(\w+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with a :name for every value, and the values; JSON is text that the SQL casts."""

    sql: str
    given: Mapping[str, object]


def run(session: Session, statements: Sequence[Statement]) -> Any:
    """Run the statements in order, and return the last one's first value, if it has any."""
    given = {
        f"{name}_{number}": value
        for number, statement in enumerate(statements)
        for name, value in statement.given.items()
    }
    sql = _joined(tuple(one.sql for one in statements))
    found = session.connection().execute(sql, given)
    return found.scalar() if found.returns_rows else None


@cache
def _joined(statements: tuple[str, ...]) -> TextClause:
    numbered = (NAME.sub(rf":\1_{number}", sql) for number, sql in enumerate(statements))
    return text(";\n".join(numbered))
