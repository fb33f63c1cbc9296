"""Gather what a backtest needs, play it, and say whence every term came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from market import features
from market.tape import Tape
from ops.backtesting import backtest, gathering, report
from ops.backtesting.paper import Outcome, Terms
from ops.backtesting.report import Subject
from ops.errors import AnswerIsNo
from registry import snapshot
from trader.settings import TraderSettings

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from market.instruments import Instrument
    from ops.backtesting.gathering import Measured
    from ops.backtesting.report import Report
    from registry.store import RegisteredVersion

# What is taken where no book and no fill is on record, as fractions and in money.
ASSUMED_SPREAD = Decimal("0.001")
ASSUMED_SLIPPAGE = Decimal("0.0001")
ASSUMED_DEPTH = Decimal(20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the person wants other than it is; None where the record shall decide."""

    start: datetime | None = None
    end: datetime | None = None
    cash: float = 10_000.0
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    spread: Decimal | None = None
    slippage: Decimal | None = None
    volume_share: Decimal = Decimal("0.1")
    despite_holes: bool = False


def play(engine: Engine, client: MlflowClient, version: RegisteredVersion, asked: Asked) -> Report:
    """Trade a registered version on the bars on record.

    Raises:
        AnswerIsNo: The record lacks the market, its fees, or bars.
        RegistryError: The version's files are not to be had, or not what they should be.
    """
    model = gathering.load(client, version)
    contract, symbol = model.contract, version.symbol
    interval = timedelta(seconds=contract.interval_seconds)
    start = asked.start or contract.trained_until
    bars = gathering.bars(
        engine,
        symbol,
        interval,
        start=start,
        end=asked.end,
        despite_holes=asked.despite_holes,
    )
    end = bars.index[-1].to_pydatetime() + interval
    measured = gathering.measured(engine, symbol, bars.index[0].to_pydatetime(), end)
    instrument = _charged(gathering.instrument(engine, symbol), asked)
    terms = _terms(instrument, measured, asked)
    spread = _spread(bars, measured, asked)
    rows, said = gathering.probabilities(model, features.compute(bars, interval))
    outcome = backtest.run(tape(bars, interval, spread), rows, said, contract, terms)
    warming = int((bars.index < start).sum())
    counted = bars.iloc[warming:]
    subject = Subject(
        symbol=symbol,
        version=version.version,
        run_id=version.run_id,
        contract=contract,
        terms=terms,
        start=counted.index[0].to_pydatetime(),
        end=end,
        bars=len(counted),
        data_hash=snapshot.fingerprint(bars),
        sources=(
            *_costs(terms, measured, asked, spread[warming:]),
            *_rules(counted, contract.trained_until, terms),
        ),
    )
    return report.make(subject, _since(outcome, warming), said[warming:], counted)


def _charged(instrument: Instrument, asked: Asked) -> Instrument:
    maker = instrument.maker_fee if asked.maker_fee is None else asked.maker_fee
    taker = instrument.taker_fee if asked.taker_fee is None else asked.taker_fee
    if maker is None or taker is None:
        raise AnswerIsNo(
            f"the fees of {instrument.symbol} are not on record; give --maker-fee and --taker-fee"
        )
    return replace(instrument, maker_fee=maker, taker_fee=taker)


def _terms(instrument: Instrument, measured: Measured, asked: Asked) -> Terms:
    settings = TraderSettings()
    slippage = measured.slippage if asked.slippage is None else asked.slippage
    return Terms(
        instrument=instrument,
        limits=settings.limits,
        appetite=settings.appetite,
        cash=Decimal(repr(asked.cash)),
        slippage=ASSUMED_SLIPPAGE if slippage is None else slippage,
        depth=measured.depth or ASSUMED_DEPTH,
        volume_share=asked.volume_share,
        deadline=timedelta(seconds=settings.order_deadline_seconds),
    )


def _spread(bars: pd.DataFrame, measured: Measured, asked: Asked) -> NDArray[np.float64]:
    """Return each bar's spread: what was asked, else recorded, else the mean of those recorded."""
    if asked.spread is not None or not measured.spreads:
        return np.full(len(bars), float(asked.spread or ASSUMED_SPREAD))
    usual = float(np.mean(list(measured.spreads.values())))
    return np.array([measured.spreads.get(at.to_pydatetime(), usual) for at in bars.index])


def tape(bars: pd.DataFrame, interval: timedelta, spread: NDArray[np.float64]) -> Tape:
    """Lay bars out to be played, with one spread each; raises ValueError if they make no sense."""
    return Tape(
        starts=[at.to_pydatetime() for at in bars.index],
        interval=interval,
        open=bars["open"].to_numpy(),
        close=bars["close"].to_numpy(),
        volume=bars["volume"].to_numpy(),
        spread=spread,
    )


def _since(outcome: Outcome, warming: int) -> Outcome:
    """Leave out the bars that only warmed the features up; nothing was decided on them."""
    codes = outcome.codes.copy()
    codes["cold"] -= warming
    return replace(
        outcome, equity=outcome.equity[warming:], held=outcome.held[warming:], codes=+codes
    )


def _costs(
    terms: Terms, measured: Measured, asked: Asked, spread: NDArray[np.float64]
) -> list[str]:
    count, instrument = len(measured.spreads), terms.instrument
    if asked.spread is not None:
        book = f"Spread: {asked.spread:.4%}, as asked."
    elif count:
        book = (
            f"Spread: measured from the book at {count:,} decisions on record, "
            f"{float(spread.mean()):.4%} on average, which is taken where none was recorded."
        )
    else:
        book = f"Spread: assumed to be {ASSUMED_SPREAD:.2%}; no book is on record for these bars."
    if asked.slippage is not None:
        beyond = f"Slippage: {asked.slippage:.4%} beyond the touch, as asked."
    elif measured.slippage is not None:
        beyond = (
            f"Slippage: {measured.slippage:.4%} beyond the touch that the decision saw, the mean "
            f"of {measured.fills:,} fills on record."
        )
    else:
        beyond = f"Slippage: assumed to be {ASSUMED_SLIPPAGE:.2%} beyond the touch; no fill tells."
    deep = "as recorded on average" if measured.depth else "assumed"
    return [
        (
            f"Fees: maker {instrument.maker_fee:.4%}, taker {instrument.taker_fee:.4%}; every "
            "order takes, so the taker's is paid."
        ),
        book,
        beyond,
        f"The ten best levels of the book are worth {terms.depth:,.0f} on either side, {deep}.",
    ]


def _rules(bars: pd.DataFrame, trained_until: datetime, terms: Terms) -> list[str]:
    known = int((bars.index < trained_until).sum())
    learnt = (
        f"{known:,} of these bars lie before the end of the model's training: it knew them."
        if known
        else "The model had learnt from none of these bars; those of its hold-out judged it."
    )
    return [
        learnt,
        (
            "Latency: a bar's close is the quote that a decision sees, and the next bar's open, "
            "its first trade, the price around which the order meets the book."
        ),
        (
            f"Orders take at once what is within their limit, at most {terms.volume_share:.0%} of "
            "the next bar's volume, and are cancelled for the rest; none rests."
        ),
        (
            "Limits, sizes and refusals are the live trader's, from TRADER_*; a halt stays, since "
            "nobody is there to resume. Other markets of the account are taken to hold nothing."
        ),
    ]
