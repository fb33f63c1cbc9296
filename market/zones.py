"""Are a market's bars shifted by whole hours? Its neighbours' moves tell.

Markets move together within the same interval and hardly at all across hours. So if the
moves of a stretch of bars match those of a neighbour some hours away, and not those of the
same hours, their times were written in another zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from market.bars import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FARTHEST = 14  # hours; no zone is farther from UTC
SHORTEST_WINDOW = 96  # bars; fewer cannot tell a shift from chance
LEAST_OVERLAP = 48  # pairs of moves
# How many standard errors the best shift has to lie from no correlation at all: of 28 shifts
# in each day of ten years, noise exceeds 5.0 in 3 of 100 records. And by how many it has to
# beat no shift, since moves that match twice accuse nobody. Moves that follow from those before
# them match by chance far oftener: an error is never taken to be less than the root mean square
# of what the other shifts of the window show.
SURE = 5.0
BETTER = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A stretch whose bars match a neighbour's of so many hours later."""

    start: datetime
    end: datetime
    hours: int
    correlation: float
    unshifted: float


def shifts(
    starts: Sequence[datetime],
    closes: Sequence[float],
    beside: tuple[Sequence[datetime], Sequence[float]],
    interval: timedelta,
) -> list[Shift]:
    """Find the days whose bars are shifted by whole hours against a neighbour's.

    A window is a UTC day, or as many days as 96 bars take; neighbouring windows with the
    same shift are one. Rank correlations of moves are compared by Fisher's z, so markets
    whose moves correlate below 0.48 tell nothing in a window of 96 bars, 0.13 in one of 1440.

    Args:
        starts: When each bar starts, ascending, on the interval's grid.
        closes: The bars' closes.
        beside: Starts and closes of a market that moves with this one.
        interval: The bars' length; nothing is found if it does not divide an hour.
    """
    hour = timedelta(hours=1)
    if hour % interval or not starts or not beside[0]:
        return []
    window = _window(interval)
    first = EPOCH + (starts[0] - EPOCH) // window * window
    bars = ((starts[-1] - first) // window + 1) * (window // interval)
    margin = FARTHEST * (hour // interval)
    ours = _moves(starts, closes, first, bars, interval)
    theirs = _moves(*beside, first - FARTHEST * hour, bars + 2 * margin, interval)
    length = window // interval
    found = []
    for begin in range(0, bars, length):
        around = theirs[begin : begin + length + 2 * margin]
        judged = _judge(ours[begin : begin + length], around, hour // interval)
        if judged is not None:
            start = first + begin * interval
            hours, best, unshifted = judged
            found.append(
                Shift(
                    start=start,
                    end=start + window,
                    hours=hours,
                    correlation=best,
                    unshifted=unshifted,
                )
            )
    return together(found)


def agreed(verdicts: Sequence[Sequence[Shift]]) -> list[Shift]:
    """Return the shifts of the first verdict that every other one confirms.

    One neighbour that is itself in the wrong zone then accuses nobody.
    """
    if not verdicts:
        return []
    first, *others = verdicts
    return [
        one
        for one in first
        if all(
            any(o.hours == one.hours and o.start < one.end and one.start < o.end for o in other)
            for other in others
        )
    ]


def together(found: list[Shift]) -> list[Shift]:
    """Make one of each run of shifts by the same hours; it is as sure as its weakest part."""
    merged: list[Shift] = []
    for one in found:
        if merged and merged[-1].end == one.start and merged[-1].hours == one.hours:
            before = merged[-1]
            weakest = min(before, one, key=lambda shift: shift.correlation - shift.unshifted)
            merged[-1] = Shift(
                start=before.start,
                end=one.end,
                hours=one.hours,
                correlation=weakest.correlation,
                unshifted=weakest.unshifted,
            )
        else:
            merged.append(one)
    return merged


def _window(interval: timedelta) -> timedelta:
    day = timedelta(days=1)
    return max(1, -(-SHORTEST_WINDOW * interval // day)) * day


def _moves(
    starts: Sequence[datetime],
    closes: Sequence[float],
    first: datetime,
    bars: int,
    interval: timedelta,
) -> Floats:
    """Return the ranks of the returns on the grid from `first` on, NaN where there is none."""
    grid = np.full(bars, np.nan)
    places = np.array([(start - first) // interval for start in starts])
    inside = (places >= 0) & (places < bars)
    grid[places[inside]] = np.log(np.asarray(closes, dtype=np.float64)[inside])
    moves = np.concatenate(([np.nan], np.diff(grid)))
    known = np.isfinite(moves)
    _, which, counts = np.unique(moves[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    moves[known] = middle[which] / max(1, known.sum()) - 0.5
    return moves


def _judge(ours: Floats, around: Floats, per_hour: int) -> tuple[int, float, float] | None:
    scores = {}
    for hours in range(-FARTHEST, FARTHEST + 1):
        begin = (FARTHEST + hours) * per_hour
        scores[hours] = _correlation(ours, around[begin : begin + len(ours)])
    unshifted, pairs = scores[0]
    best = max(scores, key=lambda hours: scores[hours][0])
    correlation, matched = scores[best]
    if best == 0 or not pairs or not matched:
        return None
    limited = np.clip([score for score, _ in scores.values()], -0.999999, 0.999999)
    heights = dict(zip(scores, np.arctanh(limited).tolist(), strict=True))
    high, low = heights.pop(best), heights[0]
    chance = float(np.sqrt(np.mean(np.square(list(heights.values())))))
    error = max(chance, 1 / np.sqrt(matched - 3))
    if high < SURE * error:
        return None
    if high - low < BETTER * np.hypot(error, max(chance, 1 / np.sqrt(pairs - 3))):
        return None
    return best, correlation, unshifted


def _correlation(ours: Floats, theirs: Floats) -> tuple[float, int]:
    both = np.isfinite(ours) & np.isfinite(theirs)
    pairs = int(both.sum())
    if pairs < LEAST_OVERLAP:
        return 0.0, 0
    a, b = ours[both] - ours[both].mean(), theirs[both] - theirs[both].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return (float(a @ b) / scale if scale > 0 else 0.0), pairs
