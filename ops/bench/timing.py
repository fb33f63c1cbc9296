"""What a list of times says: percentiles, and figures made of them."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from ops.bench.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MILLISECONDS = 1000


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return the least value that so large a share of the values does not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(
    name: str,
    seconds: Sequence[float],
    how: str,
    *,
    share: float = 0.99,
    goal: float | None = None,
) -> Figure:
    """Make a figure of a percentile of times, with the median and the longest in its story.

    Args:
        name: What was timed; the percentile is added to it.
        seconds: The times.
        how: How they were measured.
        share: Which percentile it is, as a fraction.
        goal: The most it may be, in ms.
    """
    median, longest = percentile(seconds, 0.5), max(seconds)
    return Figure(
        name=f"{name}, p{share * 100:g}",
        value=MILLISECONDS * percentile(seconds, share),
        unit="ms",
        goal=goal,
        at_most=True,
        how=f"{how}; {len(seconds)} times, median {MILLISECONDS * median:.3g} ms, "
        f"longest {MILLISECONDS * longest:.3g} ms",
    )


def on_schedule(count: int, every: float, act: Callable[[int, float], None]) -> None:
    """Call `act` with 0, 1, 2 ... and the time it was to happen, whether or not it is late.

    The schedule does not wait for what it sets off: who measures from the time given counts
    every delay that an earlier call causes.

    Args:
        count: How often.
        every: Seconds between the times.
        act: Takes the number and the time, in seconds of `time.perf_counter`.
    """
    began = time.perf_counter() + every
    for number in range(count):
        due = began + number * every
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        act(number, due)
