"""A dump's file name tells whose bars it holds, in our words, or nothing."""

from datetime import timedelta

import pytest

from market.pairs import named, symbol_of


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("XRPUSD", "XRP/USD"),
        ("XBTUSD", "BTC/USD"),
        ("XXBTZUSD", "BTC/USD"),
        ("XDGUSD", "DOGE/USD"),
        ("XDGXBT", "DOGE/BTC"),
        ("XETHXXBT", "ETH/BTC"),
        ("BCHEUR", "BCH/EUR"),
        ("USDTUSD", "USDT/USD"),
        ("ETHPYUSD", "ETH/PYUSD"),
        ("1INCHUSD", "1INCH/USD"),
        ("ETHUSDT", "ETH/USDT"),
        ("XTZUSD", "XTZ/USD"),
        ("ZRXXBT", "ZRX/BTC"),
        ("USD", None),
        ("HELLO", None),
    ],
)
def test_a_pair_is_split_where_its_quote_begins(pair, symbol):
    assert symbol_of(pair) == symbol


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("XRPUSD_1.csv", ("XRP/USD", timedelta(minutes=1))),
        ("Kraken_OHLCVT/XBTUSD_1440.csv", ("BTC/USD", timedelta(days=1))),
        ("XBTUSD_60.csv.gz", ("BTC/USD", timedelta(hours=1))),
        ("BCHEUR.csv", ("BCH/EUR", None)),
        ("readme.txt", (None, None)),
        ("__MACOSX/._XRPUSD_1.csv", (None, None)),
        ("XRPUSD_0.csv", (None, None)),
    ],
)
def test_a_file_name_tells_the_market_and_the_interval(file, told):
    assert named(file) == told
