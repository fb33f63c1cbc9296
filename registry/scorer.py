"""What the live rules would earn on many bars at once, for a search that asks at every trial.

The gate's figures of a hold-out come from here, too. It is ops.backtesting.backtest's answer in a
narrower scope, and a test holds the two together: one market, orders that take at once and are
filled whole, a position that is neither added to nor trimmed, no refusal by a limit on size or
loss, and no rounding of prices and quantities.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a model's calls are worth, what trading costs, and the live rules' constants.

    Everything is a fraction of the price. `gain`, `loss`, `base_rate` and `horizon` are the
    model's; `fee` is the taker's, `slippage` what is paid beyond the touch. `margin` is what
    must be left to enter, `reach` how far beyond the touch an order goes, `trust` how far a
    probability may be believed to be from the base rate.
    """

    gain: float
    loss: float
    base_rate: float
    horizon: int
    fee: float
    spread: float
    slippage: float = 0.0
    margin: float = 0.0005
    reach: float = 0.0025
    trust: float = 0.5

    @property
    def way_out(self) -> float:
        """What it costs to get out at once."""
        return self.fee + self.spread / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trips:
    """Positions from entry to exit: the bars decided on, and each one's net return."""

    entered: Places
    left: Places
    net: Floats


def score(probability: Floats, opened: Floats, close: Floats, times: Places, rules: Rules) -> Trips:
    """Enter and leave as the live rules do; a position still open at the end does not count.

    Args:
        probability: One a bar, NaN where nothing is decided, as on the first after a hole.
        opened: The price of each bar's first trade, which the order of the bar before meets.
        close: Each bar's last.
        times: The bars' starts in bars since some moment, ascending; a step over 1 is a hole.
        rules: The model's promise, the costs and the constants.
    """
    edge = probability * rules.gain - (1 - probability) * rules.loss
    follows = np.diff(times) == 1
    entries = _entries(probability, edge, rules)
    entries[1:] &= follows  # before two bars in a row the volatility is not known
    entries[0] = False
    ahead = np.append(opened[1:] / close[:-1] - 1, np.nan)
    ahead[:-1][~follows] = np.nan
    entries &= ahead <= rules.reach
    met = ahead >= -rules.reach
    turned = met & (edge <= -rules.way_out)
    over = met & (edge <= rules.way_out)
    places = np.flatnonzero(entries), np.flatnonzero(turned), np.flatnonzero(over)
    entered, left = _walk(*places, times, rules.horizon)
    # What an order meets is the next open's touch and the slippage, never beyond its limit.
    slip, reach, half = rules.slippage, rules.reach, rules.spread / 2
    buy = np.minimum(opened[entered + 1] * (1 + slip), close[entered] * (1 + reach)) * (1 + half)
    sell = np.maximum(opened[left + 1] * (1 - slip), close[left] * (1 - reach)) * (1 - half)
    net = (sell * (1 - rules.fee) - buy * (1 + rules.fee)) / buy
    return Trips(entered=entered, left=left, net=net)


def _entries(probability: Floats, edge: Floats, rules: Rules) -> NDArray[np.bool_]:
    """Tell where the edge pays for a round trip, and Kelly's stake on it is not nothing."""
    round_trip = 2 * rules.way_out
    gain, loss = rules.gain - round_trip, rules.loss + round_trip
    if gain <= 0:
        return np.zeros(len(probability), dtype=np.bool_)
    pays = edge - round_trip > rules.margin
    if loss <= 0:
        return pays
    believed = rules.base_rate + rules.trust * (probability - rules.base_rate)
    staked: NDArray[np.bool_] = pays & (believed / loss - (1 - believed) / gain > 0)
    return staked


def _walk(
    entries: Places, turned: Places, over: Places, times: Places, horizon: int
) -> tuple[Places, Places]:
    """Go from entry to exit to the next entry; each place is a bar that was decided on."""
    may, must, late, when = (some.tolist() for some in (entries, turned, over, times))
    entered, left, at = [], [], 0
    while (n := bisect_left(may, at)) < len(may):
        enter = may[n]
        early = bisect_left(must, enter + 1)
        due = bisect_left(late, bisect_left(when, when[enter] + horizon))
        ends = [some[k] for some, k in ((must, early), (late, due)) if k < len(some)]
        if not ends:
            break
        at = min(ends) + 1
        entered.append(enter)
        left.append(at - 1)
    return np.array(entered, dtype=np.intp), np.array(left, dtype=np.intp)
