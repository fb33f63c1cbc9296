"""The pattern planted in the synthetic market, which a model is meant to find.

An hour has three slots of twenty minutes. A slot may hold one swing: three minutes in
which the price moves and trading is heavy, then ten minutes in which the price goes on in
the same direction by the stated edge, then rest. Slots come in pairs: the second swing
undoes the first, so the pattern never carries the price away. Which of the two goes up is
random, and so are the start and the size. With an edge of nothing there are no swings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sandbox.randomness import digest

SLOT = 1200.0
LEG = 180.0
FOLLOW = 600.0
LATEST_START = 360.0
PRESENT = 0.9
LEAD = 0.4
FAIR = 0.5
SIZES = (0.7, 1.3)

Floats = npt.NDArray[np.float64]


def _shares(raw: bytes) -> list[float]:
    return [int.from_bytes(raw[i : i + 4], "little") / 2**32 for i in range(0, len(raw), 4)]


def swing(seed: int, symbol: str, slot: int) -> tuple[float, float] | None:
    """Give the start of a slot's swing in seconds, and its signed size around one."""
    presence, direction, size = _shares(digest(seed, symbol, "pair", slot // 2, size=12))
    if presence > PRESENT:
        return None
    (start,) = _shares(digest(seed, symbol, "slot", slot, size=4))
    signed = (SIZES[0] + (SIZES[1] - SIZES[0]) * size) * (1 if direction < FAIR else -1)
    return start * LATEST_START, -signed if slot % 2 else signed


def displacement(seed: int, symbol: str, hour: int, edge: float, seconds: Floats) -> Floats:
    """Give what the swings add to the log-price at moments within an hour.

    Args:
        seed: The market's seed.
        symbol: The market.
        hour: Hours since 1970.
        edge: Average continuation as a fraction of the price; 0.015 is 150 basis points.
        seconds: Moments in order, counted from the start of the hour.
    """
    moved = np.zeros_like(seconds)
    if edge == 0:
        return moved
    for part in range(3):
        found = swing(seed, symbol, hour * 3 + part)
        if found is None:
            continue
        low, high = np.searchsorted(seconds, (part * SLOT, (part + 1) * SLOT))
        since = seconds[low:high] - part * SLOT - found[0]
        share = LEAD * np.clip(since / LEG, 0, 1) + np.clip((since - LEG) / FOLLOW, 0, 1)
        to_undo = 1 + LEAD if (hour * 3 + part) % 2 else 0.0
        moved[low:high] = edge * found[1] * (share - to_undo)
    return moved


def excitement(seed: int, symbol: str, hour: int, edge: float, seconds: Floats) -> Floats:
    """Give how many times the usual activity each moment of an hour has."""
    busy = np.ones_like(seconds)
    if edge == 0:
        return busy
    for part in range(3):
        found = swing(seed, symbol, hour * 3 + part)
        if found is not None:
            since = seconds - part * SLOT - found[0]
            busy[(since >= 0) & (since < LEG)] = 3.0
    return busy
