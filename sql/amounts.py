"""Many exact amounts at once: as whole numbers, since a float would round them.

What a column of NUMERIC(38, 18) can hold below ten to the eighteenth fits, to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

DECIMALS = 18
ONE: int = 10**DECIMALS
LIMIT: int = 10**18
EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """Amounts of at least 0, split at the decimal point.

    `whole` and `fraction` are int64 of the same length; the fraction counts units of
    ten to the minus eighteenth and is less than one.
    """

    whole: NDArray[np.int64]
    fraction: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.whole)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Amounts:
        """Return those that a mask, positions or a slice choose."""
        return Amounts(self.whole[which], self.fraction[which])

    def __le__(self, other: Amounts) -> NDArray[np.bool_]:
        """Tell of each whether it is at most the other's."""
        same = self.whole == other.whole
        at_most: NDArray[np.bool_] = (self.whole < other.whole) | (
            same & (self.fraction <= other.fraction)
        )
        return at_most

    def positive(self) -> NDArray[np.bool_]:
        """Tell of each whether it is more than 0."""
        more: NDArray[np.bool_] = (self.whole > 0) | (self.fraction > 0)
        return more

    def decimals(self) -> list[Decimal]:
        """Return them as decimals."""
        pairs = zip(self.whole.tolist(), self.fraction.tolist(), strict=True)
        return [
            EXACT.scaleb(Decimal(whole * ONE + fraction), -DECIMALS) for whole, fraction in pairs
        ]


def amounts(values: Iterable[Decimal]) -> Amounts:
    """Split decimals.

    Raises:
        ValueError: One is not a number, less than 0, too large, or has more than eighteen
            decimals that are not 0.
    """
    pairs = [_split(value) for value in values]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Amounts(np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]))


def from_words(low: NDArray[np.uint64], whole: NDArray[np.int64]) -> Amounts:
    """Split amounts of which the whole part is known already.

    Args:
        low: The lower 64 bits of each amount, counted in units of ten to the minus eighteenth.
        whole: Each amount's whole part, cut towards 0.

    Raises:
        ValueError: One is less than 0.
    """
    # What is over the word's edge falls out of the difference, which is less than one.
    fraction = (low - whole.astype(np.uint64) * np.uint64(ONE)).astype(np.int64)
    if (whole < 0).any() or (fraction < 0).any() or (whole >= LIMIT).any():
        raise ValueError("an amount is less than 0 or too large to be kept")
    return Amounts(whole, fraction)


def exact(value: Decimal) -> Decimal:
    """Return the amount if it can be kept to the last digit; raises ValueError, as `amounts`."""
    _split(value)
    return value


def _split(value: Decimal) -> tuple[int, int]:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number")
    scaled = EXACT.scaleb(value, DECIMALS)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{value} has more than {DECIMALS} decimals")
    if not 0 <= units < LIMIT * ONE:
        raise ValueError(f"{value} is less than 0 or too large to be kept")
    return divmod(units, ONE)
