"""From the options of the command line to an exchange that is ready to serve."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.calamities import resume
from sandbox.clock import Anchor, start_clock
from sandbox.errors import BadStart, Refused
from sandbox.exchange import Exchange
from sandbox.faults import Faults
from sandbox.forms import moment
from sandbox.gate import Gate
from sandbox.instruments import find_asset
from sandbox.keys import Key, is_secret, mint_key
from sandbox.limits import Limits
from sandbox.mirror import Mirror
from sandbox.plans import read_plan
from sandbox.recorded import is_log, read_recorded
from sandbox.recording import Recording
from sandbox.replay import read_replay
from sandbox.source import Source
from sandbox.store import Store
from sandbox.synthetic import Synthetic
from sandbox.venue import Venue

if TYPE_CHECKING:
    from sandbox.market import Market

BASIS_POINT = 10_000
RICHEST = 10**12


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the person who starts the exchange may choose."""

    seed: int
    market: str
    edge: float
    clock: str
    speed: float
    start: str | None
    state: str | None
    fees: int
    balance: tuple[str, ...]
    key: str
    secret: str
    faults: str | None = None
    limits: str = "off"
    record: str | None = None
    pair_fees: bool = False


def open_venue(settings: Settings) -> Venue:
    """Build the exchange, or continue the one a state file keeps."""
    opening = _read_balances(settings.balance)
    mirror = _open_mirror(settings)
    market = _open_market(settings) if mirror is None else mirror.market
    began = _beginning(settings, market)
    store = Store(settings.state)
    _check_same_market(store, settings.seed, settings.edge, settings.market)
    _check_same_source(store, settings.market)
    exchange = Exchange(market, settings.fees)
    store.load(exchange)
    clock = start_clock(
        start=began,
        speed=settings.speed,
        simulated=settings.clock == "simulated",
        kept=store.fact("anchor", Anchor),
        latest=exchange.time,
    )
    keys = {key.name: key for key in store.read_keys()}
    venue = Venue(exchange, clock, store, keys, opening)
    venue.pair_fees = settings.pair_fees
    if mirror is not None:
        venue.mirror, venue.mode = mirror, "cancel_only"
    if exchange.time == 0:
        exchange.time = clock.now()
    venue.limits = Limits(None if settings.limits == "off" else settings.limits)
    venue.gate = Gate(closes=settings.limits != "off")
    if settings.record is not None:
        venue.recording = Recording(settings.record, clock)
    _plan_faults(venue, settings.faults, settings.seed)
    _admit_first_key(venue, settings.key, settings.secret)
    return venue


def _read_balances(texts: tuple[str, ...]) -> dict[str, Decimal]:
    made: dict[str, Decimal] = {}
    for text in texts:
        name, _, amount = text.partition("=")
        asset = find_asset(name)
        try:
            value = Decimal(amount)
        except InvalidOperation:
            value = Decimal(-1)
        if asset is None or not value.is_finite() or not 0 <= value <= RICHEST:
            msg = f"balance must look like USD=10000, at most {RICHEST}, not {text}"
            raise BadStart(msg, 2)
        made[asset.id] = round(value, asset.decimals)
    return made


def _plan_faults(venue: Venue, path: str | None, seed: int) -> None:
    """Take up the faults of a plan, unless the state already knows the plan."""
    venue.faults = Faults(seed)
    venue.store.load_faults(venue.faults)
    resume(venue)
    if path is None:
        return
    try:
        text = Path(path).read_bytes()
        forms = read_plan(text)
        known = sha256(text).hexdigest()
        if venue.store.fact("plan", str) != known:
            for form in forms:
                venue.faults.add(form, venue.clock.now())
    except (OSError, Refused) as error:
        msg = f"faults must be a JSON list of faults; {path}: {error}"
        raise BadStart(msg, 2) from error
    venue.store.set_facts({"plan": known})
    venue.keep_faults()


def _open_market(settings: Settings) -> Market:
    made = Synthetic(settings.seed, settings.edge / BASIS_POINT)
    kind, _, path = settings.market.partition(":")
    if kind == "replay" and path:
        return _replayed(path, made)
    if settings.market != "synthetic":
        msg = f"market must be synthetic, replay:PATH or mirror:URL, not {settings.market}"
        raise BadStart(msg, 2)
    return made


def _open_mirror(settings: Settings) -> Mirror | None:
    kind, _, address = settings.market.partition(":")
    if kind != "mirror":
        return None
    if settings.clock != "real" or settings.speed != 1 or settings.start is not None:
        msg = "a mirror runs by the real clock, at its speed and in its present"
        raise BadStart(msg, 2)
    mirror = Mirror(Source.read(address), Synthetic(settings.seed, settings.edge / BASIS_POINT))
    asyncio.run(mirror.begin(time.time_ns()))
    return mirror


def _replayed(path: str, rest: Synthetic) -> Market:
    if not is_log(path):
        return read_replay(path, rest)
    market, left_out = read_recorded(path, rest)
    if left_out:
        words = f"{left_out} messages of {path} do not fit what came before and are left out"
        print(words, file=sys.stderr)  # noqa: T201 - to the person who starts the exchange
    return market


def _beginning(settings: Settings, market: Market) -> int | None:
    if settings.start is not None:
        return _read_start(settings.start, market.listed)
    return market.begins


def _read_start(text: str, listed_at: int) -> int:
    try:
        began = moment(text, "start")
    except Refused as refused:
        msg = f"start must be an RFC 3339 time such as 2026-01-01T00:00:00Z, not {text}"
        raise BadStart(msg, 2) from refused
    if began < listed_at:
        listed = datetime.fromtimestamp(listed_at / 1e9, UTC)
        msg = f"start must not be before {listed:%Y-%m-%d}, when the market begins"
        raise BadStart(msg, 2)
    return began


def _check_same_market(store: Store, seed: int, edge: float, source: str) -> None:
    kept = store.fact("market", tuple[int, float])
    if kept is None:
        store.set_facts({"market": (seed, edge), "source": source})
    elif kept != (seed, edge):
        belongs = f"seed {kept[0]} and edge {kept[1]:g}"
        msg = f"the state file belongs to {belongs}, not seed {seed} and edge {edge:g}"
        raise BadStart(msg, 2)


def _check_same_source(store: Store, source: str) -> None:
    kept = store.fact("source", str) or "synthetic"
    if kept != source:
        msg = f"the state file belongs to the market {kept}, not {source}"
        raise BadStart(msg, 2)


def _admit_first_key(venue: Venue, name: str, secret: str) -> None:
    now = venue.sync()
    if name and secret:
        if not is_secret(secret):
            msg = "KRAKEN_API_SECRET must be base64"
            raise BadStart(msg, 2)
        if name not in venue.keys:
            venue.add_key(Key(name, secret, "main"), now)
    elif not venue.keys:
        venue.add_key(mint_key("main"), now)
