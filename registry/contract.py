"""What a model version promises: the inputs it needs, what its number means, what proved it.

The trader reads the contract before the model, and trades only on a promise it can keep.
Nothing here imports more than the standard library and msgspec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads the field's type at run time
from hashlib import sha256

import msgspec

from registry.errors import ArtifactRefused

SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The terms on which one model version may be used.

    The probability is that of a forward return above `cost` over `horizon_bars` bars.
    `cost`, `gain` and `loss` are fractions of the price, before any cost is taken off:
    the mean forward return is `gain` where the label was 1 and minus `loss` where it was 0.
    """

    symbol: str
    interval_seconds: int
    horizon_bars: int
    features: tuple[str, ...]
    feature_hash: str
    cost: float
    gain: float
    loss: float
    base_rate: float
    platt_slope: float
    platt_intercept: float
    model_sha256: str
    data_hash: str
    trained_until: datetime
    git_commit: str
    gate_passed: bool
    gate_reason: str

    def __post_init__(self) -> None:
        numbers = (self.cost, self.gain, self.loss, self.platt_slope, self.platt_intercept)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"cost, gain, loss and calibration must be finite, not {numbers}")
        if self.interval_seconds < 1 or self.horizon_bars < 1:
            raise ValueError(
                "interval_seconds and horizon_bars must be at least 1, not "
                f"{self.interval_seconds} and {self.horizon_bars}"
            )
        if not self.features or len(set(self.features)) != len(self.features):
            raise ValueError("features must be named, each once")
        if self.cost < 0 or not 0 < self.base_rate < 1:
            raise ValueError(
                f"cost must not be negative and base_rate in (0, 1): {self.cost}, {self.base_rate}"
            )
        if len(self.model_sha256) != SHA256_DIGITS:
            raise ValueError(f"model_sha256 must be {SHA256_DIGITS} hex digits")
        if self.trained_until.tzinfo is None:
            raise ValueError("trained_until must carry a time zone")


def model_name(symbol: str) -> str:
    """Return the registered model's name for a market: XRP/USD is xrp-usd."""
    return symbol.replace("/", "-").lower()


def to_json(contract: Contract) -> bytes:
    """Write the contract in its one canonical form, so that its hash identifies it."""
    return msgspec.json.format(msgspec.json.encode(contract, order="sorted"), indent=2)


def parse(raw: bytes) -> Contract:
    """Read a contract back.

    Raises:
        ArtifactRefused: It is not a contract, a field is missing, unknown or impossible,
            or it is not in canonical form.
    """
    try:
        contract = msgspec.json.decode(raw, type=Contract)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactRefused(f"contract.json is not a contract: {error}") from None
    if to_json(contract) != raw:
        raise ArtifactRefused("contract.json holds something besides a contract's own fields")
    return contract


def digest(raw: bytes) -> str:
    """Return the SHA-256 of an artifact's bytes, as the version's tags hold it."""
    return sha256(raw).hexdigest()
