"""The bodies of websocket messages, with every number spelled in full precision."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.book import best
from sandbox.candles import Candle, last_day
from sandbox.instruments import ASSETS, PAIRS, Asset, Pair
from sandbox.tape import MINUTE_NS
from sandbox.wire import encode, long_stamp, raw, stamp

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.market import Prints


def trades_text(pair: Pair, found: Prints, kind: str) -> bytes:
    """Write trades as one message of the trade channel."""
    rows = zip(
        found.price.tolist(),
        found.quantity.tolist(),
        found.time.tolist(),
        found.bought.tolist(),
        found.market.tolist(),
        found.identity.tolist(),
        strict=True,
    )
    body = ",".join(
        f'{{"symbol":"{pair.symbol}","side":"{"buy" if bought else "sell"}",'
        f'"price":{pair.price_text(price)},"qty":{pair.quantity_text(lots)},'
        f'"ord_type":"{"market" if market else "limit"}","trade_id":{identity},'
        f'"timestamp":"{stamp(time)}"}}'
        for price, lots, time, bought, market, identity in rows
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{body}]}}'.encode()


def ticker_body(exchange: Exchange, pair: Pair, now: int) -> dict[str, Any]:
    """Describe the market over the last 24 hours."""
    tape = exchange.tapes[pair.symbol]
    bid, ask = best(exchange, pair, now)
    day = last_day(tape, now)
    change = day.close - day.open
    sign = "-" if change < 0 else ""
    return {
        "symbol": pair.symbol,
        "bid": raw(pair.price_text(bid[0])),
        "bid_qty": raw(pair.quantity_text(bid[1])),
        "ask": raw(pair.price_text(ask[0])),
        "ask_qty": raw(pair.quantity_text(ask[1])),
        "last": raw(pair.price_text(tape.last_price(now))),
        "volume": raw(pair.quantity_text(day.volume)),
        "vwap": raw(pair.price_text(round(day.average))),
        "low": raw(pair.price_text(day.low)),
        "high": raw(pair.price_text(day.high)),
        "change": raw(sign + pair.price_text(abs(change))),
        "change_pct": raw(f"{100 * change / day.open:.2f}"),
        "trades": day.count,
        "timestamp": stamp(now),
    }


def candle_body(pair: Pair, candle: Candle, interval: int) -> dict[str, Any]:
    """Describe a candle."""
    return {
        "symbol": pair.symbol,
        "open": raw(pair.price_text(candle.open)),
        "high": raw(pair.price_text(candle.high)),
        "low": raw(pair.price_text(candle.low)),
        "close": raw(pair.price_text(candle.close)),
        "trades": candle.count,
        "volume": raw(pair.quantity_text(candle.volume)),
        "vwap": raw(pair.price_text(round(candle.average))),
        "interval_begin": long_stamp(candle.begin),
        "interval": interval,
        "timestamp": stamp(candle.begin + interval * MINUTE_NS),
    }


def instrument_text(mode: str, kind: str) -> bytes:
    """Describe all assets and pairs, or as an update the pairs, whose status is the mode."""
    body = {
        "assets": [_asset_body(asset) for asset in ASSETS] if kind == "snapshot" else [],
        "pairs": [_pair_body(pair, mode) for pair in PAIRS],
    }
    return encode({"channel": "instrument", "type": kind, "data": body})


def in_full(number: object, decimals: int) -> str:
    """Spell a number with at least so many decimals, as the instrument channel does."""
    exact = Decimal(str(number))
    exponent = exact.as_tuple().exponent
    own = -exponent if isinstance(exponent, int) else 0
    return f"{exact:.{max(own, decimals)}f}"


def _asset_body(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.name,
        "status": "enabled",
        "precision": asset.decimals,
        "precision_display": asset.display_decimals,
        "borrowable": True,
        "collateral_value": raw(in_full(asset.collateral, 2)),
        "margin_rate": raw(in_full(asset.margin_rate, 6)),
    }


def _pair_body(pair: Pair, status: str) -> dict[str, Any]:
    return {
        "symbol": pair.symbol,
        "base": pair.base.name,
        "quote": pair.quote.name,
        "status": status,
        "qty_precision": pair.lot_decimals,
        "qty_increment": raw(f"{Decimal(1).scaleb(-pair.lot_decimals):f}"),
        "qty_min": raw(in_full(pair.minimum_quantity, pair.lot_decimals)),
        "price_precision": pair.price_decimals,
        "price_increment": raw(pair.tick_size),
        "tick_size": raw(pair.tick_size),
        "cost_precision": pair.cost_decimals,
        "cost_min": raw(in_full(pair.minimum_cost, 2)),
        "marginable": True,
        "has_index": True,
        "margin_initial": raw("0.20"),
        "position_limit_long": pair.long_limit,
        "position_limit_short": pair.short_limit,
    }
