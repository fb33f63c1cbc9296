"""What Kraken trades, as its own lists describe it: assets by their names, markets, our fees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from market.instruments import Instrument
from market.pairs import NAMES

LEGACY_NAMES = {
    f"{letter}{name}": name
    for letter, names in {
        "X": "ETC ETH LTC MLN REP XBT XDG XLM XMR XRP ZEC",
        "Z": "AUD CAD EUR GBP JPY USD",
    }.items()
    for name in names.split()
}


def asset_name(raw: str) -> str:
    """Return the name people use: ZUSD is USD, XXDG is DOGE, XXBT is BTC."""
    name = LEGACY_NAMES.get(raw, raw)
    return NAMES.get(name, name)


def instruments(pairs: dict[str, Any], fees: dict[str, Any]) -> list[Instrument]:
    """Read every market of AssetPairs, with our fees from TradeVolume where they are given."""
    return [_instrument(pair_id, row, fees) for pair_id, row in pairs.items() if "wsname" in row]


def _instrument(pair_id: str, row: dict[str, Any], fees: dict[str, Any]) -> Instrument:
    base, quote = (asset_name(part) for part in row["wsname"].split("/"))
    return Instrument(
        symbol=f"{base}/{quote}",
        exchange_id=pair_id,
        base=base,
        quote=quote,
        price_decimals=int(row["pair_decimals"]),
        quantity_decimals=int(row["lot_decimals"]),
        cost_decimals=int(row["cost_decimals"]),
        quantity_min=Decimal(row["ordermin"]),
        cost_min=Decimal(row["costmin"]),
        maker_fee=_fraction(fees.get("fees_maker") or {}, pair_id),
        taker_fee=_fraction(fees.get("fees") or {}, pair_id),
    )


def _fraction(percents: dict[str, Any], pair_id: str) -> Decimal | None:
    row = percents.get(pair_id)
    return None if row is None else Decimal(row["fee"]) / 100
