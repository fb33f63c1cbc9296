"""Retraining leaves a version with its verdict, a job on record, and no more than it earned."""

from datetime import UTC, datetime
from decimal import Decimal

import markets
import pytest
from prefect.client.orchestration import get_client
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from flows.retrain import retrain
from registry import store
from registry.errors import TrainingRefused
from registry.settings import ModelRegistrySettings
from sql.tables import ExperimentRow, InstrumentRow, PriceBarRow, PromotionRow, RetrainingJobRow

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


def test_the_first_model_goes_live_and_the_next_ones_are_put_to_the_test(market, engine):
    bars = markets.planted(1, days=7)
    market("XRP/USD", bars)

    first = retrain("XRP/USD", days=7, trials=3, promote_first=True)
    second = retrain("XRP/USD", days=7, trials=3, until=bars.index[-60], promote_first=True)
    third = retrain("XRP/USD", days=7, trials=3, until=bars.index[-90])

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
    with get_client(sync_client=True) as client:
        shown = [a for a in client.read_artifacts() if a.key == "retrain-doge-usd"]
    assert shown[0].data.startswith("# DOGE/USD: refused")
    assert shown[0].description == refused.reason


def test_bars_that_cannot_teach_end_in_a_sentence_and_no_version(market):
    market("BTC/USD", markets.walk(1, days=1).iloc[:300])

    ended = retrain("BTC/USD", trials=3)

    assert (ended.passed, ended.version) == (False, None)
    assert "expected at least 1000 bars" in ended.reason
    assert store.versions(registry(), "BTC/USD") == []


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
