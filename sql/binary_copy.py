"""Rows in the binary format of PostgreSQL's COPY, made from whole columns at once.

All fields of a column are given the same width, so that a block of rows is one array of
records and no row is ever touched by itself. The format is in PostgreSQL's manual under
COPY; the fields are what the receive functions of their types read (numeric_recv takes
digits in base 10,000, and leading and trailing zeros among them do not matter).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from sql.amounts import Amounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
MILLENNIUM = 946_684_800_000_000  # microseconds from 1970 to 2000, where PostgreSQL counts from
BASE = 10_000
PLACES = (10**14, 10**10, 10**6, 10**2)  # units of a fraction in a digit of base 10,000
LAST_PLACE = 100  # the last digit has room for twenty decimals; there are eighteen
SCALE = 18
NULL = -1
TIME_ROW = np.dtype([("fields", ">i2"), ("length", ">i4"), ("time", ">i8")])


@dataclass(frozen=True, slots=True)
class Text:
    """The same text in every row."""

    value: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """NULL in every row."""


@dataclass(frozen=True, slots=True, eq=False)
class Integers:
    """INTEGER; the values fit into 32 bits."""

    values: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """TIMESTAMPTZ, as microseconds from 1970 on."""

    values: NDArray[np.int64]


Column = Text | Nothing | Integers | Times | Amounts
Field = tuple[str, "NDArray[np.int64] | int | bytes"]


def encode(columns: Sequence[Column], rows: int) -> bytes:
    """Return what COPY ... FROM STDIN (FORMAT binary) takes for so many rows."""
    fields: list[Field] = [(">i2", len(columns))]
    for column in columns:
        fields += _fields(column)
    block = np.empty(rows, dtype=[(f"f{n}", kind) for n, (kind, _) in enumerate(fields)])
    for n, (_, value) in enumerate(fields):
        block[f"f{n}"] = value
    return SIGNATURE + block.tobytes() + END


def decode_times(copied: bytes) -> NDArray[np.int64]:
    """Return the only column of COPY ... TO STDOUT (FORMAT binary), a TIMESTAMPTZ, as `Times`."""
    rows = np.frombuffer(copied[len(SIGNATURE) : -len(END)], dtype=TIME_ROW)
    return rows["time"].astype(np.int64) + MILLENNIUM


def _fields(column: Column) -> Iterator[Field]:
    match column:
        case Text(value):
            spelled = value.encode()
            yield ">i4", len(spelled)
            if spelled:
                yield f"S{len(spelled)}", spelled
        case Nothing():
            yield ">i4", NULL
        case Integers(values):
            yield ">i4", 4
            yield ">i4", values
        case Times(values):
            yield ">i4", 8
            yield ">i8", values - MILLENNIUM
        case Amounts():
            yield from _amounts(column)
        case _:
            assert_never(column)


def _amounts(amounts: Amounts) -> Iterator[Field]:
    weight, digits = _digits(amounts)
    yield ">i4", 2 * (4 + len(digits))
    for head in (len(digits), weight, 0, SCALE):  # 0: not negative
        yield ">i2", head
    for digit in digits:
        yield ">i2", digit


def _digits(amounts: Amounts) -> tuple[int, list[NDArray[np.int64]]]:
    """Return the first digit's power of 10,000, and the digits of all, as many as one needs."""
    rest, digit = np.divmod(amounts.whole, BASE)
    digits = [digit]
    while rest.any():
        rest, digit = np.divmod(rest, BASE)
        digits.insert(0, digit)
    weight, fraction = len(digits) - 1, amounts.fraction
    for place in PLACES:
        if not fraction.any():
            return weight, digits
        digit, fraction = np.divmod(fraction, place)
        digits.append(digit)
    if fraction.any():
        digits.append(fraction * LAST_PLACE)
    return weight, digits
