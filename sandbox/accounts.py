"""A double-entry ledger: what one account gains another loses, asset by asset.

Clients' balances never go below nothing; the accounts of the house may.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal

from sandbox.instruments import ASSET_BY_ID, Asset

ZERO = Decimal(0)
HOUSE = ("house:deposits", "house:market", "house:fees")
DEPOSITS, MARKET, FEES = HOUSE


def round_money(amount: Decimal, asset: Asset) -> Decimal:
    """Round to the precision of the asset's ledger, halves away from nothing."""
    return amount.quantize(Decimal(1).scaleb(-asset.decimals), rounding=ROUND_HALF_UP)


def round_up(amount: Decimal, asset: Asset) -> Decimal:
    """Round up to the precision of the asset's ledger, for what is set aside."""
    return amount.quantize(Decimal(1).scaleb(-asset.decimals), rounding=ROUND_UP)


class Accounts:
    """The balances of everyone, and what is set aside for open orders."""

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self.held: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)

    def free(self, account: str, asset: str) -> Decimal:
        """Give what the account may still spend."""
        key = account, asset
        return self.balances.get(key, ZERO) - self.held.get(key, ZERO)

    def hold(self, account: str, asset: str, amount: Decimal) -> None:
        """Set aside more, or with a negative amount less, for open orders."""
        self.held[account, asset] += amount

    def move(self, source: str, target: str, asset: str, amount: Decimal) -> None:
        """Move an amount from one account to another."""
        self.balances[source, asset] -= amount
        self.balances[target, asset] += amount
        if amount and not source.startswith("house:") and self.balances[source, asset] < 0:
            self.balances[source, asset] += amount
            self.balances[target, asset] -= amount
            msg = f"{source} holds less than the {amount} {asset} it is to pay"
            raise ArithmeticError(msg)

    def of(self, account: str) -> dict[str, Decimal]:
        """Give an account's balances by asset, in the order of the listing."""
        return {
            asset: self.balances[account, asset]
            for asset in ASSET_BY_ID
            if (account, asset) in self.balances
        }

    def sums(self) -> dict[str, Decimal]:
        """Sum each asset over all accounts; every sum is nothing, always."""
        total: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for (_, asset), amount in self.balances.items():
            total[asset] += amount
        return dict(total)
