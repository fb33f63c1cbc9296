"""The gate's verdict for a person to read, and as numbers for a machine."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from registry.evidence import Evidence
    from registry.gate import Verdict
    from registry.retraining import Candidate


def markdown(candidate: Candidate) -> str:
    """Write the verdict, every check with its number, and what was trained on what."""
    contract, plan = candidate.contract, candidate.plan
    word = "passed" if candidate.verdict.passed else "refused"
    asked = (
        f"The label is a rise of more than {contract.cost:.3%} within {contract.horizon_bars} "
        f"bars of {contract.interval_seconds} s. It was worth {contract.gain:+.3%} where it came "
        f"true and {-contract.loss:+.3%} where it did not, before costs."
    )
    taught = (
        f"Taught on bars until {contract.trained_until:%Y-%m-%d %H:%M} UTC, examined on "
        f"{candidate.evidence.hold_out.rows} later ones; {candidate.evidence.trials} trials ever "
        f"made for this market, looks at hold-outs included, seed {plan.seed}; data "
        f"{contract.data_hash[:12]}, code {contract.git_commit[:12]}."
    )
    rows = [
        f"| {check.name} | {'yes' if check.passed else '**no**'} | {check.sentence} |"
        for check in candidate.verdict.checks
    ]
    rows += [
        f"| {warning.name} | {'yes' if warning.passed else 'warning'} | {warning.sentence} |"
        for warning in candidate.verdict.warnings
    ]
    table = ["| check | passed | found |", "|---|---|---|", *rows]
    lines = [
        f"# {contract.symbol}: {word}",
        "",
        candidate.verdict.reason[:1].upper() + candidate.verdict.reason[1:] + ".",
        "",
        *table,
        "",
        f"{candidate.contest.sentence[:1].upper()}{candidate.contest.sentence[1:]}.",
        "",
        asked,
        "",
        taught,
        "",
        _opened(candidate),
    ]
    return "\n".join(lines) + "\n"


def _opened(candidate: Candidate) -> str:
    opening = candidate.hold_out.opening
    look = opening.look
    return (
        f"The hold-out from {look.first:%Y-%m-%d %H:%M} to {look.last:%Y-%m-%d %H:%M} UTC was "
        f"opened at {opening.at:%Y-%m-%d %H:%M:%S} UTC ({look.who}, run `{look.run}`): look "
        f"number {opening.number} at these bars; {opening.overlapping} earlier looks shared some. "
        f"{opening.seen:.0%} of the bars had been seen before."
    )


def verdict_json(verdict: Verdict) -> bytes:
    """Write the verdict with every check's number and limit."""
    return msgspec.json.format(msgspec.json.encode(asdict(verdict)), indent=2)


def metrics(candidate: Candidate) -> dict[str, float]:
    """Return the figures that MLflow charts, by name."""
    evidence = candidate.evidence
    held = evidence.hold_out
    folds = {f"fold_{n}_log_loss_gain": fold.gain for n, fold in enumerate(evidence.folds, 1)}
    return folds | {
        "hold_out_log_loss": held.log_loss,
        "hold_out_base_log_loss": held.base_log_loss,
        "hold_out_log_loss_gain": held.gain,
        "hold_out_brier": held.brier,
        "hold_out_roc_auc": held.roc_auc,
        "hold_out_rows": held.rows,
        "hold_out_trades": evidence.trades,
        "hold_out_trades_a_day": evidence.trades_a_day,
        "hold_out_cost_share": _finite(evidence.cost_share),
        "hold_out_net_per_trade": evidence.net_per_trade,
        "hold_out_net_lower_bound": evidence.lower_bound,
        "hold_out_calibration_slope": evidence.calibration_slope,
        "deflated_sharpe": evidence.deflated_sharpe,
        "trials": evidence.trials,
        "trials_given_up": evidence.given_up,
        "inner_log_loss_xgboost": candidate.contest.boosted,
        "inner_log_loss_logistic_regression": candidate.contest.plain,
        "hold_out_openings": evidence.openings,
        "hold_out_openings_overlapping": evidence.overlapping,
        "hold_out_seen_before": evidence.seen,
        "shuffled_log_loss_gain": evidence.shuffled_gain,
        "hold_out_blocks": evidence.blocks,
        "hold_out_blocks_needed": _finite(evidence.shortest_record),
        "overfitting": _finite(evidence.overfitting),
        "features_looking_ahead": len(evidence.looking_ahead),
        "rows_meeting": evidence.meeting,
        "parity": evidence.parity,
        **_against_champion(evidence),
    }


def parameters(candidate: Candidate) -> dict[str, Any]:
    """Return what was chosen, by the person and by the search."""
    plan = candidate.plan
    return (
        {"learner": "xgboost"}
        | candidate.params
        | {
            "interval_seconds": candidate.contract.interval_seconds,
            "horizon_bars": plan.horizon,
            "cost": plan.cost,
            "folds": plan.folds,
            "hold_out_share": plan.hold_out_share,
            "seed": plan.seed,
        }
    )


def tags(candidate: Candidate) -> dict[str, str]:
    """Return what a version's tags say: enough to verify it and to know why it is here."""
    contract = candidate.contract
    return {
        "gate": "passed" if contract.gate_passed else "refused",
        "gate_reason": contract.gate_reason,
        "cost": repr(contract.cost),
        "horizon_bars": str(contract.horizon_bars),
        "interval_seconds": str(contract.interval_seconds),
        "data_hash": contract.data_hash,
        "feature_hash": contract.feature_hash,
        "artifact_sha256": contract.model_sha256,
        "git_commit": contract.git_commit,
        "trained_until": contract.trained_until.isoformat(),
    }


def _against_champion(evidence: Evidence) -> dict[str, float]:
    rivalry = evidence.rivalry
    if rivalry is None:
        return {}
    return {
        "champion_log_loss_gain": rivalry.gain,
        "champion_log_loss_gain_low": rivalry.low,
        "champion_log_loss_gain_high": rivalry.high,
    }


def _finite(value: float) -> float:
    # MLflow's stores do not keep an infinite metric or NaN alike; -1 is neither's value.
    return value if math.isfinite(value) else -1.0
