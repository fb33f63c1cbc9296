"""The answers of `/0/public/*`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.book import best, shown
from sandbox.candles import INTERVALS, candles, last_day, today
from sandbox.errors import Refused
from sandbox.fees import schedule
from sandbox.forms import read_cursor, whole
from sandbox.instruments import ASSETS, PAIRS, Asset, Pair, find_asset, find_pair
from sandbox.market import HOUR_NS, Prints
from sandbox.wire import SECOND_NS, raw, short_stamp

if TYPE_CHECKING:
    from sandbox.venue import Venue

DAY_NS = 24 * HOUR_NS
TRADES_MOST = 1000
DEPTH_MOST = 500
DEPTH_USUAL = 100
SPREADS = 200
Query = Mapping[str, str]


def time(venue: Venue, now: int, _query: Query) -> Any:
    """Answer Time, which a fault may put off."""
    now += venue.skew(now)
    moment = datetime.fromtimestamp(now // SECOND_NS, UTC)
    return {"unixtime": now // SECOND_NS, "rfc1123": f"{moment:%a, %d %b %y %H:%M:%S} +0000"}


def system_status(venue: Venue, now: int, _query: Query) -> Any:
    """Answer SystemStatus."""
    return {"status": venue.mode, "timestamp": short_stamp(now + venue.skew(now))}


def assets(_venue: Venue, _now: int, query: Query) -> Any:
    """Answer Assets."""
    chosen: tuple[Asset, ...] = ASSETS
    if query.get("asset"):
        found = [find_asset(name) for name in query["asset"].split(",")]
        chosen = tuple(asset for asset in found if asset is not None)
        if len(chosen) < len(found):
            raise Refused("EQuery:Unknown asset")
    return {
        asset.id: {
            "aclass": "currency",
            "altname": asset.altname,
            "decimals": asset.decimals,
            "display_decimals": asset.display_decimals,
            "collateral_value": asset.collateral,
            "status": "enabled",
            "margin_rate": asset.margin_rate,
        }
        for asset in chosen
    }


def _pairs(query: Query) -> list[tuple[str, Pair]]:
    if not query.get("pair"):
        return [(pair.id, pair) for pair in PAIRS]
    found = [find_pair(name) for name in query["pair"].split(",")]
    chosen = [pair for pair in found if pair is not None]
    if len(chosen) < len(found):
        raise Refused("EQuery:Unknown asset pair")
    return chosen


def _one_pair(query: Query) -> tuple[str, Pair]:
    found = find_pair(query.get("pair", ""))
    if found is None:
        raise Refused("EQuery:Unknown asset pair" if query.get("pair") else INVALID)
    return found


INVALID = "EGeneral:Invalid arguments"
# What AssetPairs tells of a pair by `info`; nothing named is all.
INFO: dict[str, tuple[str, ...]] = {
    "info": (),
    "leverage": ("leverage_buy", "leverage_sell"),
    "fees": ("fees", "fees_maker", "fee_volume_currency"),
    "margin": ("margin_call", "margin_stop"),
}


def asset_pairs(venue: Venue, _now: int, query: Query) -> Any:
    """Answer AssetPairs. The fee columns are empty, as at Kraken since 2026, unless wanted."""
    status = "online" if venue.mode == "maintenance" else venue.mode
    fees = {"fees": schedule(maker=False), "fees_maker": schedule(maker=True)}
    listed = fees if venue.pair_fees else dict.fromkeys(fees, ())
    wanted = INFO.get(query.get("info") or "info")
    if wanted is None:
        raise Refused("EGeneral:Invalid arguments:info")
    bodies = {name: _pair_body(pair, status) | listed for name, pair in _pairs(query)}
    if not wanted:
        return bodies
    return {name: {field: body[field] for field in wanted} for name, body in bodies.items()}


def _pair_body(pair: Pair, status: str) -> dict[str, Any]:
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base.id,
        "aclass_quote": "currency",
        "quote": pair.quote.id,
        "lot": "unit",
        "cost_decimals": pair.cost_decimals,
        "pair_decimals": pair.price_decimals,
        "lot_decimals": pair.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": pair.leverage,
        "leverage_sell": pair.leverage,
        "fees": (),
        "fees_maker": (),
        "fee_volume_currency": pair.quote.id,
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": pair.minimum_quantity,
        "costmin": pair.minimum_cost,
        "tick_size": pair.tick_size,
        "status": status,
        "execution_venue": "international",
        "long_position_limit": pair.long_limit,
        "short_position_limit": pair.short_limit,
    }


def ticker(venue: Venue, now: int, query: Query) -> Any:
    """Answer Ticker."""
    return {name: _ticker_body(venue, pair, now) for name, pair in _pairs(query)}


def _ticker_body(venue: Venue, pair: Pair, now: int) -> dict[str, Any]:
    tape = venue.exchange.tapes[pair.symbol]
    bid, ask = best(venue.exchange, pair, now)
    last = tape.latest(tape.settled(now), 1)
    day = today(tape, now)
    both = (day, last_day(tape, now))

    def quote(level: tuple[int, int]) -> list[str]:
        """Count whole lots, of which Kraken shows one where there is less."""
        lots = max(level[1] // 10**pair.lot_decimals, min(level[1], 1))
        return [pair.long_price_text(level[0]), str(lots), f"{lots}.000"]

    return {
        "a": quote(ask),
        "b": quote(bid),
        "c": [
            pair.long_price_text(tape.last_price(now)),
            pair.quantity_text(int(last.quantity.sum())),
        ],
        "v": [pair.quantity_text(c.volume) for c in both],
        "p": [pair.long_price_text(round(c.average)) for c in both],
        "t": [c.count for c in both],
        "l": [pair.long_price_text(c.low) for c in both],
        "h": [pair.long_price_text(c.high) for c in both],
        "o": pair.long_price_text(day.open),
    }


def depth(venue: Venue, now: int, query: Query) -> Any:
    """Answer Depth."""
    name, pair = _one_pair(query)
    count = whole(query.get("count") or DEPTH_USUAL, "count")
    if not 1 <= count <= DEPTH_MOST:
        raise Refused("EGeneral:Invalid arguments:count")
    bids, asks = shown(venue.exchange, pair, now, count)
    at = now // SECOND_NS

    def rows(side: list[tuple[int, int]]) -> list[tuple[str, str, int]]:
        return [
            (pair.long_price_text(price), f"{pair.quantity(lots):.3f}", at) for price, lots in side
        ]

    return {name: {"asks": rows(asks), "bids": rows(bids)}}


def ohlc(venue: Venue, now: int, query: Query) -> Any:
    """Answer OHLC: 720 rows at most, the last of them unfinished."""
    name, pair = _one_pair(query)
    interval = whole(query.get("interval") or 1, "interval")
    if interval not in INTERVALS:
        raise Refused("EGeneral:Invalid arguments:interval")
    since = whole(query.get("since") or 0, "since")
    made = candles(venue.exchange.tapes[pair.symbol], interval, now)
    rows = [
        (
            candle.begin // SECOND_NS,
            pair.price_text(candle.open),
            pair.price_text(candle.high),
            pair.price_text(candle.low),
            pair.price_text(candle.close),
            pair.price_text(round(candle.average)),
            pair.quantity_text(candle.volume),
            candle.count,
        )
        for candle in made
        if candle.begin // SECOND_NS > since or candle is made[-1]
    ]
    last = made[-2].begin if len(made) > 1 else made[-1].begin
    return {name: rows, "last": last // SECOND_NS}


def trades(venue: Venue, now: int, query: Query) -> Any:
    """Answer Trades: those after the cursor, or else the latest."""
    name, pair = _one_pair(query)
    count = whole(query.get("count") or TRADES_MOST, "count")
    if not 1 <= count <= TRADES_MOST:
        raise Refused("EGeneral:Invalid arguments:count")
    tape = venue.exchange.tapes[pair.symbol]
    now = tape.settled(now)
    if "since" not in query:
        found = tape.latest(now, count)
        cursor = now
    else:
        cursor = read_cursor(query["since"])
        found = tape.since(cursor, now, count)
    last = int(found.time[-1]) if len(found.time) else cursor
    return {name: raw(f"[{','.join(_trade_rows(pair, found))}]"), "last": str(last)}


def _trade_rows(pair: Pair, found: Prints) -> list[str]:
    price, quantity = pair.long_price_text, pair.quantity_text
    rows = zip(
        found.price.tolist(),
        found.quantity.tolist(),
        found.time.tolist(),
        found.bought.tolist(),
        found.market.tolist(),
        found.identity.tolist(),
        strict=True,
    )
    return [
        f'["{price(ticks)}","{quantity(lots)}",{at // SECOND_NS}.{at % SECOND_NS // 100:07d},'
        f'"{"b" if bought else "s"}","{"m" if market else "l"}","",{identity}]'
        for ticks, lots, at, bought, market, identity in rows
    ]


def spread(venue: Venue, now: int, query: Query) -> Any:
    """Answer Spread: the last 200 quotes of the market."""
    name, pair = _one_pair(query)
    since = read_cursor(query.get("since", "0"))
    quotes = venue.exchange.market.quotes(pair, now, SPREADS)
    rows = [
        (at // SECOND_NS, pair.price_text(bid), pair.price_text(ask))
        for at, bid, ask in quotes
        if at > since
    ]
    return {name: rows, "last": now // SECOND_NS}


METHODS = {
    "Time": time,
    "SystemStatus": system_status,
    "Assets": assets,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "Depth": depth,
    "OHLC": ohlc,
    "Trades": trades,
    "Spread": spread,
}
