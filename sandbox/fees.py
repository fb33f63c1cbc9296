"""What trading costs: Kraken's spot fee tiers since 2026-07-09, in percent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Tier:
    """One row of the fee schedule; `volume` is where it begins, in dollars over 30 days."""

    volume: int
    maker: Decimal
    taker: Decimal

    def rate(self, *, maker: bool) -> Decimal:
        """Give the fee as a fraction of the cost."""
        return (self.maker if maker else self.taker) / 100


_ROWS = (
    (0, "0.40", "0.80"),
    (2_500, "0.30", "0.60"),
    (10_000, "0.22", "0.38"),
    (25_000, "0.20", "0.35"),
    (50_000, "0.15", "0.30"),
    (100_000, "0.12", "0.25"),
    (250_000, "0.10", "0.22"),
    (500_000, "0.08", "0.20"),
    (1_000_000, "0.06", "0.18"),
    (2_500_000, "0.04", "0.15"),
    (5_000_000, "0.02", "0.12"),
    (10_000_000, "0.00", "0.10"),
)
TIERS = tuple(Tier(volume, Decimal(maker), Decimal(taker)) for volume, maker, taker in _ROWS)


def tier_of(volume: Decimal) -> int:
    """Give the number of the tier, counted from 1, that a volume of thirty days reaches."""
    return sum(volume >= tier.volume for tier in TIERS)


def schedule(*, maker: bool) -> list[list[float]]:
    """List where every tier begins and what it costs in percent, as AssetPairs once did."""
    return [[tier.volume, float(tier.maker if maker else tier.taker)] for tier in TIERS]


def describe(tier: int, *, maker: bool) -> dict[str, str | None]:
    """Describe a tier, counted from 1, the way TradeVolume does."""

    def rate(row: Tier) -> str:
        return f"{row.maker if maker else row.taker:.4f}"

    upcoming = TIERS[tier] if tier < len(TIERS) else None
    return {
        "fee": rate(TIERS[tier - 1]),
        "minfee": rate(TIERS[-1]),
        "maxfee": rate(TIERS[0]),
        "nextfee": rate(upcoming) if upcoming else None,
        "tiervolume": f"{TIERS[tier - 1].volume:.4f}",
        "nextvolume": f"{upcoming.volume:.4f}" if upcoming else None,
    }
