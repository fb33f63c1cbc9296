"""A model as the live trader uses it: bytes in, one calibrated probability out.

What comes from the registry is data, never code. Only numpy, msgspec and xgboost are
imported; a process that blocks scikit-learn before importing this starts 2.5 s sooner.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import xgboost as xgb

from registry import contract as terms
from registry import overriding
from registry.errors import ArtifactRefused
from registry.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from registry.contract import Contract
    from registry.overriding import Override

GOLDEN_ROWS = 32
TWO = 2  # dimensions of a table
TOLERANCE = 1e-6
# The record refuses a probability of exactly 0 or 1, and no finite sample supports one.
CLOSEST_TO_CERTAIN = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Rows of features (null for a missing value) with the probabilities training gave them."""

    rows: list[list[float | None]]
    probabilities: list[float]

    def __post_init__(self) -> None:
        if len(self.rows) < GOLDEN_ROWS or len(self.rows) != len(self.probabilities):
            raise ValueError(
                f"expected at least {GOLDEN_ROWS} rows with a probability each, found "
                f"{len(self.rows)} rows and {len(self.probabilities)} probabilities"
            )


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that has proved to be what its version says it is.

    `clock` gives the seconds of CPU time that this thread has used.
    """

    contract: Contract
    booster: xgb.Booster
    clock: Callable[[], float] = time.thread_time

    @cached_property
    def trees(self) -> Trees:
        """The booster's trees, as one row is scored by them."""
        return Trees(self.booster)

    def predict(self, row: NDArray[np.float64]) -> float:
        """Return the probability that the forward return exceeds the contract's cost.

        Args:
            row: The contract's features in its order, shape (n,); NaN means missing.

        Raises:
            ValueError: The row has another number of features, or an infinite one.
        """
        if row.shape != (len(self.contract.features),):
            raise ValueError(
                f"expected {len(self.contract.features)} features in a row, found {row.shape}"
            )
        if np.isinf(row).any():
            name = self.contract.features[int(np.argmax(np.isinf(row)))]
            raise ValueError(f"the feature {name} is infinite")
        margin = self.trees.margin(row)
        return calibrate(margin, self.contract.platt_slope, self.contract.platt_intercept)

    def predict_all(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what `predict` says of each row, bit by bit, in one call of XGBoost.

        Args:
            rows: The contract's features in its order, shape (n, m); NaN means missing.

        Raises:
            ValueError: The rows have another number of features, or an infinite one.
        """
        if rows.ndim != TWO or rows.shape[1] != len(self.contract.features):
            raise ValueError(
                f"expected rows of {len(self.contract.features)} features, found {rows.shape}"
            )
        if np.isinf(rows).any():
            name = self.contract.features[int(np.argmax(np.isinf(rows).any(axis=0)))]
            raise ValueError(f"the feature {name} is infinite")
        if not len(rows):
            return np.empty(0)
        margins = self.booster.inplace_predict(
            rows.astype(np.float32), predict_type="margin", validate_features=False
        )
        slope, intercept = self.contract.platt_slope, self.contract.platt_intercept
        return np.array([calibrate(margin, slope, intercept) for margin in margins.tolist()])

    def timed(self, row: NDArray[np.float64]) -> tuple[float, float]:
        """Return the probability and the seconds of this thread's CPU time that it took.

        A busy machine costs wall time, and no model is to blame for that.

        Raises:
            ValueError: As `predict` does.
        """
        began = self.clock()
        return self.predict(row), self.clock() - began


def calibrate(margin: float, slope: float, intercept: float) -> float:
    """Turn a raw margin into a probability by Platt's sigmoid, never quite 0 or 1."""
    z = slope * margin + intercept
    probability = 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))
    return min(max(probability, CLOSEST_TO_CERTAIN), 1 - CLOSEST_TO_CERTAIN)


def to_json(rows: NDArray[np.float64], probabilities: Sequence[float]) -> bytes:
    """Write golden vectors the way `load` reads them."""
    content = [[None if math.isnan(value) else value for value in row] for row in rows.tolist()]
    return msgspec.json.encode(Golden(rows=content, probabilities=list(probabilities)))


def load(
    model: bytes,
    contract: bytes,
    golden: bytes,
    *,
    expected_sha256: str,
    feature_names: Sequence[str],
    feature_hash: str,
    expected_contract_sha256: str | None = None,
    override: Override | None = None,
) -> ServedModel:
    """Make a model ready to serve, or say why it must not be.

    Args:
        model: The bytes of model.ubj.
        contract: The bytes of contract.json.
        golden: The bytes of golden.json.
        expected_sha256: The version's tag `artifact_sha256`.
        feature_names: The features this process computes, in its order.
        feature_hash: The hash of their definitions.
        expected_contract_sha256: The version's tag `contract_sha256`, where it is known.
        override: Whose word it is that the gate's verdict shall not count.

    Raises:
        ArtifactRefused: A hash, the contract, the gate's verdict, the features or a golden
            vector does not agree.
    """
    _expect("model.ubj", terms.digest(model), expected_sha256)
    if expected_contract_sha256 is not None:
        _expect("contract.json", terms.digest(contract), expected_contract_sha256)
    agreed = terms.parse(contract)
    _expect("the model that contract.json describes", agreed.model_sha256, expected_sha256)
    if not agreed.gate_passed and override is None:
        raise ArtifactRefused(
            f"the gate refused this version: {agreed.gate_reason}; to have it trade all the same, "
            f"give it {overriding.FORM}"
        )
    _check_features(agreed, tuple(feature_names), feature_hash)
    served = ServedModel(contract=agreed, booster=read_booster(model))
    _check_golden(served, golden)
    return served


def read_booster(model: bytes) -> xgb.Booster:
    """Read a booster that will use a single thread.

    Raises:
        ArtifactRefused: XGBoost cannot read the bytes.
    """
    if not model:
        # XGBoost ends the whole process over an empty buffer.
        raise ArtifactRefused("model.ubj is empty")
    try:
        booster = xgb.Booster(model_file=bytearray(model))
    except (xgb.core.XGBoostError, ValueError) as error:
        cause = str(error).strip().splitlines()[0]
        raise ArtifactRefused(f"model.ubj is not an XGBoost model: {cause}") from None
    booster.set_param({"nthread": 1})
    return booster


def _expect(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise ArtifactRefused(
            f"{what} was changed after registration: expected sha256 {expected[:12]}, "
            f"found {found[:12]}"
        )


def _check_features(agreed: Contract, names: tuple[str, ...], feature_hash: str) -> None:
    if agreed.features != names:
        missing = sorted(set(agreed.features) - set(names)) or "none, but their order differs"
        raise ArtifactRefused(f"the model needs features this trader does not compute: {missing}")
    if agreed.feature_hash != feature_hash:
        raise ArtifactRefused(
            f"the model was trained on feature definitions {agreed.feature_hash[:12]}, "
            f"this trader computes {feature_hash[:12]}"
        )


def _check_golden(served: ServedModel, raw: bytes) -> None:
    try:
        golden = msgspec.json.decode(raw, type=Golden)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactRefused(f"golden.json holds no golden vectors: {error}") from None
    width = served.booster.num_features()
    if width != len(served.contract.features):
        raise ArtifactRefused(
            f"the contract names {len(served.contract.features)} features, the model has {width}"
        )
    for number, (row, expected) in enumerate(
        zip(golden.rows, golden.probabilities, strict=True), start=1
    ):
        found = _score(served, row, number)
        # Written so that a NaN on either side refuses the model.
        if not abs(found - expected) <= TOLERANCE:
            raise ArtifactRefused(
                f"golden row {number} scores {found:.8f}, training gave it {expected:.8f}"
            )


def _score(served: ServedModel, row: list[float | None], number: int) -> float:
    try:
        return served.predict(np.array(row, dtype=np.float64))
    except ValueError as error:
        raise ArtifactRefused(f"golden row {number} cannot be scored: {error}") from None
