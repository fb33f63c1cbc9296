"""What a backtest came to, in numbers; nothing here opens anything.

Sharpe ratios are of a day's change in equity and never annualised.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from market.instruments import Side
from registry import evaluation
from registry.labels import label

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from ops.backtesting.paper import Outcome, Traded
    from registry.contract import Contract

    Floats = NDArray[np.float64]

ZERO = Decimal(0)
ENOUGH_DAYS = 2  # for a deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """From flat to flat; `closed` is None while the position was still open at the end."""

    opened: datetime
    closed: datetime | None
    bars: int
    quantity: Decimal
    bought: Decimal
    sold: Decimal | None
    fees: Decimal
    net: Decimal
    why_in: str
    why_out: str | None

    @property
    def share(self) -> float:
        """The profit after fees as a share of what was paid."""
        return float(self.net / (self.quantity * self.bought))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the model said against what was seen, on every bar whose outcome is on record."""

    scores: evaluation.Scores
    bins: list[tuple[float, float, int]]


def trips(traded: list[Traded], least: Decimal, interval: timedelta, last: Decimal) -> list[Trip]:
    """Put trades together from flat to flat.

    Args:
        traded: In order of time.
        least: A position below this cannot be sold, and counts as flat.
        interval: The length of a bar.
        last: The price at which what is still held is valued.
    """
    found: list[Trip] = []
    now: list[Traded] = []
    held = ZERO
    for one in traded:
        now.append(one)
        held += one.quantity if one.side is Side.BUY else -one.quantity
        if held < least:
            found.append(_trip(now, interval, held * last, closed=True))
            now, held = [], ZERO
    if now:
        found.append(_trip(now, interval, held * last, closed=False))
    return found


def _trip(traded: list[Traded], interval: timedelta, left: Decimal, *, closed: bool) -> Trip:
    buys = [one for one in traded if one.side is Side.BUY]
    sells = [one for one in traded if one.side is Side.SELL]
    quantity, sold = (sum((one.quantity for one in some), ZERO) for some in (buys, sells))
    paid, received = (sum((one.cost for one in some), ZERO) for some in (buys, sells))
    fees = sum((one.fee for one in traded), ZERO)
    return Trip(
        opened=traded[0].at,
        closed=traded[-1].at if closed else None,
        bars=(traded[-1].at - traded[0].at) // interval,
        quantity=quantity,
        bought=paid / quantity,
        sold=received / sold if sold else None,
        fees=fees,
        net=received + left - paid - fees,
        why_in=traded[0].code,
        why_out=traded[-1].code if closed else None,
    )


def money(
    outcome: Outcome, found: list[Trip], starts: pd.DatetimeIndex, cash: Decimal
) -> dict[str, Any]:
    """Return what was earned, what it cost and how it went; money to the cent of a cent."""
    equity, held = np.array(outcome.equity), np.array(outcome.held)
    turnover = sum((one.cost for one in outcome.traded), ZERO)
    fees = outcome.account.position.fees
    daily = _daily(equity, starts, float(cash))
    peak = np.maximum.accumulate(np.maximum(equity, float(cash)))
    closed = [trip for trip in found if trip.closed is not None]
    gross = sum((trip.net + trip.fees for trip in closed), ZERO)
    return {
        "cash": float(cash),
        "equity": float(equity[-1]),
        "profit": float(equity[-1]) - float(cash),
        "return": float(equity[-1]) / float(cash) - 1,
        "fees": float(fees),
        "turnover": float(turnover),
        "gross_of_trips": float(gross),
        "orders": len(outcome.traded),
        "orders_unfilled": outcome.unfilled,
        "trips": len(closed),
        "winning_share": _mean([trip.net > 0 for trip in closed]),
        "net_per_trip": _mean([trip.share for trip in closed]),
        "max_drawdown": float(np.max(peak - equity)),
        "max_drawdown_share": float(np.max(1 - equity / peak)),
        "mean_exposure": float(np.mean(held / equity)),
        "time_in_market": float(np.mean(held > 0)),
        "days": len(daily),
        "sharpe_per_day": _sharpe(daily),
    }


def calibration(
    probability: Floats, close: pd.Series, contract: Contract, interval: timedelta
) -> Calibration | None:
    """Compare what was said with what was seen; None where one kind of outcome is missing."""
    table = label(close, interval=interval, horizon=contract.horizon_bars, cost=contract.cost)
    said = pd.Series(probability, index=close.index).reindex(table.index)
    known = said.notna()
    y = table["y"][known].to_numpy()
    told = np.asarray(said[known], dtype=np.float64)
    if len(np.unique(y)) < len((0, 1)):
        return None
    return Calibration(
        scores=evaluation.score(told, y, base_rate=contract.base_rate),
        bins=evaluation.reliability(told, y),
    )


def _daily(equity: Floats, starts: pd.DatetimeIndex, cash: float) -> Floats:
    ends = pd.Series(equity, index=starts).groupby(starts.floor("D")).last().to_numpy()
    return np.asarray(np.diff(np.concatenate([[cash], ends])), dtype=np.float64)


def _sharpe(daily: Floats) -> float | None:
    if len(daily) < ENOUGH_DAYS or not (spread := float(daily.std(ddof=1))):
        return None
    return float(daily.mean()) / spread


def _mean(values: list[Any]) -> float | None:
    return float(np.mean(values)) if values else None


def price(value: float) -> Decimal:
    """Return a float's shortest decimal number."""
    return Decimal(repr(value))
