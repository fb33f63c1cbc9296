"""One arithmetic for a number and for a column of numbers, equal to the last bit.

A kernel is written once, of these and of + - * /. With floats it computes one row, live;
with columns, arrays that hold one value for each of many rows, it computes them all. Python's
own mathematics is the measure: where numpy's is not known to round alike, a column's elements
go through Python's.
"""

from __future__ import annotations

import math
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Column = NDArray[np.float64]

# A float, or a column of them; what a comparison of such gives. Every value of one window is
# of one kind, which the type checker cannot follow through sequences.
Number = Any
Truth = Any

# A square rounds like Python's power unless it lies so near the middle of two floats, in units
# of their distance; the C library's power is known to be wrong by less than 0.03 of one.
SAFE = 0.46
SPLIT = 134_217_729.0  # 2^27 + 1, Dekker's, to cut a float into two halves
SMALL = 1e-280  # squares below lose bits of their error


def total(values: Sequence[Number]) -> Number:
    """Return the sum, rounded once (math.fsum)."""
    if not values or type(values[0]) is float:
        return math.fsum(values)
    return _column_total(values)


def ratio(part: Number, whole: Number, *, neutral: float) -> Number:
    """Return part by whole, or the neutral value where the whole is not above zero."""
    if type(whole) is float:
        return part / whole if whole > 0 else neutral
    some = whole > 0
    return np.where(some, part / np.where(some, whole, 1.0), neutral)


def pick(condition: Truth, value: Number, otherwise: Number) -> Number:
    """Return the value where the condition holds."""
    if condition is True:
        return value
    return otherwise if condition is False else np.where(condition, value, otherwise)


def log(value: Number) -> Number:
    """Return the natural logarithm."""
    return math.log(value) if type(value) is float else _each(math.log, value)


def log1p(value: Number) -> Number:
    """Return the natural logarithm of one more."""
    return math.log1p(value) if type(value) is float else _each(math.log1p, value)


def log_where(condition: Truth, value: Number) -> Number:
    """Return the logarithm where the condition holds, else zero."""
    if condition is True:
        return math.log(value)
    if condition is False:
        return 0.0
    logs = np.zeros(len(condition))
    logs[condition] = _each(math.log, value[condition])
    return logs


def root(value: Number) -> Number:
    """Return the square root; both kinds round it correctly."""
    return math.sqrt(value) if type(value) is float else np.sqrt(value)


def wave(angle: Number) -> tuple[Number, Number]:
    """Return sine and cosine."""
    if type(angle) is float:
        return math.sin(angle), math.cos(angle)
    return _each(math.sin, angle), _each(math.cos, angle)


def squares(values: Sequence[Number], mean: Number) -> list[Number]:
    """Return the squared differences from the mean, by Python's power."""
    if type(mean) is float:
        return [(x - mean) ** 2 for x in values]
    return [_column_square(x - mean) for x in values]


def kept(values: Sequence[Number], signs: Sequence[Number]) -> list[Number]:
    """Return each value where its sign is above zero, else zero."""
    if type(signs[0]) is float:
        return [x if sign > 0 else 0.0 for x, sign in zip(values, signs, strict=True)]
    return [np.where(sign > 0, x, 0.0) for x, sign in zip(values, signs, strict=True)]


def signed(values: Sequence[Number], signs: Sequence[Number]) -> list[Number]:
    """Return each value with a sign's sign, zero where that is zero."""
    if type(signs[0]) is float:
        pairs = zip(values, signs, strict=True)
        return [x if sign > 0 else -x if sign < 0 else 0.0 for x, sign in pairs]
    return [np.sign(sign) * x for x, sign in zip(values, signs, strict=True)]


def largest(values: Sequence[Number]) -> Number:
    """Return the largest value."""
    if type(values[0]) is float:
        return max(values)
    found = values[0]
    for value in values[1:]:
        found = np.maximum(found, value)
    return found


def smallest(values: Sequence[Number]) -> Number:
    """Return the smallest value."""
    if type(values[0]) is float:
        return min(values)
    found = values[0]
    for value in values[1:]:
        found = np.minimum(found, value)
    return found


def recency(values: Sequence[Number]) -> Number:
    """Return how many steps ago the largest value was; of equal ones the latest counts."""
    if type(values[0]) is float:
        return float(values[::-1].index(max(values)))
    best, ago = values[-1], np.zeros(len(values[-1]))
    for steps, value in enumerate(values[-2::-1], start=1):
        higher = value > best
        best, ago = np.where(higher, value, best), np.where(higher, float(steps), ago)
    return ago


def newest(marks: Sequence[Number]) -> tuple[Number, Number]:
    """Return how many steps ago the last value other than zero was, and the value.

    As many steps as there are values, and zero, if all are zero.
    """
    if type(marks[0]) is float:
        for ago, mark in enumerate(reversed(marks)):
            if mark:
                return float(ago), mark
        return float(len(marks)), 0.0
    found, steps = np.zeros(len(marks[0])), np.full(len(marks[0]), float(len(marks)))
    for ago, mark in enumerate(reversed(marks)):
        first = (found == 0) & (mark != 0)
        found, steps = np.where(first, mark, found), np.where(first, float(ago), steps)
    return steps, found


def before(values: Sequence[Number], steps: Number) -> Number:
    """Return the value so many steps before the newest, or the oldest if there are fewer."""
    if type(steps) is float:
        return values[max(-1 - int(steps), -len(values))]
    rows = np.arange(len(steps))
    back = np.minimum(steps.astype(np.intp), len(values) - 1)
    return np.stack(values[::-1])[back, rows]


def known(values: Sequence[Number]) -> Truth:
    """Tell whether none of the values is NaN."""
    if type(values[0]) is float:
        return not any(map(math.isnan, values))
    nobody = np.isnan(values[0])
    for value in values[1:]:
        nobody = nobody | np.isnan(value)
    return ~nobody


def _each(function: Callable[[float], float], column: Column) -> Column:
    return np.array(list(map(function, column.tolist())), dtype=np.float64)


def _column_square(x: Column) -> Column:
    """Square as Python's power does, which rounds a few products otherwise than `x * x`."""
    square = x * x
    cut = SPLIT * x
    high = cut - (cut - x)
    low = x - high
    error = ((high * high - square) + 2.0 * (high * low)) + low * low
    unsure = (np.abs(error) > SAFE * np.spacing(square)) | ((square < SMALL) & (x != 0))
    (where,) = np.nonzero(unsure)
    if len(where):
        square[where] = list(map(pow, x[where].tolist(), repeat(2)))
    return square


def _column_total(values: Sequence[Column]) -> Column:
    """Add up by Knuth's error-free sums; a row whose errors do not add up exactly uses fsum.

    The sum and the sum of its rounding errors are both kept; while the latter is exact, adding
    the two rounds the exact sum once (Ogita, Rump and Oishi 2005, algorithm 4.3).
    """
    first = values[0]
    big, small = first.copy(), np.zeros_like(first)
    lost = np.zeros(len(first), dtype=np.bool_)
    top, part, error = np.empty_like(first), np.empty_like(first), np.empty_like(first)
    off = np.empty(len(first), dtype=np.bool_)
    for value in values[1:]:
        np.add(big, value, out=top)
        np.subtract(top, big, out=part)
        np.subtract(top, part, out=error)
        np.subtract(big, error, out=error)
        np.subtract(value, part, out=part)
        np.add(error, part, out=error)
        big, top = top, big
        np.add(small, error, out=top)
        # Exact if and only if either operand is what is left when the other is taken away.
        np.subtract(top, small, out=part)
        np.not_equal(part, error, out=off)
        np.logical_or(lost, off, out=lost)
        np.subtract(top, error, out=part)
        np.not_equal(part, small, out=off)
        np.logical_or(lost, off, out=lost)
        small, top = top, small
    result: Column = big + small
    (where,) = np.nonzero(lost & np.isfinite(result))
    for row in where.tolist():
        result[row] = math.fsum([value[row] for value in values])
    return result + 0.0  # fsum knows no negative zero
