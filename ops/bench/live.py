"""A live trader on a record of many days, whose exchange answers before it is asked twice.

Everything is the trader's own but two things: its HTTP client's last layer notes when a
request is handed to it and answers at once, and its clock can be put forward, so that a
minute need not take one.
"""

from __future__ import annotations

import io
import json
import queue
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import requests
import xgboost as xgb
from requests.adapters import BaseAdapter
from sqlalchemy.orm import Session

from market import features, history
from market.bars import BarBuilder
from market.public_data import PublicData
from market.world import World
from ops.bench.circumstances import MINUTE, instrument
from ops.bench.record import END
from registry.contract import Contract
from registry.served import ServedModel
from serving.events import ModelLoaded
from sql.lease import Lease
from streams.clock import ExchangeClock
from telemetry.metrics import Metrics
from telemetry.points import InfluxSettings, Telemetry
from trader.desk import Desk
from trader.exchange import Exchange
from trader.live import Trader
from trader.outage import Outage
from trader.settings import ExchangeSettings, TraderSettings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

XRP = "XRP/USD"
TREES = 60
PAIR = {
    "altname": "XRPUSD",
    "wsname": XRP,
    "base": "XXRP",
    "quote": "ZUSD",
    "cost_decimals": 8,
    "pair_decimals": 5,
    "lot_decimals": 8,
    "ordermin": "1.65",
    "costmin": "0.5",
    "status": "online",
}


@dataclass
class Clock:
    """A clock that never goes back and can be put forward."""

    ahead: float = 0.0

    def now(self) -> float:
        """Return its seconds."""
        return time.monotonic() + self.ahead

    def leap(self, seconds: float) -> None:
        """Put it forward; a negative leap is none."""
        self.ahead += max(0.0, seconds)


class AtOnce(BaseAdapter):
    """The last layer of an HTTP client: notes when an order is handed over, and accepts it."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: list[float] = []

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override] # its options are of no use here
        """Answer a request of Kraken's interface."""
        name = (request.path_url or "").rsplit("/", 1)[-1]
        if name == "AddOrder":
            self.handed.append(time.perf_counter())
        results: dict[str, Any] = {
            "AddOrder": {"descr": {}, "txid": [f"OBENCH-{len(self.handed):05}-AAAAAA"]},
            "AssetPairs": {"XXRPZUSD": PAIR},
        }
        body = json.dumps({"error": [], "result": results.get(name, {})}).encode()
        answer = requests.Response()
        answer.status_code, answer.reason, answer.url = 200, "OK", request.url or ""
        answer.encoding, answer.raw, answer.request = "utf-8", io.BytesIO(body), request
        return answer

    def close(self) -> None:
        """Do nothing: nothing is open."""


class Stages(Metrics):
    """The trader's own numbers, with every passage of a stage and when it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: dict[str, list[tuple[float, float]]] = {}

    def stage(self, name: str, seconds: float) -> None:
        """Keep a passage: when it ended (`time.perf_counter`), and its length."""
        self.passages.setdefault(name, []).append((time.perf_counter(), seconds))
        super().stage(name, seconds)


@dataclass(slots=True)
class Rig:
    """The trader and what is of the measurement around it."""

    trader: Trader
    clock: Clock
    client: AtOnce
    stages: Stages
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = self.trader.desks[XRP]

    def close(self) -> None:
        """Let go of the lease."""
        self.trader.telemetry.close()
        self.trader.lease.release()


def rig(engine: Engine, folder: Path) -> Rig:
    """Build a trader that is warm, connected, reconciled and has a model, at the record's end."""
    clock, client, stages = Clock(), AtOnce(), Stages()
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", client)
    world = World(monotonic=clock.now, http=lambda: session)
    asked = ExchangeSettings(
        rest_url="http://exchange.invalid",
        api_key="key",
        api_secret="c2VjcmV0",  # noqa: S106 - of no account anywhere
        request_interval_seconds=0,
    )
    exchange_clock = ExchangeClock(END, clock.now(), END)
    telemetry = Telemetry(InfluxSettings(url=None))
    telemetry.metrics = stages
    trader = Trader(
        engine=engine,
        exchange=Exchange(asked, clock=lambda: exchange_clock.now(clock.now()), world=world),
        public_data=PublicData(asked, world=world),
        settings=TraderSettings(),
        desks={XRP: _desk(engine)},
        clock=exchange_clock,
        lease=Lease(engine, "bench"),
        telemetry=telemetry,
        events=queue.Queue(),
        exchange_status="online",
        outage=Outage(folder / "outage.jsonl"),
        world=world,
    )
    trader.caught_up = True
    return Rig(trader=trader, clock=clock, client=client, stages=stages)


def _desk(engine: Engine) -> Desk:
    desk = Desk(instrument=replace(instrument(XRP), exchange_id="XXRPZUSD"), interval=MINUTE)
    with Session(engine) as session:
        desk.warm(history.last_bars(session, XRP, MINUTE, features.WARM_UP))
    desk.builder = BarBuilder(XRP, MINUTE, begin=END)
    desk.trusted = True
    desk.adopt(_model())
    return desk


def _model() -> ModelLoaded:
    """Return a model that scores in earnest and then always promises enough to buy."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(2_000, len(features.NAMES)))
    label = rows[:, 0] + random.normal(size=len(rows)) > 0
    booster = xgb.train(
        {"nthread": 1, "objective": "binary:logistic", "max_bin": 64},
        xgb.DMatrix(rows, label=label, nthread=1),
        TREES,
    )
    contract = Contract(
        symbol=XRP,
        interval_seconds=60,
        horizon_bars=10,
        features=features.NAMES,
        feature_hash=features.HASH,
        cost=0.005,
        gain=0.05,
        loss=0.001,
        base_rate=0.2,
        platt_slope=0.01,  # two bars never get one and the same score
        platt_intercept=1.0,
        model_sha256=sha256(b"").hexdigest(),
        data_hash="0",
        trained_until=END,
        git_commit="0",
        gate_passed=True,
        gate_reason="it is for measuring only",
    )
    return ModelLoaded(
        symbol=XRP,
        role="production",
        version=1,
        run_id="bench",
        artifact_sha256=contract.model_sha256,
        evidence={},
        served=ServedModel(contract=contract, booster=booster),
    )
