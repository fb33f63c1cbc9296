"""A model whose chances do not come true is found out, and stays out."""

from datetime import timedelta

import numpy as np
import pytest
from artifacts_of_ours import artifact, sound_bytes
from outcomes_of_ours import MINUTE, NOON, live
from sqlalchemy.orm import Session

from serving import candour, deployment, tenure
from serving.events import ModelLoaded
from serving.model_cache import verify
from serving.roster import Roster

LATER = NOON + timedelta(days=9)


@pytest.fixture(scope="module")
def served():
    event = verify("XRP/USD", "production", *artifact(1, sound_bytes()))
    assert isinstance(event, ModelLoaded)
    return event.served


def loaded(served, version):
    return ModelLoaded(
        symbol="XRP/USD",
        role="production",
        version=version,
        run_id="run",
        artifact_sha256="0" * 64,
        evidence={},
        served=served,
    )


@pytest.fixture
def roster(engine, served):
    """Version 2 is live, and version 1 was before it."""
    roster = Roster(symbol="XRP/USD")
    with Session(engine) as session, session.begin():
        for version in (1, 2):
            model = loaded(served, version)
            for one in deployment.take_up(session, roster, model, NOON, interval=MINUTE):
                roster.adopt(one)
    return roster


def review(engine, roster, seen=LATER):
    with Session(engine) as session, session.begin():
        return candour.review(session, roster, seen=seen, interval=MINUTE, most=100)


def test_a_model_that_is_right_stays_and_one_that_is_wrong_is_found_out(engine, roster, served):
    live(engine, served, said=0.6, chance=0.6, count=300)
    assert review(engine, roster) is None
    assert roster.track.calibration.outcomes == 300

    later = NOON + 400 * served.contract.horizon_bars * MINUTE
    live(engine, served, said=0.8, chance=0.4, count=150, begin=later)

    assert "its probabilities were wrong" in review(engine, roster, LATER + MINUTE)


def test_one_that_was_found_out_gives_way_to_the_version_before_it_and_stays_out(
    engine, roster, served
):
    live(engine, served, said=0.8, chance=0.4, count=300)
    fault = review(engine, roster)

    with Session(engine) as session, session.begin():
        assert deployment.roll_back(session, roster, "production", fault, LATER) is None
        assert "odds against it" in tenure.why_rolled_back(session, "XRP/USD", 2)
    assert roster.models["production"].version == 1
    assert "its probabilities were wrong" in roster.refusals["production"]


def test_what_was_counted_survives_a_restart_and_counts_once(engine, roster, served):
    live(engine, served, said=0.6, chance=0.5, count=80)
    review(engine, roster)
    review(engine, roster, LATER + MINUTE)
    before = roster.track.calibration

    roster.track = None
    review(engine, roster, LATER + MINUTE)

    assert before.outcomes == roster.track.calibration.outcomes == 80
    np.testing.assert_allclose(roster.track.calibration.wealth, before.wealth)


def test_a_bar_without_a_model_asks_nothing(engine, roster):
    roster.dismiss("production")

    assert review(engine, roster) is None

    assert roster.track is None
