"""How much of the money an edge is worth: a part of Kelly's, within a target of volatility.

Everything is a fraction of the money at hand, returns are net of cost, and nothing is
borrowed. A quarter of Kelly's stake keeps 44 % of its growth; the chance of ever falling to
half is then 0.8 % rather than 50 % (growth share c(2-c), chance x^(2/c-1)).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log, sqrt

# The weight of a bar in the volatility is this much of the next one's.
FORGET = 0.995
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """How much risk is wanted: Kelly's part, the deviation of a day, and trust in the model.

    `trust` is how far a probability may be believed to be from the base rate: the least
    calibration slope with which the gate lets a model pass.
    """

    kelly_part: float = 0.25
    daily_volatility: float = 0.02
    trust: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.kelly_part <= 1 and 0 < self.trust <= 1 and self.daily_volatility > 0):
            raise ValueError(f"not an appetite for risk: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What part of the money to put in, and the two numbers it is the least of."""

    share: float
    kelly: float
    budget: float


def kelly(probability: float, gain: float, loss: float) -> float:
    """Return the stake that makes money grow fastest (Kelly 1956), p/loss - (1-p)/gain.

    Args:
        probability: Of the gain; otherwise it is the loss.
        gain: What a unit of money gains, net of cost.
        loss: What it loses, net of cost.

    Returns:
        The stake as a fraction of the money, above 1 where borrowing would pay; never
        negative.
    """
    if gain <= 0:
        return 0.0
    if loss <= 0:
        return inf
    return max(0.0, probability / loss - (1 - probability) / gain)


def shrunk(probability: float, base_rate: float, trust: float) -> float:
    """Pull a probability towards the base rate: b + s(p - b)."""
    return base_rate + trust * (probability - base_rate)


def budget(volatility: float | None, appetite: Appetite) -> float:
    """Return the part of the money whose deviation in a day is what is wanted, at most all.

    Nothing where the market's daily volatility is not known; all of it where nothing moves.
    """
    if volatility is None:
        return 0.0
    return min(1.0, appetite.daily_volatility / volatility) if volatility > 0 else 1.0


def size(
    probability: float,
    *,
    base_rate: float,
    gain: float,
    loss: float,
    volatility: float | None,
    appetite: Appetite,
) -> Size:
    """Return the share to put in; gain and loss are net of the cost of a round trip."""
    full = kelly(shrunk(probability, base_rate, appetite.trust), gain, loss)
    most = budget(volatility, appetite)
    return Size(share=min(appetite.kelly_part * full, most), kelly=full, budget=most)


@dataclass(slots=True)
class Volatility:
    """The deviation of a bar's log return, exponentially weighted, of the bars seen so far."""

    _close: float | None = field(default=None, init=False)
    _squares: float = field(default=0.0, init=False)
    _weight: float = field(default=0.0, init=False)

    def update(self, close: float) -> None:
        """Take in the next bar's close."""
        if self._close is not None:
            self._squares = FORGET * self._squares + log(close / self._close) ** 2
            self._weight = FORGET * self._weight + 1
        self._close = close

    def over(self, seconds: float, bar_seconds: float) -> float | None:
        """Return the deviation over so long a time, or None before two bars were seen."""
        if not self._weight:
            return None
        return sqrt(self._squares / self._weight * seconds / bar_seconds)
