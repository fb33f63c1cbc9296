"""Candles of any interval and the statistics of a day, made from one-minute bars."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sandbox.market import HOUR_NS, Ints
from sandbox.tape import MINUTE_NS, Minutes, Tape, collapse

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
WEEK_OFFSET_NS = 4 * 24 * HOUR_NS
ROWS = 720
WIDE = 240
DAY_MINUTES = 1440
_WEEK = 10080


@dataclass(frozen=True)
class Candle:
    """One candle: prices in ticks, volume in lots, the average price in (float) ticks."""

    begin: int
    open: int
    high: int
    low: int
    close: int
    average: float
    volume: int
    count: int


def interval_begin(time: int, interval: int) -> int:
    """Give the start in ns of the candle a moment falls into; weeks start on Monday."""
    width = interval * MINUTE_NS
    shift = WEEK_OFFSET_NS if interval == _WEEK else 0
    return (time - shift) // width * width + shift


def candles(tape: Tape, interval: int, now: int, rows: int = ROWS) -> list[Candle]:
    """Give the last candles up to the unfinished one, oldest first.

    A candle without trades repeats the last price with a volume of nothing.
    """
    width = interval * MINUTE_NS
    told = None if tape.given is None else tape.given.candles.get(interval)
    if told:
        return _go_on(told, width, now)[-rows:]
    first = max(
        interval_begin(now, interval) - (rows - 1) * width, interval_begin(tape.listed, interval)
    )
    hours = range(max(first, tape.listed) // HOUR_NS, now // HOUR_NS + 1)
    minutes = _join([_bars(tape, hour, interval, now) for hour in hours])
    step = HOUR_NS * len(hours) // len(minutes.count)
    start = hours[0] * HOUR_NS + step * np.arange(len(minutes.count), dtype=np.int64)
    bucket = (start - first) // width
    total = int((interval_begin(now, interval) - first) // width) + 1
    before = tape.latest(max(first, tape.listed) - 1, 1)
    last = int(before.price[0]) if len(before.price) else tape.last_price(now)
    keep = (bucket >= 0) & (bucket < total) & (minutes.count > 0)
    places = np.flatnonzero(keep)
    edges = np.searchsorted(bucket[places], np.arange(total + 1)).tolist()
    made = []
    for index, (low, high) in enumerate(pairwise(edges)):
        begin = first + index * width
        if low == high:
            made.append(_flat(begin, last))
            continue
        chosen = places[low:high]
        candle = _candle(minutes, chosen, begin)
        last = candle.close
        made.append(candle)
    return made


def _flat(begin: int, price: int) -> Candle:
    return Candle(begin, price, price, price, price, 0.0, 0, 0)


def _go_on(told: dict[int, Candle], width: int, now: int) -> list[Candle]:
    """Fill the gaps between candles that were told, and go on until now."""
    made: list[Candle] = []
    for begin in [*sorted(told)[-ROWS:], now + 1]:
        while made and made[-1].begin + width < begin:
            made.append(_flat(made[-1].begin + width, made[-1].close))
        if begin in told:
            made.append(told[begin])
    return made


def _bars(tape: Tape, hour: int, interval: int, now: int) -> Minutes:
    """Give the bars a candle is made of: hours for wide candles, minutes for narrow ones."""
    if interval < WIDE:
        return tape.minutes_until(hour, now)
    if now >= (hour + 1) * HOUR_NS:
        return tape.whole_hour(hour)
    return collapse(tape.minutes_until(hour, now))


def warm(tape: Tape, interval: int, now: int) -> None:
    """Make the hours of wide candles beforehand, which may take seconds the first time."""
    first = max(interval_begin(now, interval) - ROWS * interval * MINUTE_NS, tape.listed)
    for hour in range(first // HOUR_NS, now // HOUR_NS):
        tape.whole_hour(hour)


def _candle(minutes: Minutes, chosen: Ints, begin: int) -> Candle:
    volume = int(minutes.volume[chosen].sum())
    return Candle(
        begin=begin,
        open=int(minutes.open[chosen[0]]),
        high=int(minutes.high[chosen].max()),
        low=int(minutes.low[chosen].min()),
        close=int(minutes.close[chosen[-1]]),
        average=float(minutes.notional[chosen].sum()) / volume,
        volume=volume,
        count=int(minutes.count[chosen].sum()),
    )


def _join(pieces: list[Minutes]) -> Minutes:
    return Minutes(
        np.concatenate([p.open for p in pieces]),
        np.concatenate([p.high for p in pieces]),
        np.concatenate([p.low for p in pieces]),
        np.concatenate([p.close for p in pieces]),
        np.concatenate([p.volume for p in pieces]),
        np.concatenate([p.notional for p in pieces]),
        np.concatenate([p.count for p in pieces]),
    )


def span(tape: Tape, first: int, now: int) -> Candle:
    """Sum up the time from a full minute until now as one candle."""
    hours = range(first // HOUR_NS, now // HOUR_NS + 1)
    minutes = _join([tape.minutes_until(hour, now) for hour in hours])
    places = np.flatnonzero(minutes.count)
    skip = (first - hours[0] * HOUR_NS) // MINUTE_NS
    chosen = places[places >= skip]
    if not len(chosen):
        last = tape.last_price(now)
        return Candle(first, last, last, last, last, float(last), 0, 0)
    return _candle(minutes, chosen, first)


def today(tape: Tape, now: int) -> Candle:
    """Sum up the time since midnight."""
    day = DAY_MINUTES * MINUTE_NS
    if tape.given is not None and tape.given.today is not None:
        told = tape.given.today
        return _go_on({told.begin: told}, day, now)[-1]
    return span(tape, now // day * day, now)


def last_day(tape: Tape, now: int) -> Candle:
    """Sum up the last 24 hours, this minute included."""
    if tape.given is not None and tape.given.day is not None:
        return tape.given.day
    return span(tape, (now // MINUTE_NS - DAY_MINUTES + 1) * MINUTE_NS, now)
