"""A backtest for a machine, as one object, and for a person, as sentences, tables and a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ops.backtesting import figures, page, pictures

if TYPE_CHECKING:
    from datetime import datetime

    from ops.backtesting.figures import Calibration, Trip
    from ops.backtesting.paper import Outcome, Terms
    from registry.contract import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Which version was played on which bars, and whence the terms come.

    `start` is the first moment that counts; bars before it only warmed the features up.
    `sources` are sentences about what was measured and what assumed.
    """

    symbol: str
    version: int
    run_id: str
    contract: Contract
    terms: Terms
    start: datetime
    end: datetime
    bars: int
    data_hash: str
    sources: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name it."""
        return (
            f"{self.symbol} version {self.version}, {self.start:%Y-%m-%d %H:%M} to "
            f"{self.end:%Y-%m-%d %H:%M} UTC"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, ready to be shown."""

    subject: Subject
    outcome: Outcome
    trips: list[Trip]
    money: dict[str, Any]
    calibration: Calibration | None
    starts: pd.DatetimeIndex

    @property
    def verdict(self) -> str:
        """Say what came of it."""
        found = self.money
        if not self.outcome.traded:
            return f"Nothing was traded in {self.subject.bars:,} bars: no call was worth its costs."
        return (
            f"{found['profit']:+,.2f} {self.subject.terms.instrument.quote} "
            f"({found['return']:+.3%}) after {found['fees']:,.2f} in fees, in {found['trips']} "
            f"trades over {self.subject.bars:,} bars; at worst {found['max_drawdown']:,.2f} below "
            "its peak."
        )


def make(
    subject: Subject, outcome: Outcome, probability: figures.Floats, bars: pd.DataFrame
) -> Report:
    """Work out the figures; arrays and bars are those from the subject's start on."""
    close, interval = bars["close"], subject.end - bars.index[-1].to_pydatetime()
    last = figures.price(float(close.iloc[-1]))
    least = subject.terms.instrument.quantity_min
    found = figures.trips(outcome.traded, least, interval, last)
    starts = pd.DatetimeIndex(bars.index)
    return Report(
        subject=subject,
        outcome=outcome,
        trips=found,
        money=figures.money(outcome, found, starts, subject.terms.cash),
        calibration=figures.calibration(probability, close, subject.contract, interval),
        starts=starts,
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return everything but the curves as one object."""
    subject, outcome, found = report.subject, report.outcome, report.calibration
    terms = subject.terms
    return {
        "symbol": subject.symbol,
        "version": subject.version,
        "run_id": subject.run_id,
        "from": subject.start,
        "to": subject.end,
        "bars": subject.bars,
        "data_hash": subject.data_hash,
        "trained_until": subject.contract.trained_until,
        "terms": {
            "maker_fee": terms.instrument.maker_fee,
            "taker_fee": terms.instrument.taker_fee,
            "slippage": terms.slippage,
            "depth": terms.depth,
            "volume_share": terms.volume_share,
            "cash": terms.cash,
        },
        "sources": list(subject.sources),
        "verdict": report.verdict,
        "money": report.money,
        "bars_by_decision": dict(outcome.codes.most_common()),
        "halts": [asdict(halt) for halt in outcome.halts],
        "model_sent_away": outcome.sent_away,
        "calibration": None
        if found is None
        else asdict(found.scores) | {"gain": found.scores.gain, "bins": found.bins},
        "trips": [asdict(trip) for trip in report.trips],
        "orders": [asdict(one) for one in outcome.traded],
    }


def as_page(report: Report) -> str:
    """Return the page."""
    subject, outcome = report.subject, report.outcome
    cash = float(subject.terms.cash)
    ends = report.starts + (subject.end - report.starts[-1])
    ended = [f"Halted {halt.at:%Y-%m-%d %H:%M} UTC: {halt.reason}." for halt in outcome.halts]
    if outcome.sent_away:
        ended.append(f"The model was sent away {outcome.sent_away}.")
    tables = {
        "Figures": [(name.replace("_", " "), page.number(x)) for name, x in report.money.items()],
        "Bars by decision": [(code, f"{n:,}") for code, n in outcome.codes.most_common()],
    }
    if report.calibration is not None:
        scores = asdict(report.calibration.scores) | {"gain": report.calibration.scores.gain}
        told = [(name.replace("_", " "), page.number(x)) for name, x in scores.items()]
        tables["Probabilities"] = told
    return page.render(
        title=subject.title,
        verdict=report.verdict,
        notes=[*ended, *subject.sources],
        tables=tables,
        pictures=pictures.draw(outcome, ends, cash, report.calibration),
        trips=report.trips,
    )
