"""Until MLflow answers, a market trades the copy on disk that the record names, or says why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from artifacts_of_ours import artifact, sound_bytes
from sqlalchemy import select
from sqlalchemy.orm import Session

from serving import deployment, tenure
from serving.events import ModelLoaded, ModelRefused
from serving.model_cache import verify
from serving.roster import Roster
from sql import promotions
from sql.tables import ModelDeploymentRow

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sound():
    event = verify("XRP/USD", "production", *artifact(1, sound_bytes()))
    assert isinstance(event, ModelLoaded)
    return event


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


def promote(session, version, *, action=promotions.PROMOTED, **evidence):
    """Write down what a person did by a command while no trader ran."""
    promotions.record(
        session,
        symbol="XRP/USD",
        action=action,
        from_version=None,
        to_version=version,
        who="Anna",
        reason="because",
        evidence=evidence,
        at=NOON,
    )


def take_up(session, roster, event):
    for one in deployment.take_up(session, roster, event, NOON, interval=MINUTE):
        roster.adopt(one)


def begin(session, sound, production, *spares):
    """Start a trader with one copy for production, and others of versions before it."""
    roster = Roster(symbol="XRP/USD")
    for version in spares:
        roster.adopt(replace(sound, role="previous", version=version, is_copy=True))
    take_up(session, roster, replace(sound, version=production, is_copy=True))
    return roster


def live(roster):
    model = roster.models.get("production")
    return None if model is None else model.version


def done(session):
    rows = session.scalars(select(ModelDeploymentRow).order_by(ModelDeploymentRow.id))
    return [(row.action, row.version) for row in rows]


def test_the_version_that_the_record_names_trades_and_not_the_copy_kept_for_production(
    session, sound, capsys
):
    promote(session, 1)
    promote(session, 2)
    promote(session, 1, action=promotions.ROLLED_BACK, rolled_back_from=2)

    roster = begin(session, sound, 2, 1)

    assert live(roster) == 1
    assert done(session) == [("deployed", 1)]
    said = "version 1 trades, which the record names; the copy on disk is version 2"
    assert said in capsys.readouterr().err


def test_where_what_the_record_names_is_not_on_disk_the_version_before_it_trades_and_says_so(
    session, sound, capsys
):
    promote(session, 2)
    promote(session, 3)

    roster = begin(session, sound, 2, 1)

    assert live(roster) == 2
    assert done(session) == [("deployed", 2)]  # version 3 was not refused, it is not there
    assert tenure.fit(session, "XRP/USD", 3)
    said = "version 2, in production before it, trades until MLflow answers"
    assert said in roster.refusals["production"]
    assert said in capsys.readouterr().err


def test_a_copy_that_a_person_rolled_back_from_trades_no_more(session, sound, capsys):
    promote(session, 3)
    promote(session, 2)
    promote(session, 3, action=promotions.ROLLED_BACK, rolled_back_from=2)

    roster = begin(session, sound, 2)

    assert live(roster) is None
    said = "version 3 is not on disk, nor one before it in good standing: nothing is bought until"
    assert said.removeprefix("version 3 is ") in roster.refusals["production"]
    assert said.removeprefix("version 3 is ") in capsys.readouterr().err


def test_where_the_record_says_that_nothing_is_wanted_nothing_trades(session, sound):
    promote(session, 2)
    promote(session, None, action=promotions.CLEARED)

    roster = begin(session, sound, 2, 1)

    assert live(roster) is None
    assert "version 2 refused: production was taken off it" in roster.refusals["production"]


def test_nor_does_anything_stand_in_for_a_copy_that_cannot_be_read_then(session, sound):
    promote(session, 1)
    promote(session, None, action=promotions.CLEARED)
    roster = Roster(symbol="XRP/USD")
    roster.adopt(replace(sound, role="previous", version=1, is_copy=True))
    unreadable = ModelRefused(
        symbol="XRP/USD", role="production", version=0, run_id="", reason="damaged", is_copy=True
    )

    take_up(session, roster, unreadable)

    assert live(roster) is None


def test_what_the_record_names_is_no_reason_to_trade_what_the_trader_itself_left(session, sound):
    promote(session, 1)
    promote(session, 2)
    roster = begin(session, sound, 2, 1)
    deployment.roll_back(session, roster, "production", "its score is nan", NOON)

    again = begin(session, sound, 1, 2)

    assert live(again) == 1
    assert "its score is nan" in again.refusals["production"]


def test_a_copy_that_stays_out_is_refused_once_though_the_registry_confirms_it(session, sound):
    promote(session, 1)
    promote(session, 2)
    roster = begin(session, sound, 2, 1)
    deployment.roll_back(session, roster, "production", "its score is nan", NOON)
    told = done(session)

    again = begin(session, sound, 2, 1)
    take_up(session, again, replace(sound, version=2))

    assert done(session) == [*told, ("refused", 2), ("deployed", 1)]
    assert live(again) == 1
    assert again.set_aside.version == 2


def test_the_registrys_first_word_is_taken_whatever_the_copies_said(session, sound):
    promote(session, 2)
    promote(session, 3)
    roster = begin(session, sound, 2, 1)

    take_up(session, roster, replace(sound, version=3))

    assert live(roster) == 3
    assert roster.refusals == {}
    assert promotions.wanted(session, "XRP/USD") == 3


def test_a_copy_of_another_kind_of_bars_keeps_what_the_record_names_from_nothing(session, sound):
    promote(session, 1)
    contract = replace(sound.served.contract, interval_seconds=300)
    other = replace(sound, served=replace(sound.served, contract=contract))

    roster = begin(session, other, 2)
    assert live(roster) is None
    assert roster.spares == {}

    roster.adopt(replace(sound, role="previous", version=1, is_copy=True))
    take_up(session, roster, replace(other, version=2, is_copy=True))
    assert live(roster) == 1
