"""Decide which arm of an experiment a unit belongs to, the same way every time."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

DIGEST_BYTES = 8


def position(salt: str, symbol: str, block_start: datetime) -> float:
    """Place a block of time in [0, 1), evenly and independently for every salt.

    The hash is keyed: with CRC32 two experiments whose salts have one length are
    perfectly correlated, because CRC is affine.

    Raises:
        ValueError: The time carries no zone, or the salt is empty or over 64 bytes.
    """
    if block_start.tzinfo is None:
        raise ValueError("the block's start must carry a time zone")
    if not salt:
        raise ValueError("an experiment needs a salt of its own")
    unit = f"{symbol}|{int(block_start.timestamp())}"
    digest = blake2b(unit.encode(), key=salt.encode(), digest_size=DIGEST_BYTES).digest()
    # 53 bits: all a float holds, so that 1.0 itself is never reached.
    return (int.from_bytes(digest) >> 11) / 2**53


def arm(at: float, weights: Sequence[float]) -> int:
    """Return the index of the arm whose share of [0, 1) holds the position.

    Widening an arm at the expense of the last one moves no unit that it already had.

    Raises:
        ValueError: The weights do not sum to one, or one is negative.
    """
    if min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:  # noqa: PLR2004 - float rounding
        raise ValueError(f"weights must be shares of one, not {list(weights)}")
    reached = 0.0
    for index, weight in enumerate(weights):
        reached += weight
        if at < reached:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
