"""A dump of any size is read line by line: what is good is kept exactly, what is bad is told."""

import csv
import gzip
import io
import tracemalloc
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from market import dumps
from market.bars import resample
from market.dump_files import parts
from market.errors import FileRefused
from market.instruments import Side, Trade
from market.providers import Wanted
from market.quality import Kind

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SHARED = Path(__file__).parents[3] / "shared" / "data"
FIRST = 1_600_000_020  # a whole minute
BTC = Wanted(symbol="BTC/USD", interval=MINUTE)


def silent(_):
    pass


def written(path, rows):
    path.write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))
    return parts(path)[0]


def bars_of(provider, wanted=BTC):
    return [bar for page in provider(wanted) for bar in page.bars]


def sample(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no recorded dump at {path}")
    return path


def test_a_recorded_dump_of_bars_is_read_whole_with_its_quiet_hours():
    (part,) = parts(sample("kraken_ohlcvt/XBTUSD_60.csv.gz"))
    positions = []

    inspection = dumps.check_ohlcvt(part, HOUR, positions.append)
    bars = bars_of(dumps.ohlcvt(part, silent, whole=True), Wanted(symbol="BTC/USD", interval=HOUR))

    assert (inspection.bars, inspection.bad) == (70_253, 0)
    quiet = inspection.tallies[Kind.GAP].bars
    assert len(bars) == 70_253 + quiet
    assert sum(bar.trades == 0 for bar in bars) == quiet
    assert [bar.start for bar in bars] == [bars[0].start + n * HOUR for n in range(len(bars))]
    assert (bars[0].open, bars[0].trades, bars[0].bought) == (Decimal("122.0"), 1, None)
    assert positions == sorted(positions)
    assert 0 < positions[-1] <= part.size


def test_a_zip_gives_its_tables_and_nothing_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "dump.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Q1/XRPUSD_1.csv", f"{FIRST},1,2,1,2,5,7\n")
        archive.writestr("__MACOSX/Q1/._XRPUSD_1.csv", "junk")
        archive.writestr("readme.txt", "junk")

    (part,) = parts(tmp_path / "dump.zip")
    (bar,) = bars_of(dumps.ohlcvt(part, silent, whole=True))

    assert part.name == "Q1/XRPUSD_1.csv"
    assert (bar.start.timestamp(), bar.high, bar.volume, bar.trades) == (FIRST, 2, 5, 7)


BAD = [
    ("soon,1,2,1,2,5,7", Kind.UNREADABLE),
    (f"{FIRST + 60},1,2,1,2,5", Kind.UNREADABLE),
    (f"{FIRST + 60},1,2,1,x,5,7", Kind.UNREADABLE),
    (f"{FIRST + 60},1,2,1,2,5,many", Kind.UNREADABLE),
    (f"{FIRST + 60},1,2,1,2,1e20,7", Kind.UNREADABLE),
    (f"{FIRST + 60},1,2,1,2,0.1234567890123456789,7", Kind.UNREADABLE),
    (f"{FIRST + 60}000,1,2,1,2,5,7", Kind.UNREADABLE),
    ("1e300,1,2,1,2,5,7", Kind.UNREADABLE),
    ("nan,1,2,1,2,5,7", Kind.UNREADABLE),
    (f"{FIRST + 60},1,0.5,1,2,5,7", Kind.IMPOSSIBLE),
    (f"{FIRST + 60},nan,2,1,2,5,7", Kind.IMPOSSIBLE),
    (f"{FIRST + 60},-1,2,-1,2,5,7", Kind.IMPOSSIBLE),
    (f"{FIRST + 60},1,2,1,2,-5,7", Kind.IMPOSSIBLE),
    (f"{FIRST + 59},1,2,1,2,5,7", Kind.OFF_GRID),
    (f"{FIRST},1,2,1,2,5,7", Kind.DUPLICATE),
    (f"{FIRST - 60},1,2,1,2,5,7", Kind.OUT_OF_ORDER),
]


@pytest.mark.parametrize(("line", "kind"), BAD)
def test_a_bad_line_is_told_by_its_number_and_left_out(tmp_path, line, kind):
    good = f"{FIRST},1,2,1,2,5,7"
    part = written(tmp_path / "XBTUSD_1.csv", [[good], [line], [f"{FIRST + 180},1,2,1,2,5,7"]])

    inspection = dumps.check_ohlcvt(part, MINUTE, silent)
    bars = bars_of(dumps.ohlcvt(part, silent, whole=not inspection.bad))

    (found,) = [one for one in inspection.findings if one.kind is not Kind.GAP]
    assert (found.kind, found.line, inspection.bad) == (kind, 2, 1)
    assert [bar.start.timestamp() for bar in bars] == [FIRST, FIRST + 180]


def test_a_hole_of_a_whole_dump_was_quiet(tmp_path):
    rows = [[FIRST, 1, 2, 1, 2, 5, 7], [FIRST + 180, 3, 3, 3, 3, 1, 1]]
    part = written(tmp_path / "XBTUSD_1.csv", rows)

    bars = bars_of(dumps.ohlcvt(part, silent, whole=True))

    assert [(bar.close, bar.volume, bar.trades) for bar in bars] == [
        (2, 5, 7),
        (2, 0, 0),
        (2, 0, 0),
        (3, 1, 1),
    ]


def hour_of_trades():
    path = sample("trades/cryptuoso_kraken_BTCUSD_2019-07-01_trades.csv")
    with path.open(newline="") as file:
        return [
            (Decimal(row["time_ms"]) / 1000, row["price"], row["amount"])
            for row in csv.DictReader(file)
        ]


def as_trades(rows):
    return [
        Trade(
            symbol="BTC/USD",
            trade_id=number,
            at=datetime.fromtimestamp(float(at), UTC),
            side=Side.SELL,
            price=Decimal(price),
            quantity=Decimal(quantity),
        )
        for number, (at, price, quantity) in enumerate(rows)
    ]


def test_a_recorded_hour_of_trades_makes_the_bars_that_the_trader_would_make(tmp_path):
    rows = hour_of_trades()
    part = written(tmp_path / "XBTUSD.csv", rows)
    midnight = datetime(2019, 7, 1, tzinfo=UTC)
    whole = Wanted(symbol="BTC/USD", interval=MINUTE, start=midnight, end=midnight + HOUR)

    inspection = dumps.check_trades(part, MINUTE, silent)
    bars = bars_of(dumps.time_and_sales(part, silent), whole)

    expected = resample(as_trades(rows), "BTC/USD", MINUTE, midnight, midnight + HOUR)
    assert (inspection.bars, inspection.bad) == (2672, 0)
    fields = ("start", "open", "high", "low", "close", "volume", "trades", "complete")
    assert [[getattr(bar, name) for name in fields] for bar in bars] == [
        [getattr(bar, name) for name in fields] for bar in expected
    ]
    assert len(bars) == 60
    assert {bar.bought for bar in bars if bar.trades} == {None}


def test_without_a_promise_the_first_and_the_last_bar_are_not_complete(tmp_path):
    part = written(tmp_path / "XBTUSD.csv", hour_of_trades())

    bars = bars_of(dumps.time_and_sales(part, silent))

    assert [bar.complete for bar in bars] == [False, *[True] * 58]


def test_kraken_s_own_sample_is_read():
    (part,) = parts(sample("trades/BCHEUR.csv"))

    inspection = dumps.check_trades(part, HOUR, silent)
    bars = bars_of(dumps.time_and_sales(part, silent), Wanted(symbol="BCH/EUR", interval=HOUR))

    assert (inspection.bars, inspection.bad) == (148, 0)
    assert all(bar.complete for bar in bars[1:])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    gaps=st.lists(st.integers(0, 200), min_size=2, max_size=30),
    bad=st.sets(st.integers(0, 29)),
    start=st.integers(0, 20),
    length=st.integers(1, 40),
)
@example(gaps=[60, 0], bad={0}, start=0, length=2)
def test_a_bar_that_a_bad_trade_may_belong_to_is_never_complete(tmp_path, gaps, bad, start, length):
    times = [FIRST + sum(gaps[: n + 1]) for n in range(len(gaps))]
    rows = [(at, 1 + n % 3, "-1" if n in bad else "1") for n, at in enumerate(times)]
    part = written(tmp_path / "XBTUSD.csv", rows)
    begin = datetime.fromtimestamp(FIRST + 60 * start, UTC)
    end = begin + length * MINUTE
    wanted = Wanted(symbol="BTC/USD", interval=MINUTE, start=begin, end=end)

    bars = bars_of(dumps.time_and_sales(part, silent), wanted)

    lost = {datetime.fromtimestamp(at - at % 60, UTC) for n, at in enumerate(times) if n in bad}
    assert not lost & {bar.start for bar in bars if bar.complete}
    assert all(begin <= bar.start and bar.end <= end for bar in bars)
    traded = Counter(at - at % 60 for at in times)
    for bar in bars:
        assert not bar.complete or bar.trades == traded[bar.start.timestamp()]
    if not bad:
        first = next((n for n in range(length) if traded[begin.timestamp() + 60 * n]), length)
        assert [bar.start for bar in bars] == [begin + n * MINUTE for n in range(first, length)]


def test_a_market_that_rests_for_long_is_read_in_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(dumps, "PAGE", 100)
    rest = 60 * 5_000
    trades = written(tmp_path / "XBTUSD.csv", [[FIRST + n * rest, 1, 1] for n in range(2)])
    bars = written(tmp_path / "XBTUSD_1.csv", [[FIRST + n * rest, *[1] * 6] for n in (0, 1)])

    for provider in (dumps.time_and_sales(trades, silent), dumps.ohlcvt(bars, silent, whole=True)):
        tracemalloc.start()
        count = sum(len(page.bars) for page in provider(BTC))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count >= 5_000
        assert peak < 500_000


@pytest.mark.parametrize("name", ["XBTUSD_1.csv.gz", "dump.zip"])
def test_a_file_that_ends_too_early_is_refused(tmp_path, name):
    text = "".join(f"{FIRST + 60 * n},1,2,1,2,{n * 7919},7\n" for n in range(20_000))
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode())[:-2_000])
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("XBTUSD_1.csv", text)
        data = bytearray(packed.getvalue())
        data[5_000:5_100] = bytes(100)
        path.write_bytes(bytes(data))

    with pytest.raises(FileRefused, match="cannot read"):
        dumps.check_ohlcvt(parts(path)[0], MINUTE, silent)


def test_a_zip_without_a_table_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
        archive.writestr("readme.txt", "junk")

    with pytest.raises(FileRefused, match=r"holds no \.csv"):
        parts(tmp_path / "dump.zip")
