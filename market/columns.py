"""The columns of a feature row, in groups: each name beside what computes it.

Every group sees the same window of the last bars. Flow and the neighbours' prices are NaN
where the source did not tell; what would need them then takes its neutral value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, fsum, isnan, log, nan, pi, sin
from typing import TYPE_CHECKING, NamedTuple

from market import kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONG = 60
MIDDLE = 30
SURGE_BARS = 3
SURGE_SCORE = 2.0  # a leg of three bars twice as far as chance would usually go
SURGE_BUSYNESS = 0.9  # ... on about one and a half times the usual volume: log1p(1.46)
DAY = 24 * 60  # minutes


class Row(NamedTuple):
    """One bar as numbers.

    `bought` is the volume of those who came to buy, `trades` their number and that of the
    sellers. `peer` and `leader` are closes of other markets, of the bar before this one, so
    that no market ever waits for another. `minute` is when the bar ended, in minutes of the
    UTC day.
    """

    open: float
    high: float
    low: float
    close: float
    volume: float
    bought: float = nan
    trades: float = nan
    peer: float = nan
    leader: float = nan
    minute: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The last bars; the newest is last. `returns` are one bar's log returns."""

    rows: Sequence[Row]
    closes: list[float]
    returns: list[float]
    volumes: list[float]
    ranges: list[float]
    marks: list[float]
    volatility: float


def mark(closes: list[float], volumes: list[float], volatility: float) -> float:
    """Return 1 or -1 if a leg of SURGE_BARS up or down on raised volume ends here, else 0."""
    score = kernels.score(kernels.change(closes, SURGE_BARS), volatility, SURGE_BARS)
    if abs(score) < SURGE_SCORE or kernels.busyness(volumes, SURGE_BARS) < SURGE_BUSYNESS:
        return 0.0
    return 1.0 if score > 0 else -1.0


def _moves(window: Window) -> list[float]:
    moved = {bars: kernels.change(window.closes, bars) for bars in (1, 2, 3, 5, 10, 15, 30)}
    recent = kernels.deviation(window.returns[-10:])
    return [
        *moved.values(),
        recent,
        window.volatility,
        kernels.ratio(recent, window.volatility, neutral=1.0),
        *(kernels.score(moved[bars], window.volatility, bars) for bars in (3, 5, 10)),
    ]


def _shape(window: Window) -> list[float]:
    bar = window.rows[-1]
    last = window.rows[-MIDDLE:]
    return [
        kernels.trend(window.closes[1:], 10),
        kernels.strength(window.returns[-14:]),
        kernels.straightness(window.returns[-10:]),
        fsum(window.ranges) / len(window.ranges) / bar.close,
        kernels.position(bar.close, min(row.low for row in last), max(row.high for row in last)),
        kernels.ratio(bar.close - bar.open, bar.high - bar.low, neutral=0.0),
        kernels.position(bar.close, bar.low, bar.high),
    ]


def _swings(window: Window) -> list[float]:
    typical = [(row.high + row.low + row.close) / 3 for row in window.rows[-20:]]
    fortnight = window.rows[-15:]
    reaches = [log(row.high / row.low) for row in window.rows[-LONG:]]
    slope = kernels.slope([log(close) for close in window.closes[-20:]])
    return [
        kernels.bands(window.closes[-20:]),
        kernels.channel(typical),
        kernels.ages([row.high for row in fortnight], [row.low for row in fortnight]),
        kernels.money_flow(typical[-15:], window.volumes[-14:]),
        kernels.ratio(slope, window.volatility, neutral=0.0),
        kernels.downside(window.returns[-MIDDLE:]),
        kernels.ratio(kernels.reach(reaches[-10:]), kernels.reach(reaches), neutral=1.0),
        kernels.correlation(window.returns[-MIDDLE - 1 : -1], window.returns[-MIDDLE:]),
    ]


def _activity(window: Window) -> list[float]:
    returns, volumes = window.returns, window.volumes
    return [
        kernels.busyness(volumes, 1),
        kernels.busyness(volumes, 3),
        kernels.busyness(volumes, 10),
        kernels.pressure(returns[-3:], volumes[-3:]),
        kernels.pressure(returns[-10:], volumes[-10:]),
    ]


def _flow(window: Window) -> list[float]:
    bought = [row.bought for row in window.rows]
    counts = [row.trades for row in window.rows[-LONG:]]
    busy = [kernels.busyness(counts, bars) for bars in (1, 10)] if _told(counts) else [log(2.0)] * 2
    return [
        *(
            kernels.flow(bought[-bars:], window.volumes[-bars:]) if _told(bought[-bars:]) else 0.0
            for bars in (1, 3, 10, MIDDLE)
        ),
        *busy,
        kernels.sizes(window.volumes, counts, 3) if _told(counts) else 0.0,
    ]


def _surge(window: Window) -> list[float]:
    age, direction = kernels.latest(window.marks)
    since = kernels.change(window.closes, int(age)) if direction else 0.0
    return [age, direction, since]


def _beside(window: Window) -> list[float]:
    """Compare with the neighbours up to the bar before, the last that is surely known."""
    here = window.closes[-MIDDLE - 2 : -1]
    values = []
    for closes in (
        [row.peer for row in window.rows[-MIDDLE - 1 :]],
        [row.leader for row in window.rows[-MIDDLE - 1 :]],
    ):
        values += _compared(closes, here) if _told(closes) else [0.0] * 5
    return values


def _compared(closes: list[float], here: list[float]) -> list[float]:
    moves = kernels.steps(closes)
    whole = kernels.change(closes, MIDDLE)
    return [
        kernels.change(closes, 1),
        kernels.change(closes, 5),
        kernels.score(kernels.change(closes, 10), kernels.deviation(moves), 10),
        kernels.change(here, MIDDLE) - whole,
        kernels.correlation(moves, kernels.steps(here)),
    ]


def _clock(window: Window) -> list[float]:
    angle = 2 * pi * window.rows[-1].minute / DAY
    return [sin(angle), cos(angle)]


def _told(values: Sequence[float]) -> bool:
    return not any(map(isnan, values))


GROUPS: tuple[tuple[str, Callable[[Window], list[float]]], ...] = (
    (
        (
            "return_1 return_2 return_3 return_5 return_10 return_15 return_30 volatility_10 "
            "volatility_60 volatility_ratio score_3 score_5 score_10"
        ),
        _moves,
    ),
    (
        "trend_10_60 strength_14 straightness_10 range_14 position_30 body position_1",
        _shape,
    ),
    (
        "bands_20 channel_20 ages_14 money_flow_14 slope_20 downside_30 reach_ratio echo_30",
        _swings,
    ),
    ("busyness_1 busyness_3 busyness_10 pressure_3 pressure_10", _activity),
    ("flow_1 flow_3 flow_10 flow_30 trades_1 trades_10 sizes_3", _flow),
    ("surge_age surge_direction surge_return", _surge),
    (
        (
            "peer_return_1 peer_return_5 peer_score_10 peer_lead_30 peer_correlation_30 "
            "leader_return_1 leader_return_5 leader_score_10 leader_lead_30 leader_correlation_30"
        ),
        _beside,
    ),
    ("day_sine day_cosine", _clock),
)
NAMES: tuple[str, ...] = tuple(name for names, _ in GROUPS for name in names.split())


def values(window: Window) -> list[float]:
    """Compute the row, in the order of NAMES."""
    return [value for _, group in GROUPS for value in group(window)]
