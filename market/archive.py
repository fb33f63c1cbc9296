"""Old months of market data in compressed files instead of the database, and back.

A month leaves the database only after its file was written, synced and read back, and in the
transaction that has compared the rows with the file's manifest once more. So whoever is
killed between any two steps has lost nothing, and the next run goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from psycopg2 import errors
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from market.archive_files import digest, put, replace
from market.errors import FileRefused
from sql.months import month_after, month_of
from sql.tables import OptionQuoteRow, PriceBarRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

ROWS = {"price_bars": PriceBarRow, "option_quotes": OptionQuoteRow}
TIMES = {"price_bars": "start", "option_quotes": "quoted_at"}
KINDS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int32(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("us", "UTC"),
    Decimal: pa.decimal128(38, 18),
}
# Alone with the month: whoever would write to it waits for the end of this transaction.
ALONE = "SELECT pg_advisory_xact_lock(hashtext('market month'), hashtext(%s))"
IS_PART = "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s))"
BRIEFLY = "SET LOCAL lock_timeout = '300ms'"  # all readers wait behind who waits for a drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What stands beside a file: which month of which table, and how to know it is whole.

    `content` is the SHA-256 of the rows as PostgreSQL's COPY spells them, in the order of
    their key, and `sha256` that of the file.
    """

    table: str
    month: str
    rows: int
    content: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A month that is in a file; it is not dropped if the table was in use just then."""

    path: Path
    rows: int
    dropped: bool


def old_months(engine: Engine, table: str, keep: int) -> list[datetime]:
    """Return the months with rows that are older than so many before the newest row's."""
    time = TIMES[table]
    with _cursor(engine) as cursor:
        cursor.execute(f"SELECT max({time}) FROM market.{table}")  # noqa: S608 - our own names
        ((newest,),) = cursor.fetchall()
        if newest is None:
            return []
        years, months = divmod(month_of(newest).year * 12 + month_of(newest).month - 1 - keep, 12)
        before = month_of(newest).replace(year=years, month=months + 1)
        cursor.execute(
            f"SELECT DISTINCT date_trunc('month', {time}, 'UTC') FROM market.{table}"  # noqa: S608 - likewise
            f" WHERE {time} < %s ORDER BY 1",
            (before,),
        )
        return [month for (month,) in cursor.fetchall()]


def archive(engine: Engine, folder: Path, table: str, month: datetime) -> Archived:
    """Write a month into a file of the folder, and drop it from the database.

    Raises:
        FileRefused: The file does not read back as it was written.
        OSError: It could not be written.
    """
    with _cursor(engine) as cursor:
        copied = _copy(cursor, table, month)
    manifest = _find(folder, table, month, copied) or _write(folder, table, month, copied)
    path = folder / manifest.file
    if not _read(path, manifest).equals(_parse(table, copied)):
        raise FileRefused(f"{path} does not read back as it was written; nothing was dropped")
    return Archived(path=path, rows=manifest.rows, dropped=_drop(engine, table, month, manifest))


def restore(engine: Engine, path: Path) -> tuple[int, int]:
    """Put the rows of a file back; those on record stay as they are.

    Returns:
        How many the file holds, and how many of them were new.

    Raises:
        FileRefused: The file or its manifest is missing, or was changed.
    """
    manifest = _manifest(path.with_suffix(".json"))
    rows = _read(path, manifest)
    names = ", ".join(rows.column_names)
    spelled = BytesIO()
    options = arrow_csv.WriteOptions(quoting_style="all_valid", include_header=False)
    arrow_csv.write_csv(rows, spelled, options)
    spelled.seek(0)
    with _cursor(engine) as cursor:
        first = datetime.fromisoformat(manifest.month)
        cursor.execute("SELECT market.ensure_month(%s, %s)", (manifest.table, first))
        cursor.execute(f"CREATE TEMP TABLE restored (LIKE market.{manifest.table}) ON COMMIT DROP")
        cursor.copy_expert(f"COPY restored ({names}) FROM STDIN (FORMAT csv)", spelled)
        cursor.execute(
            f"INSERT INTO market.{manifest.table} ({names}) SELECT {names} FROM restored"  # noqa: S608 - our own names
            " ON CONFLICT DO NOTHING"
        )
        return manifest.rows, cursor.rowcount


def _drop(engine: Engine, table: str, month: datetime, manifest: Manifest) -> bool:
    """Drop a month if it is still what the manifest says; tells whether it is gone."""
    part = f"{table}_{month:%Y_%m}"
    try:
        with _cursor(engine) as cursor:
            cursor.execute(BRIEFLY)
            cursor.execute(ALONE, (part,))
            copied = _copy(cursor, table, month)
            if hashlib.sha256(copied).hexdigest() != manifest.content:
                return False
            cursor.execute(IS_PART, (f"market.{part}",))
            if cursor.fetchone()[0]:
                cursor.execute(f"DROP TABLE market.{part}")
            else:  # a hypertable, whose chunks have other bounds
                span = (month, month_after(month))
                time = TIMES[table]
                those = f"FROM market.{table} WHERE {time} >= %s AND {time} < %s"
                cursor.execute(f"DELETE {those}", span)
    except errors.LockNotAvailable:
        return False
    return True


def _copy(cursor: Any, table: str, month: datetime) -> bytes:
    """Return the rows of a month as CSV, in the order of their key."""
    columns = ROWS[table].__table__.columns
    names, key = ", ".join(columns.keys()), ", ".join(c.name for c in columns if c.primary_key)
    time = TIMES[table]
    query = cursor.mogrify(
        f"COPY (SELECT {names} FROM market.{table} WHERE {time} >= %s AND {time} < %s"  # noqa: S608 - our own names
        f" ORDER BY {key}) TO STDOUT (FORMAT csv, HEADER)",
        (month, month_after(month)),
    )
    copied = BytesIO()
    cursor.copy_expert(query.decode(), copied)
    return copied.getvalue()


def _parse(table: str, copied: bytes) -> pa.Table:
    columns = ROWS[table].__table__.columns
    options = arrow_csv.ConvertOptions(
        column_types={column.name: KINDS[column.type.python_type] for column in columns},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return arrow_csv.read_csv(BytesIO(copied), convert_options=options)


def _find(folder: Path, table: str, month: datetime, copied: bytes) -> Manifest | None:
    """Return the manifest of these very rows, if they were written before."""
    content = hashlib.sha256(copied).hexdigest()
    for path in sorted(folder.glob(f"{table}-{month:%Y-%m}*.json")):
        manifest = _manifest(path)
        if manifest.content == content:
            return manifest
    return None


def _write(folder: Path, table: str, month: datetime, copied: bytes) -> Manifest:
    folder.mkdir(parents=True, exist_ok=True)
    path, number = folder / f"{table}-{month:%Y-%m}.parquet", 1
    while path.with_suffix(".json").exists():  # rows that came after the month was dropped
        number += 1
        path = folder / f"{table}-{month:%Y-%m}-{number}.parquet"
    rows = _parse(table, copied)
    with replace(path) as beside:
        parquet.write_table(rows, beside, compression="zstd")
    manifest = Manifest(
        table=table,
        month=month.isoformat(),
        rows=rows.num_rows,
        content=hashlib.sha256(copied).hexdigest(),
        file=path.name,
        sha256=digest(path),
    )
    put(path.with_suffix(".json"), json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def _manifest(path: Path) -> Manifest:
    try:
        manifest = Manifest(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise FileRefused(f"{path} is not the manifest of an archived month: {error}") from None
    if manifest.table not in ROWS:
        raise FileRefused(f"{path} is about {manifest.table}, a table that is not archived")
    return manifest


def _read(path: Path, manifest: Manifest) -> pa.Table:
    try:
        if digest(path) != manifest.sha256:
            raise FileRefused(f"{path} is not the file its manifest is about: another SHA-256")
        return parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise FileRefused(f"cannot read {path}: {error}") from None


@contextmanager
def _cursor(engine: Engine) -> Iterator[Any]:
    """Give a cursor whose transaction is committed at the end."""
    with engine.begin() as connection:
        raw: Any = connection.connection
        with raw.cursor() as cursor:
            yield cursor
