"""A model whose scores are a script, so that a run trades as often as it can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import xgboost

from market import features
from registry.contract import Contract
from registry.served import ServedModel
from serving.events import ModelLoaded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ops.campaign.timeline import Timeline

RISE, FALL = 0.97, 0.03
WORTH = 0.06  # what a rise is said to gain and a fall to lose: more than a round trip costs


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedModel(ServedModel):
    """Says what the script has for the bar that has just closed; the features do not matter."""

    timeline: Timeline
    script: tuple[bool, ...]
    seconds: int

    def predict(self, row: NDArray[np.float64]) -> float:
        """Return a probability that makes the strategy want to be in, or out."""
        assert row.shape == (len(self.contract.features),)
        bar = round(self.timeline.passed) // self.seconds
        return RISE if self.script[bar % len(self.script)] else FALL


def scripted(
    timeline: Timeline, symbol: str, seconds: int, script: tuple[bool, ...]
) -> ModelLoaded:
    """Give the event that makes the trader take up a scripted model in production."""
    contract = Contract(
        symbol=symbol,
        interval_seconds=seconds,
        horizon_bars=1,
        features=features.NAMES,
        feature_hash=features.HASH,
        cost=0.0,
        gain=WORTH,
        loss=WORTH,
        base_rate=0.5,
        platt_slope=1.0,
        platt_intercept=0.0,
        model_sha256="0" * 64,
        data_hash="0" * 64,
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        git_commit="0" * 40,
        gate_passed=True,
        gate_reason="a script has no gate to pass",
    )
    served = ScriptedModel(
        contract=contract,
        booster=xgboost.Booster(),
        timeline=timeline,
        script=script,
        seconds=seconds,
    )
    return ModelLoaded(
        symbol=symbol,
        role="production",
        version=1,
        run_id="campaign",
        artifact_sha256="0" * 64,
        evidence={"gate": "passed"},
        served=served,
    )
