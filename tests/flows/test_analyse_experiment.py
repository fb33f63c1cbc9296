"""A look at an experiment reads the record, writes one look, and ends what is decided."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from prefect.exceptions import ParameterTypeError
from sqlalchemy import select
from sqlalchemy.orm import Session

from experiments.analysis import Decision
from experiments.planning import Terms
from flows.analyse_experiment import analyse_experiment, take_look
from sql import evidence, months
from sql.tables import ExperimentLookRow, ExperimentRow, OutcomeRow, PredictionRow, PriceBarRow

SYMBOL = "XRP/USD"
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KNOWN_AFTER = 3  # bars, from the start of one to the end of the one that tells its outcome
TERMS = Terms(
    metric="log_loss", horizon_bars=2, block_bars=16, alpha=0.05, planned_units=20, cap_units=34
)


def start(session, **changes):
    given = {
        "symbol": SYMBOL,
        "control_version": 1,
        "treatment_version": 2,
        "interval_seconds": 60,
        "cost": 0.001,
        "at": START,
        **asdict(TERMS),
    }
    return evidence.start_experiment(session, **(given | changes))


def record(session, bars, *, control=0.5, treatment=0.8, treatment_until=None):
    """Write bars of which three of four rise, and what the two versions said of them."""
    rng = np.random.default_rng(5)
    rises = rng.random(bars) < 0.75
    months.ensure(session, "price_bars", [START + n * MINUTE for n in range(bars)])
    for n in range(bars):
        at = START + n * MINUTE
        session.add(
            PriceBarRow(
                symbol=SYMBOL, interval_seconds=60, start=at, open=1, high=1, low=1, close=1,
                volume=1, trades=1, source="test",
            )
        )  # fmt: skip
        session.add(
            OutcomeRow(
                symbol=SYMBOL,
                interval_seconds=60,
                bar_start=at,
                horizon_bars=2,
                forward_return=0.002 if rises[n] else 0.0005,
            )
        )
        session.add(prediction(at, 1, "production", control))
        if treatment_until is None or n < treatment_until:
            session.add(prediction(at, 2, "challenger", treatment))


def prediction(at, version, role, probability):
    return PredictionRow(
        symbol=SYMBOL, interval_seconds=60, bar_start=at, model_version=version, role=role,
        probability=probability, horizon_bars=2, feature_hash="f", features=[0.0], at=at,
    )  # fmt: skip


def test_without_an_experiment_it_says_so_and_ends_well(engine):
    looked = take_look(engine, SYMBOL)

    assert looked.reason == "no experiment is running for XRP/USD"
    assert "no experiment" in looked.markdown()


def test_without_bars_it_says_so_and_records_nothing(engine):
    with Session(engine) as session, session.begin():
        start(session)

    looked = take_look(engine, SYMBOL)

    assert "no bars of XRP/USD" in looked.reason
    with Session(engine) as session:
        assert session.scalars(select(ExperimentLookRow)).all() == []


def test_a_decided_experiment_ends_with_its_reason(engine):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 20 + KNOWN_AFTER)

    looked = take_look(engine, SYMBOL)

    assert looked.decision is Decision.PROMOTE
    with Session(engine) as session:
        (experiment,) = session.scalars(select(ExperimentRow)).all()
        (seen,) = session.scalars(select(ExperimentLookRow)).all()
        assert (experiment.state, experiment.conclusion) == ("stopped", looked.reason)
        assert (seen.units, seen.verdict) == (20, "promote")
        assert seen.low > 0
    assert "log loss that the treatment saves, nats a bar | +0." in looked.markdown()


def test_an_undecided_experiment_goes_on_and_one_time_has_one_look(engine):
    with Session(engine) as session, session.begin():
        experiment = start(session)
        record(session, 16 * 5)

    first, again = (take_look(engine, SYMBOL) for _ in range(2))

    assert first == again
    assert first.decision is Decision.UNDECIDED
    with Session(engine) as session:
        assert evidence.running_experiment(session, SYMBOL).id == experiment
        assert len(session.scalars(select(ExperimentLookRow)).all()) == 1


def test_a_treatment_that_fell_silent_stops_the_experiment(engine):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 60, treatment_until=100)

    looked = take_look(engine, SYMBOL)

    assert looked.decision is Decision.STOP
    assert "860 bars have a score from the control only" in looked.reason


def test_a_look_sees_nothing_from_after_its_end(engine):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 20)

    looked = take_look(engine, SYMBOL, START + 16 * 3 * MINUTE)

    # Three blocks are over, and the outcomes of the third one's last bars were not known yet.
    assert looked.analysis.units == 2


@pytest.mark.parametrize("later", [timedelta(days=300), timedelta(seconds=59)])
def test_a_look_ends_with_the_record_whatever_was_asked_for(engine, later):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 5)

    take_look(engine, SYMBOL, START + 16 * 5 * MINUTE + later)

    with Session(engine) as session:
        (seen,) = session.scalars(select(ExperimentLookRow)).all()
        assert seen.at == START + 16 * 5 * MINUTE


def test_a_look_from_before_the_experiment_says_so_and_records_nothing(engine):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 5)

    looked = take_look(engine, SYMBOL, START)

    assert looked.reason == (
        "the experiment began at 2026-03-01 00:00 UTC, and until 2026-03-01 00:00 UTC "
        "there is nothing to compare"
    )
    with Session(engine) as session:
        assert session.scalars(select(ExperimentLookRow)).all() == []


def test_two_looks_at_once_are_one_look_and_end_an_experiment_once(engine):
    with Session(engine) as session, session.begin():
        start(session)
        record(session, 16 * 20 + KNOWN_AFTER)

    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: take_look(engine, SYMBOL), range(4)))

    decided = [look for look in looks if look.decision is not None]
    assert [look.decision for look in decided] == [Decision.PROMOTE]
    assert all("no experiment is running" in one.reason for one in looks if one.decision is None)
    with Session(engine) as session:
        assert len(session.scalars(select(ExperimentLookRow)).all()) == 1


def test_only_one_experiment_runs_for_a_market(engine):
    with Session(engine) as session, session.begin():
        first = start(session)

        assert start(session) == first
        assert start(session, at=START + MINUTE) == first
        assert start(session, treatment_version=3) is None
        assert start(session, symbol="DOGE/USD").startswith("doge-usd-v2-against-v1")


def test_an_ended_experiment_ends_once_and_makes_room(engine):
    with Session(engine) as session, session.begin():
        first = start(session)

        assert evidence.stop_experiment(session, first, at=START, conclusion="enough")
        assert not evidence.stop_experiment(session, first, at=START, conclusion="again")
        assert start(session) is None
        assert start(session, treatment_version=3) is not None


@pytest.mark.usefixtures("prefect_server")
def test_the_flow_ends_well_when_there_is_nothing_to_analyse(monkeypatch, database_url):
    monkeypatch.setenv("DATABASE_URL", database_url)

    assert analyse_experiment("xrp/usd").reason == "no experiment is running for XRP/USD"
    assert analyse_experiment("BRK.B").reason == "no experiment is running for BRK.B"


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"symbol": "XRP USD"}, "expected a market such as XRP/USD"),
        ({"symbol": SYMBOL, "until": "2026-03-01T00:00:00"}, "should have timezone info"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_sentence(asked, refused):
    with pytest.raises(ParameterTypeError, match=refused):
        analyse_experiment.validate_parameters(asked)
