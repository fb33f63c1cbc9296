"""What a backtest needs: the version's model, the bars, and what crossing the book has cost."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from market import features, history
from market.features import WARM_UP
from market.instruments import Side
from ops.errors import AnswerIsNo
from registry import served, store
from registry.contract import model_name
from registry.overriding import Override
from serving.production import in_production
from sql import evidence
from sql.tables import DecisionRow, FillRow, OrderRow
from trader import record

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd
    from mlflow import MlflowClient
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from market.instruments import Instrument
    from registry.served import ServedModel
    from registry.store import RegisteredVersion

FILES = ("model.ubj", "contract.json", "golden.json")
# How the exchange says, on its two interfaces, that an order took what was there.
TAKEN = ("t", "taker")
# Fewer decided bars than this say nothing about anything.
FEWEST = 100
NOBODY = Override(who="friday backtest", why="a backtest sends nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the book and the fills on record say of what crossing it costs; None if nothing.

    `spreads` is by the start of the bar, as fractions of the middle; `slippage` is what fills
    paid beyond the touch that the decision saw, on average, and `fills` how many there were.
    """

    spreads: dict[datetime, float]
    depth: Decimal | None
    slippage: Decimal | None
    fills: int


def find(
    engine: Engine, client: MlflowClient, symbol: str, number: int | None
) -> RegisteredVersion:
    """Return a version, or the one in production.

    Raises:
        VersionUnknown: The registry does not have it.
        AnswerIsNo: None is in production.
    """
    wanted = number
    if wanted is None:
        with Session(engine) as session:
            wanted = in_production(session, client, symbol)
    if wanted is None:
        raise AnswerIsNo(f"{symbol} has no production model; name one with --version")
    return store.version(client, symbol, wanted)


def load(client: MlflowClient, version: RegisteredVersion) -> ServedModel:
    """Fetch a version's files and check them as the trader does, but for the gate's verdict.

    Raises:
        ArtifactRefused: They are not what they are said to be, or need other features.
    """
    import mlflow  # noqa: PLC0415 - mlflow takes seconds to import

    name = model_name(version.symbol)
    uri = client.get_model_version_download_uri(name, str(version.version))
    with tempfile.TemporaryDirectory() as folder, store.translated(f"the files of {name}"):
        got = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        files = [(got / file).read_bytes() for file in FILES]
    return served.load(
        *files,
        expected_sha256=version.tags.get("artifact_sha256", ""),
        feature_names=features.NAMES,
        feature_hash=features.HASH,
        expected_contract_sha256=version.tags.get("contract_sha256", ""),
        override=NOBODY,
    )


def instrument(engine: Engine, symbol: str) -> Instrument:
    """Return the market as the exchange last described it to the trader.

    Raises:
        AnswerIsNo: It never did.
    """
    with Session(engine) as session:
        found = record.instruments(session).get(symbol)
    if found is None:
        raise AnswerIsNo(f"{symbol} is not on record; the trader writes markets down as it starts")
    return found


def bars(
    engine: Engine,
    symbol: str,
    interval: timedelta,
    *,
    start: datetime,
    end: datetime | None,
    despite_holes: bool = False,
) -> pd.DataFrame:
    """Read the bars from start on and before end, and before them those that warm features up.

    Raises:
        AnswerIsNo: There are too few of them, or some between are missing.
    """
    with Session(engine) as session:
        until = end or evidence.record_ends(session, symbol, int(interval.total_seconds()))
    if until is None:
        raise AnswerIsNo(f"there is no bar of {symbol}; friday ingest {symbol} fetches them")
    table = history.read_bars(engine, symbol, interval, start - (WARM_UP - 1) * interval, until)
    count = int((table.index >= start).sum())
    if count < FEWEST:
        raise AnswerIsNo(
            f"{count} bars of {symbol} are on record from {start:%Y-%m-%d %H:%M} to "
            f"{until:%Y-%m-%d %H:%M} UTC, and a backtest needs {FEWEST}"
        )
    missing = (table.index[-1] - table.index[0]) // interval + 1 - len(table)
    if missing and not despite_holes:
        step = int(np.argmax(np.diff(table.index) != np.timedelta64(interval)))
        raise AnswerIsNo(
            f"{missing} bars of {symbol} are missing, the first after "
            f"{table.index[step]:%Y-%m-%d %H:%M} UTC; friday ingest {symbol} fills holes, and "
            "--despite-holes goes on over them as the live trader does"
        )
    return table


def probabilities(
    model: ServedModel, table: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the features of every bar and what the model says of them, NaN until they are warm.

    An infinite feature is known by nobody, as at a live desk.
    """
    rows = table.to_numpy(dtype=np.float64)
    warm = ~np.isnan(rows).all(axis=1)
    rows = np.where(np.isinf(rows), np.nan, rows)
    said = np.full(len(rows), np.nan)
    said[warm] = model.predict_all(rows[warm])
    return rows, said


def measured(engine: Engine, symbol: str, start: datetime, end: datetime) -> Measured:
    """Return what the record tells of the book and of fills against it in a span of time."""
    here = (DecisionRow.symbol == symbol, DecisionRow.bar_start >= start)
    query = select(DecisionRow.bar_start, DecisionRow.inputs["quote"], DecisionRow.inputs["risk"])
    with Session(engine) as session:
        found = session.execute(query.where(*here, DecisionRow.bar_start < end)).all()
        fills = session.execute(
            select(FillRow.side, FillRow.price, DecisionRow.inputs["quote"])
            .join(OrderRow, OrderRow.id == FillRow.order_id)
            .join(DecisionRow, DecisionRow.id == OrderRow.decision_id)
            .where(*here, DecisionRow.bar_start < end, FillRow.liquidity.in_(TAKEN))
        ).all()
    spreads = {bar: _spread(quote) for bar, quote, _ in found if quote}
    depths = [
        min(Decimal(risk[side]) for side in ("bid_depth", "ask_depth"))
        for _, _, risk in found
        if risk and risk.get("bid_depth") and risk.get("ask_depth")
    ]
    paid = [_beyond(side, price, quote) for side, price, quote in fills if quote]
    average = _mean(paid)
    return Measured(
        spreads=spreads,
        depth=_mean(depths),
        slippage=None if average is None else max(Decimal(0), average),
        fills=len(paid),
    )


def _mean(values: list[Decimal]) -> Decimal | None:
    return sum(values, Decimal(0)) / len(values) if values else None


def _spread(quote: dict[str, str]) -> float:
    bid, ask = Decimal(quote["bid"]), Decimal(quote["ask"])
    return float(2 * (ask - bid) / (ask + bid))


def _beyond(side: str, price: Decimal, quote: dict[str, str]) -> Decimal:
    if side == Side.BUY:
        return price / Decimal(quote["ask"]) - 1
    return 1 - price / Decimal(quote["bid"])
