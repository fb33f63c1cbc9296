"""One run: trade while things go wrong, let the system heal by itself, and judge it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from market import history
from market.bars import BarBuilder, interval_start
from market.features import WARM_UP
from market.instruments import Side, Trade
from ops.campaign.configuration import exchange_settings, healed_within, trader_settings
from ops.campaign.flow import ReconciliationFlow
from ops.campaign.markets import BESIDE, SYMBOL, SYMBOLS, path_of
from ops.campaign.model import scripted
from ops.campaign.person import Person
from ops.campaign.points import Points
from ops.campaign.process import TraderProcess
from ops.campaign.scenario import BAR_SECONDS, Loss, Scenario
from ops.campaign.timeline import SECOND, Timeline
from ops.campaign.venue import FLOW_KEY, KEY, SimulatedExchange
from ops.campaign.verdict import judge, orders_of, trades_of
from ops.campaign.wires import Door, simulated_world
from sandbox.calamities import relieve
from sandbox.instruments import BY_SYMBOL
from sql.tables import OrderRow
from trader import journal

if TYPE_CHECKING:
    from pathlib import Path

    from ops.campaign.storage import Storage

INTERVAL = timedelta(seconds=BAR_SECONDS)
HEALING_STEP = 2.0
PARTS = {1: "one fill", 2: "two fills", 3: "three fills"}
DRIFT = Decimal("1.1")  # how far a position's value may be from the limit that price moves allow


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run found wrong, which is nothing if all is well, and what happened in it."""

    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Run:
    """The parts of one run."""

    def __init__(self, scenario: Scenario, storage: Storage, folder: Path, state: Path) -> None:
        self._scenario, self._storage = scenario, storage
        self._points = Points()
        self._timeline = Timeline(scenario.start * SECOND)
        self._exchange = SimulatedExchange(
            timeline=self._timeline,
            market=str(path_of(folder, scenario.market)),
            seed=scenario.market,
            state=str(state),
            latency=scenario.latency,
            death=scenario.death,
        )
        self._door = Door(self._exchange, self._points)
        self._process = TraderProcess(
            timeline=self._timeline,
            storage=storage,
            exchange=self._exchange,
            door=self._door,
            settings=trader_settings(scenario, state.with_suffix(".outage")),
            exchange_settings=exchange_settings(KEY),
            models=(
                scripted(self._timeline, SYMBOL, BAR_SECONDS, scenario.script),
                scripted(self._timeline, BESIDE, BAR_SECONDS, scenario.beside),
            ),
        )
        self._process.world = simulated_world(
            self._timeline, self._exchange, self._door, self._timeline.wait
        )

        self._flow = ReconciliationFlow(
            timeline=self._timeline,
            storage=storage,
            settings=exchange_settings(FLOW_KEY),
            world=simulated_world(
                self._timeline,
                self._exchange,
                Door(self._exchange, Points()),
                self._timeline.wait,
            ),
        )
        self._person = Person(timeline=self._timeline, storage=storage, word=scenario.word)

    def play(self) -> Outcome:
        """Play the whole run."""
        self._storage.empty(self._points)
        try:
            self._prepare()
            self._trade()
            wrong = self._heal()
            wrong += self._process.defects + self._person.wrong
            if self._exchange.up:
                wrong += judge(self._storage.engine, self._exchange.venue)
                wrong += self._exposure()
            return self._outcome(wrong)
        finally:
            self._process.stop()
            self._exchange.close()

    def _prepare(self) -> None:
        self._exchange.begin()
        self._remember()
        self._process.begin()
        now = self._timeline.now
        for form in self._scenario.faults:
            self._exchange.venue.faults.add(form, now)
        for crash in self._scenario.crashes:
            self._timeline.later(crash.after, partial(self._points.arm, crash.point, crash.number))
        for at in self._scenario.flows:
            self._timeline.later(at, self._flow.run)
        if self._scenario.between:
            self._exchange.between = self._scenario.between, self._flow.run
        self._person.begin()
        for loss in self._scenario.losses:
            self._timeline.later(loss.after, partial(self._lose, loss))

    def _remember(self) -> None:
        """Put the bars before the run on record, as if the trader had run for long."""
        start = datetime.fromtimestamp(self._scenario.start, UTC)
        begin = interval_start(start, INTERVAL) - (WARM_UP + 10) * INTERVAL
        with Session(self._storage.engine) as session, session.begin():
            for symbol in SYMBOLS:
                builder = BarBuilder(symbol, INTERVAL)
                trades = self._trades(symbol, begin, start)
                bars = [bar for trade in trades for bar in builder.add(trade)]
                history.record_bars(session, [*bars, *builder.advance(start)], "campaign")

    def _trades(self, symbol: str, begin: datetime, end: datetime) -> list[Trade]:
        tape = self._exchange.venue.exchange.tapes[symbol]
        found = tape.between(round(begin.timestamp()) * SECOND, round(end.timestamp()) * SECOND)
        pair = tape.pair
        return [
            Trade(
                symbol=symbol,
                trade_id=int(identity),
                at=datetime.fromtimestamp(int(time) / SECOND, UTC),
                side=Side.BUY if bought else Side.SELL,
                price=Decimal(pair.price_text(int(price))),
                quantity=Decimal(pair.quantity_text(int(lots))),
            )
            for time, price, lots, bought, identity in zip(
                found.time, found.price, found.quantity, found.bought, found.identity, strict=True
            )
        ]

    def _lose(self, loss: Loss) -> None:
        go_away = partial(self._go_away, loss.seconds)
        if loss.point:
            self._storage.die_at(loss.point, loss.number, go_away)
        else:
            self._storage.losses["at a moment"] += 1
            go_away()

    def _go_away(self, seconds: float) -> None:
        self._timeline.tell("PostgreSQL is away")
        self._storage.go_away()
        self._timeline.later(seconds, self._come_back)

    def _come_back(self) -> None:
        self._timeline.tell("PostgreSQL is back")
        self._storage.recover()

    def _trade(self) -> None:
        until = self._timeline.passed + self._scenario.bars * BAR_SECONDS
        while self._timeline.passed < until:
            self._process.go(self._scenario.step)

    def _heal(self) -> list[str]:
        self._timeline.tell(f"no more faults from here on; {self._state()}")
        self._points.disarm()
        self._storage.spare()
        self._storage.recover()
        self._exchange.death = None
        late = [
            fault for fault in self._scenario.faults if fault["kind"] in {"late", "delay_before"}
        ]
        lingers = self._timeline.passed + max((f.get("seconds", 0) for f in late), default=0)
        within = healed_within(self._scenario)
        until = self._timeline.passed + within
        while self._timeline.passed < until:
            self._process.go(HEALING_STEP)
            if self._exchange.up:
                self._relieve()
            if self._sound() and self._timeline.passed >= lingers:
                self._process.settle("campaign")
                return []
        return [f"not sound {within:.0f} s after the last fault: {self._state()}"]

    def _relieve(self) -> None:
        venue = self._exchange.venue
        for fault in venue.faults.remove():
            relieve(venue, fault)

    def _sound(self) -> bool:
        trader = self._process.trader
        if trader is None or not self._exchange.up or not trader.reporting:
            return False
        if not self._person.content:
            return False
        if not all(desk.trusted for desk in trader.desks.values()):
            return False
        with Session(self._storage.engine) as session:
            return not journal.unsettled_orders(session)

    def _state(self) -> str:
        trader = self._process.trader
        if trader is None:
            return f"the trader is down, {dict(self._process.ends)}"
        words = {symbol: desk.last_word for symbol, desk in trader.desks.items()}
        return f"reporting is {trader.reporting}, {trader.word} {words}"

    def _exposure(self) -> list[str]:
        """Look whether more was ever held than may be, as after an order sent twice."""
        market = self._exchange.venue.exchange.market
        most, wrong = self._scenario.most * DRIFT, []
        for pair in (BY_SYMBOL[symbol] for symbol in SYMBOLS):
            bid, _ = market.touch(pair, self._timeline.start)
            price = Decimal(pair.price_text(bid))
            held = self._exchange.most_held.get(pair.base.id, Decimal(0)) * price
            if held > most:
                wrong.append(f"doubled: {held:.2f} USD of {pair.symbol} held, at most {most:.2f}")
        return wrong

    def _outcome(self, wrong: list[str]) -> Outcome:
        orders: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        parts: Counter[str] = Counter()
        if self._exchange.up:
            venue = self._exchange.venue
            faults.update(strike.kind for strike in venue.faults.struck)
            orders.update(order.status for order in orders_of(venue))
            fills = Counter(trade.order for trade in trades_of(venue))
            parts.update(PARTS.get(number, "more fills") for number in fills.values())
        with Session(self._storage.engine) as session:
            unplaced = session.scalars(select(OrderRow.id).where(OrderRow.exchange_id.is_(None)))
            orders["never placed"] = len(unplaced.all())
        return Outcome(
            wrong=wrong,
            story=self._timeline.story,
            faults=faults,
            passed=self._points.passed,
            killed=self._points.killed,
            losses=self._storage.losses,
            deaths=Counter(self._exchange.deaths),
            ends=self._process.ends,
            orders=orders,
            parts=parts,
            said=self._person.said,
            seconds=self._timeline.passed,
        )
