"""From bars and features to a model with its contract, its evidence and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from registry import contract as terms
from registry import examination, leaks, openings, probes, served, snapshot, training
from registry.contract import Contract
from registry.errors import TrainingRefused
from registry.gate import judge
from registry.labels import label, triple_barrier
from registry.search import search

if TYPE_CHECKING:
    import pandas as pd

    from registry.evidence import Evidence
    from registry.examination import HoldOut
    from registry.gate import Verdict
    from registry.leaks import Compute
    from registry.served import ServedModel
    from registry.settings import StudySettings
    from registry.snapshot import Snapshot
    from registry.training import Course, Model, Plan


# Raise the number when a trial keeps something else on record: older studies lack it.
TRIAL_FORM = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a model comes from: the market, the features' definitions, the code.

    `who` asked for it, in which `run`; the log of looks at hold-outs names them.
    """

    symbol: str
    feature_hash: str
    git_commit: str
    who: str = "unknown"
    run: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The log losses on the inner folds by which one of the two kinds of model was chosen."""

    boosted: float
    plain: float

    @property
    def sentence(self) -> str:
        """Say who won."""
        winner = "the logistic regression" if self.plain < self.boosted else "XGBoost"
        return (
            f"on the inner folds XGBoost's log loss was {self.boosted:.4f} and that of the "
            f"logistic regression {self.plain:.4f}, so {winner} was chosen"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fitted model with everything that speaks for and against it.

    The three byte strings are the artifacts as they are registered and served.
    """

    data: Snapshot
    contract: Contract
    model_ubj: bytes
    contract_json: bytes
    golden_json: bytes
    verdict: Verdict
    evidence: Evidence
    plan: Plan
    params: dict[str, Any]
    contest: Contest
    importance: dict[str, float]
    hold_out: HoldOut


def retrain(
    bars: pd.DataFrame,
    compute: Compute,
    *,
    origin: Origin,
    plan: Plan,
    settings: StudySettings,
    champion: ServedModel | None = None,
) -> Candidate:
    """Label, search, fit, examine and judge.

    Args:
        bars: Float columns with `open` and `close`, indexed by start (UTC); their hash is recorded.
        compute: Bars to one column a feature, on the same index; NaN until warm.
        origin: What the contract says about where the model comes from.
        plan: The terms of this retraining.
        settings: Where the search keeps its trials.
        champion: The model in production, to be scored on the same bars.

    Raises:
        TrainingRefused: The bars cannot teach anything that could be checked.
    """
    features = _seen(bars, compute)
    table = _label(bars["close"], plan)
    course = training.prepare(features, table, bars, plan)
    data = snapshot.take(bars, plan.interval)
    found = search(
        course, settings, market=origin.symbol, name=study_name(origin, plan, data.sha256)
    )
    model, folds = training.finish(course, found.params)
    model_ubj = probes.model_bytes(model)
    draft = _contract(origin, course, model, model_ubj, data.sha256)
    log, look = openings.Log(settings, origin.symbol), _look(course, origin, data.sha256)
    hold_out = examination.examine(course, model, log, look)
    loaded = served.ServedModel(contract=draft, booster=served.read_booster(model_ubj))
    evidence = replace(
        examination.gather(course, found, folds, hold_out),
        parity=probes.parity(model, loaded, hold_out.features),
        looking_ahead=leaks.looking_ahead(compute, bars, seed=plan.seed),
        rivalry=None
        if champion is None
        else examination.against(champion, draft, course, hold_out),
    )
    verdict = judge(evidence)
    contract = replace(draft, gate_passed=verdict.passed, gate_reason=verdict.reason)
    return Candidate(
        data=data,
        contract=contract,
        model_ubj=model_ubj,
        contract_json=terms.to_json(contract),
        golden_json=probes.golden(model, hold_out.features),
        verdict=verdict,
        evidence=evidence,
        plan=plan,
        params=found.params,
        contest=Contest(boosted=found.boosted, plain=found.plain),
        importance=_importance(model, list(features.columns)),
        hold_out=hold_out,
    )


def study_name(origin: Origin, plan: Plan, data_hash: str) -> str:
    """Name a search so that the same retraining, and no other, finds its trials again."""
    terms_of_search = (
        f"{plan.interval}|{plan.horizon}|{plan.cost}|{plan.folds}|{plan.seed}|{plan.barrier}"
    )
    identity = f"{TRIAL_FORM}|{terms_of_search}|{origin.feature_hash}|{data_hash}"
    return f"{terms.model_name(origin.symbol)}-{terms.digest(identity.encode())[:16]}"


def _seen(bars: pd.DataFrame, compute: Compute) -> pd.DataFrame:
    try:
        return compute(bars)
    except ValueError as error:
        raise TrainingRefused(f"the bars give no features: {error}") from None


def _label(close: pd.Series, plan: Plan) -> pd.DataFrame:
    if plan.barrier is None:
        return label(close, interval=plan.interval, horizon=plan.horizon, cost=plan.cost)
    return triple_barrier(
        close,
        interval=plan.interval,
        horizon=plan.horizon,
        cost=plan.cost,
        width=plan.barrier,
    )


def _look(course: Course, origin: Origin, data_hash: str) -> openings.Look:
    decided = course.table["decided"].iloc[course.final.test]
    return openings.Look(
        market=origin.symbol,
        first=decided.iloc[0].to_pydatetime(),
        last=decided.iloc[-1].to_pydatetime(),
        data_hash=data_hash,
        who=origin.who,
        run=origin.run,
    )


def _contract(
    origin: Origin, course: Course, model: Model, model_ubj: bytes, data_hash: str
) -> Contract:
    plan, past = course.plan, course.table.iloc[course.final.train]
    return Contract(
        symbol=origin.symbol,
        interval_seconds=int(plan.interval.total_seconds()),
        horizon_bars=plan.horizon,
        features=tuple(course.features.columns),
        feature_hash=origin.feature_hash,
        cost=plan.cost,
        gain=model.worth.gain,
        loss=model.worth.loss,
        base_rate=model.base_rate,
        platt_slope=model.calibration.slope,
        platt_intercept=model.calibration.intercept,
        model_sha256=terms.digest(model_ubj),
        data_hash=data_hash,
        trained_until=past["ended"].max().to_pydatetime(),
        git_commit=origin.git_commit,
        gate_passed=False,
        gate_reason="not judged yet",
    )


def _importance(model: Model, names: list[str]) -> dict[str, float]:
    # Taught without names, the booster calls its features f0, f1, ...
    gains = model.booster.get_score(importance_type="total_gain")
    total = sum(float(np.sum(gain)) for gain in gains.values()) or 1.0
    return {name: float(gains.get(f"f{n}", 0.0)) / total for n, name in enumerate(names)}
