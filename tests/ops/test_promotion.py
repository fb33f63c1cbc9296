"""Going back to the version before is one command, on record, and never leads to a bad one."""

import itertools
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ops import promotion
from ops.backtesting import gathering
from registry import moving, store
from registry.errors import PromotionRefused, RegistryUnreachable
from registry.settings import ModelRegistrySettings
from serving import adoption, tenure
from serving.signals import Pointers, standing
from sql import promotions
from sql.tables import ExperimentRow, PromotionRow
from trader import start

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Open a real registry of our own in a folder."""
    folder = tmp_path_factory.mktemp("mlflow")
    # A deployment has a server; the same store serves here without one.
    settings = ModelRegistrySettings.model_construct(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    return store.open_registry(settings)


@pytest.fixture
def three(registry, engine):
    """Register three versions of a market of the test's own, and promote each in turn."""
    symbol = f"T{next(NUMBERS)}/USD"
    name = symbol.replace("/", "-").lower()
    registry.create_registered_model(name)
    for _ in range(3):
        version = registry.create_model_version(name, "file:///nowhere", tags={"gate": "passed"})
        act(promotion.promote, engine, registry, symbol, int(version.version))
    return symbol


def act(what, engine, registry, *arguments):
    return what(engine, registry, *arguments, who="operator", reason="because")


def roll_back(engine, registry, symbol):
    return act(promotion.roll_back, engine, registry, symbol)


def test_the_version_before_is_production_again_and_it_is_written_down(registry, engine, three):
    done = roll_back(engine, registry, three)

    assert (done.version, done.previous) == (2, 3)
    assert store.aliases(registry, three) == {"production": 2}
    with Session(engine) as session:
        last = session.scalars(select(PromotionRow).order_by(PromotionRow.id.desc())).first()
    assert (last.from_version, last.to_version, last.who, last.reason) == (
        *(3, 2),
        *("operator", "because"),
    )
    assert last.evidence["rolled_back_from"] == 3


def test_an_override_is_on_record_with_the_promotion_and_on_the_version(registry, engine, three):
    name = three.replace("/", "-").lower()
    made = registry.create_model_version(name, "file:///nowhere", tags={"gate": "refused"})
    number = int(made.version)
    with pytest.raises(PromotionRefused, match="its gate says refused"):
        act(promotion.promote, engine, registry, three, number)

    act(partial(promotion.promote, override=True), engine, registry, three, number)

    with Session(engine) as session:
        last = session.scalars(select(PromotionRow).order_by(PromotionRow.id.desc())).first()
    assert (last.to_version, last.evidence["override"]) == (number, "operator: because")
    assert store.version(registry, three, number).tags["override"] == "operator: because"
    assert store.production_version(registry, three) == number


def test_a_second_rollback_goes_further_back_and_the_third_has_nowhere_to_go(
    registry, engine, three
):
    roll_back(engine, registry, three)
    assert roll_back(engine, registry, three).version == 1

    with pytest.raises(PromotionRefused, match="nobody has rolled back from"):
        roll_back(engine, registry, three)

    assert store.production_version(registry, three) == 1


def tell(engine, symbol, version, action):
    """Write down what the trader made of a version."""
    with Session(engine) as session, session.begin():
        tenure.record_deployment(
            session,
            symbol=symbol,
            version=version,
            action=action,
            reason="its score is nan",
            run_id=None,
            artifact_sha256=None,
            at=session.scalars(select(PromotionRow.at)).first(),
        )


@pytest.mark.parametrize("action", ["rolled_back", "refused"])
def test_a_version_that_the_trader_left_or_refused_is_passed_over(registry, engine, three, action):
    tell(engine, three, 2, action)

    assert roll_back(engine, registry, three).version == 1


def test_a_version_that_the_trader_took_up_after_all_is_gone_back_to(registry, engine, three):
    tell(engine, three, 2, "refused")
    tell(engine, three, 2, "deployed")

    assert roll_back(engine, registry, three).version == 2


def moved_by_stage(registry, engine, three):
    registry.transition_model_version_stage(three.replace("/", "-").lower(), "2", "Production")
    with Session(engine) as session, session.begin():  # the trader noticed
        promotions.record(
            session,
            symbol=three,
            action=promotions.PROMOTED,
            from_version=3,
            to_version=2,
            who="somebody in MLflow",
            reason="by its stage",
            evidence={},
            at=promotions.last(session, three).at,
        )


@pytest.mark.filterwarnings("ignore:.*stage:FutureWarning")
def test_what_was_moved_by_stage_after_the_alias_counts_for_everybody(registry, engine, three):
    moved_by_stage(registry, engine, three)

    assert gathering.find(engine, registry, three, None).version == 2
    found = Pointers(aliases=store.aliases(registry, three), stage=2)
    assert standing(found, noticed=2) == 2

    act(promotion.promote, engine, registry, three, 1)
    assert store.aliases(registry, three) == {"production": 1, "previous": 2}


@pytest.mark.filterwarnings("ignore:.*stage:FutureWarning")
def test_what_was_moved_by_stage_after_the_alias_is_what_is_gone_back_from(registry, engine, three):
    moved_by_stage(registry, engine, three)

    done = roll_back(engine, registry, three)

    assert (done.version, store.production_version(registry, three)) == (3, 3)
    with Session(engine) as session:
        last = promotions.last(session, three)
    assert (last.from_version, last.to_version) == (2, 3)
    assert last.evidence["rolled_back_from"] == 2


def test_where_the_trader_refused_all_that_was_before_nothing_moves(registry, engine, three):
    for version in (1, 2):
        tell(engine, three, version, "refused")

    with pytest.raises(PromotionRefused, match="the trader did not refuse"):
        roll_back(engine, registry, three)

    assert store.production_version(registry, three) == 3


def test_a_registry_that_is_older_than_the_record_says_what_was_before(registry, engine):
    registry.create_registered_model("old-usd")
    for _ in range(2):
        made = registry.create_model_version("old-usd", "file:///nowhere", tags={"gate": "passed"})
        moving.promote(registry, "OLD/USD", int(made.version))

    assert roll_back(engine, registry, "OLD/USD").version == 1


def test_what_was_tried_and_refused_is_on_record_with_who_tried(registry, engine, three):
    name = three.replace("/", "-").lower()
    made = registry.create_model_version(name, "file:///nowhere", tags={"gate": "refused"})

    with pytest.raises(PromotionRefused):
        act(promotion.promote, engine, registry, three, int(made.version))

    with Session(engine) as session:
        last = promotions.last(session, three)
    assert (last.action, last.from_version, last.to_version) == ("refused", 3, int(made.version))
    assert last.who == "operator"
    assert last.reason.startswith("because - ")
    assert "its gate says refused" in last.reason
    assert store.production_version(registry, three) == 3


def test_where_nothing_is_in_production_there_is_nothing_to_roll_back(registry, engine):
    with pytest.raises(PromotionRefused, match="nothing of BTC/USD is in production"):
        roll_back(engine, registry, "BTC/USD")


def test_a_comparison_that_a_promotion_ended_keeps_no_later_version_waiting(registry, engine):
    symbol, terms = "DOT/USD", {"cost": "0.005", "horizon_bars": "10", "interval_seconds": "60"}
    registry.create_registered_model("dot-usd")
    for _ in range(4):
        registry.create_model_version("dot-usd", "file:///nowhere", tags=terms | {"gate": "passed"})
    act(promotion.promote, engine, registry, symbol, 1)

    def adopt(number):
        with Session(engine) as session, session.begin():
            return adoption.adopt(
                session, registry, symbol, number, promote_first=False, at=NOON, now=NOON
            )

    assert adopt(2).experiment_id is not None
    assert "another experiment is running" in adopt(3).reason

    act(promotion.promote, engine, registry, symbol, 2)
    roll_back(engine, registry, symbol)

    assert adopt(4).experiment_id is not None
    with Session(engine) as session:
        first, second = session.scalars(select(ExperimentRow).order_by(ExperimentRow.id)).all()
    assert (first.treatment_version, first.state) == (2, "stopped")
    assert first.conclusion == "version 2 no longer challenges version 1 in production"
    assert (second.treatment_version, second.state) == (4, "running")


class Slow:
    """A registry that takes longer over the alias than anybody may hold up the history."""

    def __init__(self, registry, meanwhile):
        self._registry, self._meanwhile = registry, meanwhile

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def set_registered_model_alias(self, name, alias, version):
        """Move the alias in the end."""
        if alias == store.PRODUCTION:
            self._meanwhile()
        self._registry.set_registered_model_alias(name, alias, version)


def book(engine, symbol, action, version):
    """Write to the history as the trader does, which waits for who is writing."""
    with Session(engine) as session, session.begin():
        promotions.record(
            session,
            symbol=symbol,
            action=action,
            from_version=3,
            to_version=version,
            who="trader",
            reason="its score is nan",
            evidence={},
            at=NOON,
        )


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(promotions, "LONGEST_HELD", "200ms")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("what", ["promote", "roll_back"])
def test_a_registry_that_takes_its_time_holds_up_no_trader_and_the_name_is_kept(
    registry, engine, three, what
):
    slow = Slow(registry, lambda: book(engine, "ETH/USD", promotions.LEFT, None))

    if what == "promote":
        act(promotion.promote, engine, slow, three, 1)
    else:
        act(promotion.roll_back, engine, slow, three)

    target = 1 if what == "promote" else 2
    assert store.production_version(registry, three) == target
    with Session(engine) as session:
        assert promotions.last(session, "ETH/USD").who == "trader"
        last = promotions.last(session, three)
    assert (last.from_version, last.to_version, last.who, last.reason) == (
        *(3, target),
        *("operator", "because"),
    )


@pytest.mark.usefixtures("hasty")
def test_a_registry_that_fails_after_long_leaves_nothing_on_record_and_says_so(
    registry, engine, three
):
    def fail():
        book(engine, "ETH/USD", promotions.LEFT, None)
        raise OSError("connection reset")

    with pytest.raises(RegistryUnreachable, match="connection reset"):
        act(promotion.promote, engine, Slow(registry, fail), three, 1)

    with Session(engine) as session:
        assert promotions.last(session, three).to_version == 3


@pytest.mark.usefixtures("hasty")
def test_a_first_promotion_that_lost_its_record_is_on_record_once_it_is_repeated(registry, engine):
    symbol = f"T{next(NUMBERS)}/USD"
    name = symbol.replace("/", "-").lower()
    registry.create_registered_model(name)
    registry.create_model_version(name, "file:///nowhere", tags={"gate": "passed"})

    def adopt(client):
        with Session(engine) as session, session.begin():
            adoption.adopt(session, client, symbol, 1, promote_first=True, at=NOON, now=NOON)

    slow = Slow(registry, lambda: book(engine, "ETH/USD", promotions.LEFT, None))
    with pytest.raises(OperationalError):
        adopt(slow)
    for _ in range(2):
        adopt(registry)

    with Session(engine) as session:
        (entry,) = promotions.history(session, symbol)
    assert (entry.to_version, entry.who) == (1, "policy")


def test_the_history_is_held_for_less_long_than_others_wait_for_it():
    def seconds(text):
        return float(text.removesuffix("s"))

    held, wait = seconds(promotions.LONGEST_HELD), seconds(promotions.LONGEST_WAIT)
    assert held < wait < start.RECORD_PATIENCE


class Cut:
    """A registry that is cut off once its aliases are to be tidied up."""

    def __init__(self, registry):
        self._registry = registry

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def delete_registered_model_alias(self, *_):
        """Break the connection."""
        raise OSError("connection reset")


def test_a_rollback_that_breaks_off_has_moved_nothing(registry, engine, three):
    with pytest.raises(RegistryUnreachable):
        roll_back(engine, Cut(registry), three)

    assert store.production_version(registry, three) == 3
    assert roll_back(engine, registry, three).version == 2
