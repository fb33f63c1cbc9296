"""A file of bars is read whole and to the last digit, or refused by line; the quick way agrees."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market import csv_bars
from market.bars import EPOCH
from market.csv_bars import read_csv, read_lines
from market.errors import FileRefused

QUARTER = timedelta(minutes=15)
HEADER = "datetime,open,high,low,close,volume\n"
LINE = "2025-01-01 00:00:00+00:00,2.0795,2.0923,2.0765,2.092,3316052.215752\n"
NEXT = "2025-01-01 00:15:00+00:00,2,2,2,2,0\n"
COINBASE = Path(__file__).parents[3] / "shared" / "data" / "coinbase_15m"
fields = st.one_of(
    st.decimals(0, 3, places=2).map(str),
    st.sampled_from(
        ["2", "2.0", "1e-18", "1E-19", " 2", "+2", "-2", "", "nan", "2_0", '"2"', "1e30"]
    ),
)
times = st.sampled_from(
    [
        "2025-01-01 00:15:00+00:00",
        "2025-01-01T00:30:00Z",
        "2025-01-01 00:45:00",
        "2025-01-01",
        "2025-01-01 02:00:00+01:00",
        "2025-01-01 01:20:00",
        "20250101T0200",
        "tomorrow",
        "",
    ]
)


def bars(columns):
    each = [getattr(columns, name).decimals() for name in HEADER.strip().split(",")[1:]]
    starts = [EPOCH + timedelta(microseconds=int(start)) for start in columns.start]
    return list(zip(starts, *each, strict=True))


def slowly(path, interval=QUARTER):
    return [
        (bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in read_lines(path, "XRP/USD", interval)
    ]


def outcome(read, path):
    try:
        return read(path)
    except FileRefused as refusal:
        return str(refusal)


@pytest.fixture
def quick_only(monkeypatch):
    def never(*_):
        raise AssertionError("the file was read line by line")

    monkeypatch.setattr(csv_bars, "read_lines", never)


@pytest.mark.usefixtures("quick_only")
@pytest.mark.parametrize("line", [LINE, LINE.replace("+00:00", ""), LINE.replace("+00:00", "Z")])
def test_a_usual_file_is_read_at_once_plain_or_gzipped(tmp_path, line):
    plain, zipped = tmp_path / "bars.csv", tmp_path / "bars.csv.gz"
    plain.write_text(HEADER + NEXT.replace("+00:00", line[19:].partition(",")[0]) + line)
    zipped.write_bytes(gzip.compress(plain.read_bytes()))

    found = [read_csv(path, "XRP/USD", QUARTER) for path in (plain, zipped)]

    prices = [Decimal(price) for price in ("2.0795", "2.0923", "2.0765", "2.092")]
    first = (datetime(2025, 1, 1, tzinfo=UTC), *prices, Decimal("3316052.215752"))
    assert [bars(columns)[0] for columns in found] == [first, first]
    assert [len(columns) for columns in found] == [2, 2]
    assert not found[0].bought_known.any()
    assert (found[0].trades == -1).all()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(times, fields, fields, fields, fields, fields), max_size=3))
def test_both_readings_agree_on_every_file(tmp_path, rows):
    path = tmp_path / "bars.csv"
    path.write_text(HEADER + LINE + "".join(",".join(row) + "\n" for row in rows))

    quick = outcome(lambda path: bars(read_csv(path, "XRP/USD", QUARTER)), path)

    assert quick == outcome(slowly, path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected the header"),
        ("time,open\n", "expected the header"),
        (HEADER, "holds no bars"),
        (HEADER + LINE + LINE, "line 3: a second bar"),
        (HEADER + LINE + "2025-01-01 00:15:00,1,1,1\n", "line 3: expected 6 fields, found 4"),
        (HEADER + LINE + "\n" + NEXT, "line 3: expected 6 fields, found 0"),
        (HEADER + LINE + "2025-01-01 00:15:00,1,x,1,1,1\n", "line 3: a number cannot be read"),
        (HEADER + LINE + "2025-01-01 00:15:00,1,nan,1,1,1\n", "line 3: .*not a number"),
        (HEADER + LINE + "2025-01-01 00:15:00,1,1,2,1,1\n", "line 3: .*cannot be one bar"),
        (HEADER + LINE + "2025-01-01 00:15:00,-1,1,-1,1,1\n", "line 3: .*less than 0"),
        (HEADER + LINE + "2025-01-01 00:15:00,1,1,1,1,1e-19\n", "line 3: .*18 decimals"),
        (HEADER + LINE + "2025-01-01 00:16:00,1,1,1,1,1\n", "line 3: .*not where a bar"),
        (HEADER + LINE + "yesterday,1,1,1,1,1\n", "line 3: .*yesterday"),
    ],
)
def test_a_bad_file_is_refused_by_line(tmp_path, text, reason):
    path = tmp_path / "bars.csv"
    path.write_text(text)

    with pytest.raises(FileRefused, match=reason):
        read_csv(path, "XRP/USD", QUARTER)


@pytest.mark.parametrize("content", [b"\xff\xfe", gzip.compress(b"x" * 999)[:20], b""])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(content)

    with pytest.raises(FileRefused):
        read_csv(path, "XRP/USD", QUARTER)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="cannot read"):
        read_csv(tmp_path / "absent.csv", "XRP/USD", QUARTER)


@pytest.mark.parametrize("market", ["XRP", "DOGE"])
def test_a_year_of_real_bars_is_read_whole(market):
    path = COINBASE / f"{market}_USD_15m.csv.gz"
    if not path.exists():
        pytest.skip(f"real bars are not here: {path}")

    found = bars(read_csv(path, f"{market}/USD", QUARTER))

    assert len(found) == 28_778
    assert found == slowly(path)
