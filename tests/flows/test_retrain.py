"""Retraining leaves a version with its verdict, a job on record, and no more than it earned."""

import json
import socket
import socketserver
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import markets
import numpy as np
import pytest
from prefect.client.orchestration import get_client
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from flows import check_drift
from flows import retrain as flow
from flows.retrain import retrain
from market.history import read_bars
from ops.cli import main
from registry import store
from registry.contract import model_name
from registry.errors import RegistryUnreachable, TrainingRefused
from registry.settings import ModelRegistrySettings
from registry.snapshot import fingerprint
from sql import months, retrainings
from sql.errors import TurnNotCome
from sql.tables import ExperimentRow, InstrumentRow, PriceBarRow, PromotionRow, RetrainingJobRow
from sql.turns import turn

FEE = Decimal("0.002")


@pytest.fixture
def market(monkeypatch, engine, database_url, mlflow_address, prefect_server):  # noqa: ARG001
    """Give a function that puts a market on record; flows find everything by environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    monkeypatch.delenv("OPTUNA_STORAGE_URL", raising=False)

    def record(symbol, bars, taker_fee=FEE):
        rows = bars.round(8).reset_index().to_dict("records")
        known = {"symbol": symbol, "interval_seconds": 60, "source": "made up"}
        with Session(engine) as session, session.begin():
            months.ensure(session, "price_bars", bars.index)
            session.execute(insert(PriceBarRow), [row | known for row in rows])
            if taker_fee is not None:
                session.add(instrument(symbol, taker_fee))

    return record


def instrument(symbol, taker_fee):
    return InstrumentRow(
        symbol=symbol,
        exchange_id=symbol,
        base=symbol[:3],
        quote="USD",
        price_decimals=5,
        quantity_decimals=8,
        cost_decimals=5,
        quantity_min=Decimal(1),
        cost_min=Decimal(1),
        taker_fee=taker_fee,
        updated_at=datetime.now(UTC),
    )


def registry():
    return store.open_registry(ModelRegistrySettings())


def rows(engine, table):
    with Session(engine) as session:
        return session.scalars(select(table).order_by(table.id)).all()


def read_again(engine, run_id):
    """Return the hash of the bars on record that a run's dataset tells of."""
    (used,) = registry().get_run(run_id).inputs.dataset_inputs
    told = json.loads(used.dataset.source)
    within = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    interval = timedelta(seconds=told["interval_seconds"])
    return fingerprint(read_bars(engine, told["symbol"], interval, *within))


def test_the_first_model_goes_live_and_the_next_ones_are_put_to_the_test(market, engine):
    bars = markets.planted(1, days=7)
    market("XRP/USD", bars)
    began = datetime.now(UTC)

    first = retrain("XRP/USD", days=7, trials=3, promote_first=True)
    second = retrain("XRP/USD", days=7, trials=3, until=bars.index[-60], promote_first=True)
    # The same bars once more: another window could be refused for a log loss of its own.
    third = retrain("XRP/USD", days=7, trials=3, until=bars.index[-60])

    assert (first.passed, first.promoted, first.experiment_id) == (True, True, None)
    compared = store.version(registry(), "XRP/USD", second.version).metrics
    assert (
        compared["champion_log_loss_gain_low"]
        <= compared["champion_log_loss_gain"]
        <= compared["champion_log_loss_gain_high"]
    )
    assert (second.promoted, third.promoted, third.experiment_id) == (False, False, None)
    assert "another experiment is running" in third.reason
    assert store.aliases(registry(), "XRP/USD") == {
        "production": first.version,
        "challenger": second.version,
    }
    (promotion,) = rows(engine, PromotionRow)
    assert (promotion.to_version, promotion.who) == (first.version, "policy")
    assert promotion.evidence["gate"] == "passed"
    assert began < promotion.at < datetime.now(UTC)
    (experiment,) = rows(engine, ExperimentRow)
    assert experiment.id == second.experiment_id
    assert (experiment.control_version, experiment.treatment_version) == (1, 2)
    assert experiment.cost == pytest.approx(2 * 0.002 + 0.001)
    assert experiment.started_at == bars.index[-60]


def test_a_refusal_is_a_normal_end_with_its_reason_on_record(market, engine):
    market("DOGE/USD", markets.walk(1, days=5, volatility=0.003))

    refused = retrain("DOGE/USD", days=5, trials=3, trigger="manual", promote_first=True)

    assert not refused.passed
    assert refused.version == 1
    assert store.aliases(registry(), "DOGE/USD") == {}
    (job,) = rows(engine, RetrainingJobRow)
    assert (job.state, job.passed, job.trigger) == ("done", False, "manual")
    assert (job.version, job.run_id, job.reason) == (1, refused.run_id, refused.reason)
    assert job.data_hash == store.version(registry(), "DOGE/USD", 1).tags["data_hash"]
    assert job.data_hash == read_again(engine, refused.run_id)
    with get_client(sync_client=True) as client:
        shown = [a for a in client.read_artifacts() if a.key == "retrain-doge-usd"]
    assert shown[0].data.startswith("# DOGE/USD: refused")
    assert shown[0].description == refused.reason


def rising(bars):
    return bars * 0 + np.exp(np.arange(len(bars)) * 0.001)[:, None]


@pytest.fixture
def announced(monkeypatch):
    """Return a list that takes the flow's events instead of Prefect."""
    told = []
    monkeypatch.setattr(flow, "emit_event", lambda **event: told.append(event))
    return told


@pytest.mark.parametrize(
    ("taught", "message"),
    [
        (("BTC/USD", markets.walk(1, days=1).iloc[:300]), "expected at least 1000 bars"),
        (("SOL/USD", markets.walk(1, days=2) * 0 + 1.0), "0 rises beyond cost"),
        (("XMR/USD", rising(markets.walk(1, days=3))), "found 844 rises beyond cost among 844"),
    ],
    ids=["too few", "constant prices", "one class only"],
)
def test_bars_that_cannot_teach_end_in_a_sentence_and_no_version(
    market, engine, announced, taught, message
):
    symbol, bars = taught
    market(symbol, bars)

    ended = retrain(symbol, trials=3, promote_first=True)

    assert (ended.passed, ended.version) == (False, None)
    assert message in ended.reason
    assert store.versions(registry(), symbol) == []
    assert store.aliases(registry(), symbol) == {}
    (job,) = rows(engine, RetrainingJobRow)
    assert (job.state, job.passed, job.version, job.reason) == ("done", False, None, ended.reason)
    (event,) = announced
    assert event["event"] == "friday.retrain-taught-nothing"
    assert event["payload"] == {"symbol": symbol, "run": job.id, "reason": ended.reason}
    with get_client(sync_client=True) as client:
        shown = [a for a in client.read_artifacts() if a.key == f"retrain-{model_name(symbol)}"]
        run = client.read_flow_run(job.id)
    assert shown[0].data.startswith(f"# {symbol}: nothing was trained")
    assert ended.reason in shown[0].data
    assert (run.state.type, run.state.name) == ("COMPLETED", "TaughtNothing")
    assert run.state.message == ended.reason


def test_a_hole_across_the_hold_out_registers_nothing_until_it_is_filled(market):
    bars = markets.walk(2, days=3, volatility=0.003)
    begins = bars.index[0] + timedelta(days=2, hours=12)
    hole = (bars.index >= begins) & (bars.index < begins + timedelta(hours=6))
    market("DOT/USD", bars[~hole])

    ended = retrain("DOT/USD", days=3, trials=1)

    assert "no bars between" in ended.reason
    assert store.versions(registry(), "DOT/USD") == []

    market("DOT/USD", bars[hole], taker_fee=None)
    again = retrain("DOT/USD", days=3, trials=1)

    assert again.version == 1
    assert [one.version for one in store.versions(registry(), "DOT/USD")] == [1]


@pytest.mark.parametrize(
    ("symbol", "fee", "message"),
    [("ETH/USD", None, "taker fee of ETH/USD is not on record"), ("ADA/USD", FEE, "no bars of")],
)
def test_what_cannot_begin_fails_with_a_sentence_on_record(market, engine, symbol, fee, message):
    bars = markets.walk(1, days=1)
    market("ETH/USD", bars, taker_fee=fee)

    with pytest.raises(TrainingRefused, match=message):
        retrain(symbol, cost=0.005 if symbol == "ADA/USD" else None)

    (job,) = rows(engine, RetrainingJobRow)
    assert job.state == "failed"
    assert message in job.reason


@pytest.mark.parametrize(
    ("fee", "message"), [(FEE, "expected at least 1000 bars"), (None, "start the trader once")]
)
def test_the_command_says_in_a_sentence_why_nothing_was_trained(
    market, monkeypatch, capsys, fee, message
):
    monkeypatch.setenv("FRIDAY_HOME", "nowhere")
    market("BTC/USD", markets.walk(1, days=1).iloc[:300], taker_fee=fee)

    with pytest.raises(SystemExit) as ending:
        main(["retrain", "BTC/USD"])

    said = capsys.readouterr()
    assert (ending.value.code, said.out) == (1, "")
    assert message in said.err.splitlines()[-1]


class Doorway:
    """A way to a server that can be closed, and closes by itself after so many connections."""

    def __init__(self, address):
        self._target = urlsplit(address)
        self.left = 10**9
        outer = self

        class Passage(socketserver.BaseRequestHandler):
            def handle(self):
                outer.left -= 1
                if outer.left < 0:
                    return
                target = (outer._target.hostname, outer._target.port)
                with socket.create_connection(target) as onward:
                    back = threading.Thread(target=pump, args=(onward, self.request))
                    back.start()
                    pump(self.request, onward)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


def pump(one, other):
    with suppress(OSError):
        while content := one.recv(65536):
            other.sendall(content)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def doorway(mlflow_address):
    way = Doorway(mlflow_address)
    yield way
    way.server.shutdown()
    way.server.server_close()


def test_mlflow_gone_in_the_middle_leaves_nothing_and_a_rerun_ends_well(
    market, engine, doorway, mlflow_address, monkeypatch
):
    market("LTC/USD", markets.walk(2, days=3, volatility=0.003))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", doorway.address)
    monkeypatch.setattr(flow, "register", flow.register.with_options(retries=0))
    told = []
    monkeypatch.setattr(flow, "emit_event", lambda **event: told.append(event))
    doorway.left = 1  # for whether there is a champion

    with pytest.raises(RegistryUnreachable):
        retrain("LTC/USD", days=3, trials=1)

    assert doorway.left < 0
    (event,) = told
    assert event["event"] == "friday.retrain-failed"
    assert event["resource"] == {"prefect.resource.id": "friday.market.ltc-usd"}
    assert event["payload"]["symbol"] == "LTC/USD"
    (job,) = rows(engine, RetrainingJobRow)
    assert (job.state, job.version, job.run_id) == ("failed", None, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    assert store.versions(registry(), "LTC/USD") == []

    again = retrain("LTC/USD", days=3, trials=1)

    assert again.version == 1
    assert [one.version for one in store.versions(registry(), "LTC/USD")] == [1]
    assert store.aliases(registry(), "LTC/USD") == {}


def test_a_second_retraining_of_a_market_waits_its_turn_and_gives_up_in_the_end(engine):
    with turn(engine, "retrain XRP/USD", patience=timedelta(seconds=1)):
        with turn(engine, "retrain DOGE/USD", patience=timedelta(seconds=1)):
            pass
        with (
            pytest.raises(TurnNotCome, match="somebody else was at it"),
            turn(engine, "retrain XRP/USD", patience=timedelta(milliseconds=200)),
        ):
            pass

    with turn(engine, "retrain XRP/USD", patience=timedelta(seconds=1)):
        pass


def test_enough_bars_that_no_retraining_saw_ask_for_one(market, engine, monkeypatch):
    bars = markets.walk(1, days=1)
    market("SOL/USD", bars.iloc[:100])
    at = datetime.now(UTC)

    with Session(engine) as session, session.begin():
        never = retrainings.bars_since_last(session, "SOL/USD", 60)
        retrainings.open_job(session, "one", symbol="SOL/USD", trigger="manual", at=at)
        running = retrainings.bars_since_last(session, "SOL/USD", 60)
        retrainings.close_job(session, "one", at=at, passed=False, reason="noise")
        none = retrainings.bars_since_last(session, "SOL/USD", 60)
    market("SOL/USD", bars.iloc[100:130], taker_fee=None)
    with Session(engine) as session:
        new = retrainings.bars_since_last(session, "SOL/USD", 60)
        other = retrainings.bars_since_last(session, "SOL/USD", 300)

    told = []
    monkeypatch.setattr(check_drift, "emit_event", lambda **event: told.append(event))
    check_drift.heed_volume.fn("SOL/USD", 60, 31)
    check_drift.heed_volume.fn("ETC/USD", 60, 1)
    check_drift.heed_volume.fn("SOL/USD", 60, 30)

    assert (never, running, none, new, other) == (None, None, 0, 30, 0)
    (event,) = told
    assert event["event"] == "friday.retrain-wanted"
    assert event["payload"] == {
        "symbol": "SOL/USD",
        "cause": "volume",
        "reason": "30 bars came to the record since the last retraining",
    }
