"""A model that fails while it trades gives way to the one before it, by itself and for good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
import xgboost as xgb
from artifacts_of_ours import WIDTH, artifact, broken_bytes, sound_bytes
from circumstances_of_ours import circumstances
from orders_of_ours import XRP
from orders_of_ours import order as an_order
from outcomes_of_ours import bar, live
from sqlalchemy import select
from sqlalchemy.orm import Session

from serving import deployment, tenure
from serving.events import ModelLoaded, ModelWithdrawn
from serving.model_cache import verify
from sql import chain, promotions
from sql.tables import ModelDeploymentRow
from trader import journal, record
from trader.desk import Desk
from trader.limits import Limits
from trader.orders import Filled
from trader.outlook import open_books
from trader.supervision import Supervision, review

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AROUND = circumstances(NOON)
CALM, WILD = np.zeros(WIDTH), np.full(WIDTH, 500.0)


@pytest.fixture(scope="module")
def sound():
    return sound_bytes()


@pytest.fixture(scope="module")
def broken():
    return broken_bytes()


def verified(raw):
    """Check the bytes as the trader does, golden vectors and all."""
    event = verify("XRP/USD", "production", *artifact(1, raw))
    assert isinstance(event, ModelLoaded)
    return event.served


def loaded(model, version, role="production"):
    return ModelLoaded(
        symbol="XRP/USD",
        role=role,
        version=version,
        run_id="run",
        artifact_sha256="0" * 64,
        evidence={},
        served=model,
    )


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def desk():
    return Desk(instrument=XRP, interval=MINUTE, trusted=True)


@pytest.fixture
def before(session, desk, sound):
    """Version 1 was live before anything happens."""
    take_up(session, desk, loaded(verified(sound), 1))


def take_up(session, desk, event):
    for one in deployment.take_up(session, desk.roster, event, NOON, interval=MINUTE):
        desk.adopt(one)


def scores(session, desk, row=CALM, around=AROUND):
    books = open_books(session, desk, around)
    return [
        (score.model.role, score.model.version)
        for score in Supervision(session, desk, around, books).scores(row)
    ]


def history(session):
    rows = session.scalars(select(ModelDeploymentRow).order_by(ModelDeploymentRow.id))
    return [(row.action, row.version) for row in rows]


@pytest.mark.usefixtures("before")
def test_a_sound_artifact_that_gives_no_number_on_a_live_row_gives_way_on_that_bar(
    session, desk, broken, capsys
):
    take_up(session, desk, loaded(verified(broken), 2))
    assert scores(session, desk) == [("production", 2)]

    assert scores(session, desk, WILD) == [("production", 1)]
    assert scores(session, desk) == [("production", 1)]
    assert history(session) == [
        ("deployed", 1),
        ("deployed", 2),
        ("rolled_back", 2),
        ("deployed", 1),
    ]
    assert "version 2 rolled back: its score is nan" in desk.roster.refusals["production"]
    assert "version 1 is live" in capsys.readouterr().err
    assert record.current_halt(session) is None


@pytest.mark.usefixtures("before")
def test_a_model_that_cannot_score_gives_way(session, desk, sound):
    model = replace(verified(sound), booster=xgb.Booster())
    take_up(session, desk, loaded(model, 2))

    assert scores(session, desk) == [("production", 1)]
    assert "it cannot score" in desk.roster.refusals["production"]


@pytest.mark.usefixtures("before")
def test_a_model_too_big_for_its_time_gives_way(session, desk):
    rows = np.random.default_rng(0).normal(size=(400, WIDTH))
    matrix = xgb.DMatrix(rows, label=rows[:, 0] > rows[:, 1])
    many = {"max_depth": 1, "max_bin": 4, "num_parallel_tree": 500}
    slow = xgb.train({"objective": "binary:logistic", "nthread": 1} | many, matrix, 4)
    take_up(session, desk, loaded(verified(bytes(slow.save_raw("ubj"))), 2))
    strict = replace(AROUND, limits=Limits(max_prediction_seconds=1e-5))
    loose = replace(AROUND, limits=Limits(max_prediction_seconds=60.0))

    assert [scores(session, desk, around=loose) for _ in range(9)] == [[("production", 2)]] * 9
    for _ in range(3):
        scores(session, desk, around=strict)

    assert "it is slow" in desk.roster.refusals["production"]


@pytest.mark.usefixtures("before")
def test_without_a_version_to_go_back_to_nothing_is_bought(session, desk, broken):
    desk.roster.spares.clear()
    take_up(session, desk, loaded(verified(broken), 2))
    desk.roster.spares.clear()

    assert scores(session, desk, WILD) == []
    halt = record.current_halt(session)
    assert (halt.reason_code, halt.who) == ("model", "trader")
    assert "no version before it" in desk.roster.refusals["production"]


@pytest.mark.usefixtures("before")
def test_a_challenger_that_errs_goes_and_production_does_not_notice(session, desk, broken):
    take_up(session, desk, loaded(verified(broken), 2, role="challenger"))
    assert scores(session, desk) == [("production", 1), ("challenger", 2)]

    assert scores(session, desk, WILD) == [("production", 1)]
    assert scores(session, desk) == [("production", 1)]
    assert history(session)[-1] == ("rolled_back", 2)


@pytest.mark.usefixtures("before")
def test_what_was_rolled_back_from_stays_out_after_a_restart_until_it_is_promoted(
    session, desk, broken, sound
):
    model, good = verified(broken), verified(sound)
    take_up(session, desk, loaded(model, 2))
    scores(session, desk, WILD)

    again = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    again.adopt(loaded(good, 1, role="previous"))
    take_up(session, again, loaded(model, 2))
    assert scores(session, again) == [("production", 1)]
    assert "promote it again" in again.roster.refusals["production"]
    assert deployment.reconsider(session, again.roster, NOON, interval=MINUTE) == []

    promote(session, 2)
    for one in deployment.reconsider(session, again.roster, NOON, interval=MINUTE):
        again.adopt(one)

    assert scores(session, again) == [("production", 2)]
    assert again.roster.refusals == {}


@pytest.mark.usefixtures("before")
def test_an_alias_that_is_moved_away_and_back_lifts_it_too(session, desk, broken, sound):
    model, good = verified(broken), verified(sound)
    take_up(session, desk, loaded(model, 2))
    scores(session, desk, WILD)

    take_up(session, desk, loaded(good, 1))
    take_up(session, desk, loaded(model, 2))

    assert scores(session, desk) == [("production", 2)]


@pytest.mark.usefixtures("before")
def test_losses_since_its_promotion_are_a_models_end_and_count_over_a_restart(session, desk, sound):
    good = verified(sound)
    take_up(session, desk, loaded(good, 2))
    assert scores(session, desk) == [("production", 2)]
    buy(session, quantity=300, price=Decimal(2))
    dear, cheap = ({"XRP/USD": Decimal(price)} for price in ("1.5", "1.1"))
    assert scores(session, desk, around=replace(AROUND, marks=dear)) == [("production", 2)]

    again = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    again.adopt(loaded(good, 1, role="previous"))
    take_up(session, again, loaded(good, 2))

    assert scores(session, again, around=replace(AROUND, marks=cheap)) == [("production", 1)]
    assert "it has lost 274" in again.roster.refusals["production"]


@pytest.mark.usefixtures("before")
def test_a_version_that_a_person_rolled_back_from_is_not_gone_back_to(session, desk, broken, sound):
    good = verified(sound)
    take_up(session, desk, loaded(good, 2))
    promote(session, 1, rolled_back_from=2)
    take_up(session, desk, loaded(verified(broken), 1))

    assert scores(session, desk, WILD) == []


@pytest.mark.usefixtures("before")
def test_what_was_decided_is_decided_again_as_it_was_scored_and_not_by_the_newcomer(
    session, desk, sound
):
    desk.leading = object()
    take_up(session, desk, loaded(verified(sound), 2))
    assert desk.leading is not None

    take_up(session, desk, ModelWithdrawn(symbol="XRP/USD", role="production"))
    assert desk.leading is None


def entries(session):
    rows = promotions.history(session, "XRP/USD")
    return [(row.action, row.from_version, row.to_version, row.who) for row in rows]


@pytest.mark.usefixtures("before")
def test_what_somebody_does_in_mlflow_is_on_record_refused_or_not(session, desk, sound):
    poor = replace(verify("XRP/USD", "production", *artifact(2, sound, gate="refused")), version=2)
    withdrawn = ModelWithdrawn(symbol="XRP/USD", role="production")

    take_up(session, desk, poor)
    take_up(session, desk, poor)  # as after a restart
    take_up(session, desk, withdrawn)
    take_up(session, desk, withdrawn)
    take_up(session, desk, loaded(verified(sound), 1))

    somebody = "somebody in MLflow"
    assert entries(session) == [
        ("promoted", None, 1, somebody),
        ("refused", 1, 2, "trader"),
        ("cleared", 1, None, somebody),
        ("promoted", None, 1, somebody),
    ]
    refused = promotions.history(session, "XRP/USD")[1]
    assert refused.reason.startswith("made production in MLflow, and refused: the gate refused")
    assert refused.evidence["gate"] == "refused"
    assert chain.first_break(promotions.history(session, "XRP/USD")) is None


@pytest.mark.usefixtures("before")
def test_a_copy_on_disk_promotes_nothing_and_counts_once_the_registry_confirms_it(session, sound):
    model = loaded(verified(sound), 1)
    promote(session, 2)  # by a command, while the trader is down
    again = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    told = entries(session)

    take_up(session, again, replace(model, is_copy=True))
    assert scores(session, again) == [("production", 1)]
    assert entries(session) == told

    take_up(session, again, model)  # the alias was moved back by hand
    assert entries(session) == [*told, ("promoted", 2, 1, "somebody in MLflow")]
    assert tenure.taken_up(session, "XRP/USD", 1) is not None  # guarded from here on


@pytest.mark.usefixtures("before")
def test_a_copy_that_is_confirmed_goes_on_as_it_began(session, sound):
    model = loaded(verified(sound), 1)
    again = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    take_up(session, again, replace(model, is_copy=True))
    told, done, conduct = entries(session), history(session), dict(again.roster.conduct)

    take_up(session, again, model)

    assert (entries(session), history(session)) == (told, done)
    assert again.roster.conduct["production"] is conduct["production"]


@pytest.mark.usefixtures("before")
def test_that_the_trader_left_a_version_is_on_record_and_a_restart_does_not_promote_it(
    session, desk, broken, capsys
):
    take_up(session, desk, loaded(verified(broken), 2))
    scores(session, desk, WILD)
    again = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    take_up(session, again, loaded(verified(broken), 2))

    assert entries(session)[1:] == [
        ("promoted", 1, 2, "somebody in MLflow"),
        ("left", 2, 1, "trader"),
    ]
    assert "version 2 rolled back" in capsys.readouterr().err


def test_a_model_whose_chances_do_not_come_true_is_rolled_back_from_between_bars(engine, sound):
    desk = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    served = verified(sound)
    with Session(engine) as session, session.begin():
        for version in (1, 2):
            take_up(session, desk, loaded(served, version))
    live(engine, served, said=0.6, chance=0.6, count=100)
    desk.last_bar, desk.leading = bar(NOON + timedelta(days=9), Decimal(2)), object()
    review(engine, desk, NOON, 100)
    assert (scorer(desk), desk.leading is None) == (2, False)

    later = NOON + 400 * served.contract.horizon_bars * MINUTE
    live(engine, served, said=0.8, chance=0.4, count=150, begin=later)
    desk.last_bar = bar(NOON + timedelta(days=10), Decimal(2))
    review(engine, desk, NOON, 100)

    assert (scorer(desk), desk.leading is None) == (1, True)
    with Session(engine) as session:
        assert record.current_halt(session) is None


def scorer(desk):
    return desk.roster.models["production"].version


def promote(session, version, **evidence):
    promotions.record(
        session,
        action=promotions.PROMOTED,
        symbol="XRP/USD",
        from_version=None,
        to_version=version,
        who="somebody",
        reason="because",
        evidence=evidence,
        at=NOON,
    )


def buy(session, *, quantity, price):
    order = replace(an_order(), quantity=Decimal(quantity), limit=price)
    journal.record_intent(session, order)
    journal.record_event(
        session,
        order.id,
        Filled(
            at=NOON,
            exec_id="T1",
            quantity=Decimal(quantity),
            price=price,
            cost=quantity * price,
            fee=Decimal(4),
            liquidity="taker",
        ),
    )
