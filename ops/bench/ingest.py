"""How many bars a second come onto the record: from a file, from arrays, from objects."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from sqlalchemy import text
from sqlalchemy.orm import Session

from market import bulk, csv_bars, history
from market.bar_columns import MICROSECOND, BarColumns, bars_of, unknown
from market.bars import EPOCH
from ops.bench.circumstances import MINUTE
from ops.bench.figures import Figure
from ops.bench.record import END, database
from sql.amounts import Amounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from market.bars import Bar
    from ops.bench.figures import Plan

XRP = "XRP/USD"
YEAR, WEEKS = 365 * 24 * 60, 3 * 7 * 24 * 60  # bars of a minute
TIMES, ONCE = 3, 1
FEW = 20_000  # bars that become objects
GOAL = 200_000.0  # bars a second
TENTHS = 10**13  # of a unit of an amount, so that prices have five decimals
DISK = "PostgreSQL synced every commit"


def measure(plan: Plan) -> list[Figure]:
    """Write a year of made-up minutes, each way into empty tables; the best time counts."""
    bars = made(WEEKS if plan.quick else YEAR, plan.seed)
    times = plan.runs or (ONCE if plan.quick else TIMES)
    with database() as engine, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bars.csv"
        size = write_csv(file, bars)
        few = bars.take(slice(FEW))
        file_of = f"{len(bars):,} bars of a minute, a file of {size / 1e6:.0f} MB"

        def from_file() -> int:
            return bulk.copy_columns(engine, [csv_bars.read_csv(file, XRP, MINUTE)], "bench")

        def from_arrays() -> int:
            return bulk.copy_columns(engine, [bars], "bench")

        objects = list(bars_of(few))
        whole = _timed(engine, from_file, times)
        again = _seconds(from_file)
        arrays = _timed(engine, from_arrays, times)
        used = _processor(engine, from_file)
        reading = min(_seconds(lambda: csv_bars.read_csv(file, XRP, MINUTE)) for _ in range(times))
        copied = _timed(engine, lambda: bulk.copy_bars(engine, objects, "bench"), times)
        inserted = _timed(engine, lambda: _insert(engine, objects), ONCE)
    return [
        _rate(
            "bars a second from a CSV file",
            len(bars),
            whole,
            f"{file_of}, to committed rows of every month; {DISK}; of {whole:.3g} s "
            f"{reading:.3g} s are reading and checking the file; best of {times}",
            goal=GOAL,
        ),
        _rate(
            "bars a second from arrays",
            len(bars),
            arrays,
            f"the same bars in memory; {DISK}; best of {times}",
            goal=GOAL,
        ),
        _rate(
            "bars a second of one processor's time, from a CSV file",
            len(bars),
            used,
            "what our process and PostgreSQL's used of the processors for the same, however "
            "busy the machine was",
        ),
        _rate("bars a second read from the file", len(bars), reading, "without a database"),
        _rate("bars a second when all are on record", len(bars), again, "the file once more"),
        _rate("bars a second from objects", FEW, copied, "copy_bars, as providers call it"),
        _rate("bars a second by INSERT", FEW, inserted, "record_bars, as the live trader writes"),
    ]


def made(count: int, seed: int) -> BarColumns:
    """Make bars of a minute up to the end of the record, with five decimals and eight."""
    random = np.random.default_rng(seed)
    closes = 200_000 + np.cumsum(random.integers(-20, 21, count))
    closes = np.maximum(closes, 1_000)
    opens = np.roll(closes, 1)
    high = np.maximum(opens, closes) + random.integers(0, 30, count)
    low = np.minimum(opens, closes) - random.integers(0, 30, count)
    trades, bought, bought_known = unknown(count)
    end = (END - EPOCH) // MICROSECOND
    return BarColumns(
        symbol=XRP,
        interval=MINUTE,
        start=end + np.arange(-count, 0) * (MINUTE // MICROSECOND),
        open=_price(opens),
        high=_price(high),
        low=_price(low),
        close=_price(closes),
        volume=Amounts(
            random.integers(0, 100_000, count), random.integers(0, 10**8, count) * 10**10
        ),
        trades=trades,
        bought=bought,
        bought_known=bought_known,
    )


def _price(points: NDArray[np.int64]) -> Amounts:
    whole, rest = np.divmod(points, 10**5)
    return Amounts(whole, rest * TENTHS)


def write_csv(file: Path, bars: BarColumns) -> int:
    """Write a file as exchanges' archives have them, and return its size in bytes."""
    sides = [_spelled(side, 5) for side in (bars.open, bars.high, bars.low, bars.close)]
    starts = np.datetime_as_string(bars.start.astype("datetime64[us]"), unit="s").tolist()
    rows = zip(starts, *sides, _spelled(bars.volume, 8), strict=True)
    lines = [",".join(csv_bars.HEADER), *(",".join(row) for row in rows)]
    return file.write_text("\n".join(lines) + "\n")


def _spelled(amounts: Amounts, decimals: int) -> list[str]:
    fractions = (amounts.fraction // 10 ** (18 - decimals)).tolist()
    pairs = zip(amounts.whole.tolist(), fractions, strict=True)
    return [f"{whole}.{fraction:0{decimals}}" for whole, fraction in pairs]


def _insert(engine: Engine, bars: list[Bar]) -> int:
    with Session(engine) as session, session.begin():
        return history.record_bars(session, bars, "bench")


def _timed(engine: Engine, act: Callable[[], int], times: int) -> float:
    return min(_into_empty(engine, act) for _ in range(times))


def _processor(engine: Engine, act: Callable[[], int]) -> float:
    """Return the seconds of processor time that act and the server took for it."""
    _empty(engine)
    engine.dispose()  # the time of connections that have ended is not known any more
    with engine.connect() as connection:
        backend = psutil.Process(connection.connection.driver_connection.info.backend_pid)  # type: ignore[union-attr]  # psycopg2's
    before = _used(backend)
    act()
    return _used(backend) - before


def _used(backend: psutil.Process) -> float:
    times = backend.cpu_times()
    return time.process_time() + times.user + times.system


def _into_empty(engine: Engine, act: Callable[[], int]) -> float:
    _empty(engine)
    return _seconds(act)


def _empty(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        parts = connection.scalars(text("SELECT inhrelid::regclass::text FROM pg_inherits"))
        for part in parts.all():
            connection.execute(text(f"DROP TABLE IF EXISTS {part}"))
        connection.execute(text("CHECKPOINT"))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _rate(name: str, count: int, seconds: float, how: str, *, goal: float | None = None) -> Figure:
    return Figure(name=name, value=count / seconds, unit="bars/s", goal=goal, how=how)
