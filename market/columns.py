"""The columns of a feature row, in groups: each name beside what computes it.

Every group sees the same window of the last bars. Flow and the neighbours' prices are NaN
where the source did not tell; what would need them then takes its neutral value.
"""

from __future__ import annotations

import math
from math import nan, pi
from typing import TYPE_CHECKING, NamedTuple, Protocol

from market import kernels
from market.arithmetic import (
    before,
    known,
    largest,
    log,
    log_where,
    pick,
    ratio,
    smallest,
    total,
    wave,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from market.arithmetic import Number

LONG = 60
MIDDLE = 30
SURGE_BARS = 3
SURGE_SCORE = 2.0  # a leg of three bars twice as far as chance would usually go
SURGE_BUSYNESS = 0.9  # ... on about one and a half times the usual volume: log1p(1.46)
DAY = 24 * 60  # minutes
LOG_2 = math.log(2.0)


class Row(NamedTuple):
    """One bar as numbers, or many as columns.

    `bought` is the volume of those who came to buy, `trades` their number and that of the
    sellers. `peer` and `leader` are closes of other markets, of the bar before this one, so
    that no market ever waits for another. `minute` is when the bar ended, in minutes of the
    UTC day.
    """

    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    bought: Number = nan
    trades: Number = nan
    peer: Number = nan
    leader: Number = nan
    minute: Number = 0.0


class Told(NamedTuple):
    """What one bar adds to the windows: its own numbers, and what follows from the one before.

    The fields of Row, and logs: `span` of high by low, `log_close`, the steps from the bar
    before (`change` of the close), and Wilder's `true_range` against it.
    """

    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    bought: Number
    trades: Number
    peer: Number
    leader: Number
    minute: Number
    typical: Number
    span: Number
    log_close: Number
    change: Number
    true_range: Number
    peer_step: Number
    leader_step: Number


def tell(now: Row, before: Row) -> Told:
    """Work out what a bar adds; both rows may hold columns."""
    return Told(
        *now,
        typical=(now.high + now.low + now.close) / 3,
        span=log(now.high / now.low),
        log_close=log(now.close),
        change=log(now.close / before.close),
        true_range=kernels.true_range(now.high, now.low, before.close),
        peer_step=log(now.peer / before.peer),
        leader_step=log(now.leader / before.leader),
    )


class Window(Protocol):
    """The last bars, as many as anybody asks for; the newest is last."""

    @property
    def volatility(self) -> Number:
        """The deviation of the last LONG changes."""

    @property
    def marks(self) -> Sequence[Number]:
        """What `mark` said of the last MIDDLE bars."""

    def last(self, name: str, count: int) -> Sequence[Number]:
        """Return one of Told's quantities in so many last bars."""


def mark(window: Window) -> Number:
    """Return 1 or -1 if a leg of SURGE_BARS up or down on raised volume ends here, else 0."""
    closes, volumes = window.last("close", SURGE_BARS + 1), window.last("volume", LONG)
    score = kernels.score(kernels.change(closes, SURGE_BARS), window.volatility, SURGE_BARS)
    busy = kernels.busyness(volumes, SURGE_BARS) >= SURGE_BUSYNESS
    leg = busy & (abs(score) >= SURGE_SCORE)
    return pick(leg & (score > 0), 1.0, pick(leg, -1.0, 0.0))


def _moves(window: Window) -> list[Number]:
    closes, changes = window.last("close", MIDDLE + 1), window.last("change", 10)
    moved = {bars: kernels.change(closes, bars) for bars in (2, 3, 5, 10, 15, MIDDLE)}
    recent = kernels.deviation(changes)
    return [
        changes[-1],
        *moved.values(),
        recent,
        window.volatility,
        ratio(recent, window.volatility, neutral=1.0),
        *(kernels.score(moved[bars], window.volatility, bars) for bars in (3, 5, 10)),
    ]


def _shape(window: Window) -> list[Number]:
    close, low, high = (window.last(name, MIDDLE) for name in ("close", "low", "high"))
    opened, ranges = window.last("open", 1)[-1], window.last("true_range", 14)
    reach = high[-1] - low[-1]
    return [
        kernels.trend(window.last("close", LONG), 10),
        kernels.strength(window.last("change", 14)),
        kernels.straightness(window.last("change", 10)),
        total(ranges) / len(ranges) / close[-1],
        kernels.position(close[-1], smallest(low), largest(high)),
        ratio(close[-1] - opened, reach, neutral=0.0),
        kernels.position(close[-1], low[-1], high[-1]),
    ]


def _swings(window: Window) -> list[Number]:
    closes, typical = window.last("close", 20), window.last("typical", 20)
    spans, changes = window.last("span", LONG), window.last("change", MIDDLE + 1)
    slope = kernels.slope(window.last("log_close", 20))
    return [
        kernels.bands(closes),
        kernels.channel(typical),
        kernels.ages(window.last("high", 15), window.last("low", 15)),
        kernels.money_flow(typical[-15:], window.last("volume", 14)),
        ratio(slope, window.volatility, neutral=0.0),
        kernels.downside(changes[1:]),
        ratio(kernels.reach(spans[-10:]), kernels.reach(spans), neutral=1.0),
        kernels.correlation(changes[:-1], changes[1:]),
    ]


def _activity(window: Window) -> list[Number]:
    changes, volumes = window.last("change", 10), window.last("volume", LONG)
    return [
        kernels.busyness(volumes, 1),
        kernels.busyness(volumes, 3),
        kernels.busyness(volumes, 10),
        kernels.pressure(changes[-3:], volumes[-3:]),
        kernels.pressure(changes, volumes[-10:]),
    ]


def _flow(window: Window) -> list[Number]:
    bought, volumes = window.last("bought", MIDDLE), window.last("volume", LONG)
    counts = window.last("trades", LONG)
    counted = known(counts)
    flows = ((bought[-bars:], volumes[-bars:]) for bars in (1, 3, 10, MIDDLE))
    return [
        *(pick(known(some), kernels.flow(some, traded), 0.0) for some, traded in flows),
        *(pick(counted, kernels.busyness(counts, bars), LOG_2) for bars in (1, 10)),
        pick(counted, kernels.sizes(volumes, counts, 3), 0.0),
    ]


def _surge(window: Window) -> list[Number]:
    age, direction = kernels.latest(window.marks)
    closes = window.last("close", MIDDLE + 1)
    since = log_where(direction != 0, closes[-1] / before(closes, age))
    return [age, direction, since]


def _beside(window: Window) -> list[Number]:
    """Compare with the neighbours up to the bar before, the last that is surely known."""
    closes = window.last("close", MIDDLE + 2)[:-1]
    changes = window.last("change", MIDDLE + 1)[:-1]
    values: list[Number] = []
    for name in ("peer", "leader"):
        theirs, steps = window.last(name, MIDDLE + 1), window.last(f"{name}_step", MIDDLE)
        told = known(theirs)
        whole = kernels.change(theirs, MIDDLE)
        compared = (
            steps[-1],
            kernels.change(theirs, 5),
            kernels.score(kernels.change(theirs, 10), kernels.deviation(steps), 10),
            kernels.change(closes, MIDDLE) - whole,
            kernels.correlation(steps, changes),
        )
        values += [pick(told, value, 0.0) for value in compared]
    return values


def _clock(window: Window) -> list[Number]:
    return list(wave(2 * pi * window.last("minute", 1)[-1] / DAY))


GROUPS: tuple[tuple[str, Callable[[Window], list[Number]]], ...] = (
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


def values(window: Window) -> list[Number]:
    """Compute the row, in the order of NAMES."""
    return [value for _, group in GROUPS for value in group(window)]
