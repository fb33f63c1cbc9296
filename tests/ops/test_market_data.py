"""Market data is imported, looked at and completed from the command line, as often as needed."""

import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from waiting import until

from market.bars import Bar
from market.history import record_bars
from ops import progress
from ops.cli import main
from sql.tables import PriceBarRow

SHARED = Path(__file__).parents[3] / "shared" / "data"
MINUTE, QUARTER, DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = 1_600_000_020  # a whole minute


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, capsys):
    """Run a command against an empty record and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


def flat(number, close="2", *, symbol="XRP/USD", interval=MINUTE, volume="1"):
    price = Decimal(close)
    return Bar(
        symbol=symbol,
        interval=interval,
        start=MIDNIGHT + number * interval,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        trades=1,
    )


def write(engine, bars):
    with Session(engine) as session, session.begin():
        record_bars(session, bars, "test")


def recorded(engine):
    with Session(engine) as session:
        query = select(func.count()).select_from(PriceBarRow)
        return session.scalar(query)


def dump_of(path, numbers, bad=()):
    lines = [f"{FIRST + 60 * n},1,{'0.5' if n in bad else '2'},1,2,5,7" for n in numbers]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_zip_of_dumps_is_imported_once(friday, engine, tmp_path):
    with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
        for name in ("XBTUSD_1.csv", "XRPUSD_1.csv", "XRPUSD_5.csv"):
            at = FIRST - FIRST % 300
            archive.writestr(name, f"{at},1,2,1,2,5,7\n{at + 900},1,2,1,2,5,7\n")

    code, output, _ = friday("import", "kraken-ohlcvt", tmp_path / "dump.zip", "--json")
    again = friday("import", "kraken-ohlcvt", tmp_path / "dump.zip", "--json")[1]

    told = [(row["market"], row["seconds"], row["bars"], row["new"]) for row in json.loads(output)]
    assert code == 0
    assert told == [("BTC/USD", 60, 16, 16), ("XRP/USD", 60, 16, 16), ("XRP/USD", 300, 4, 4)]
    assert [row["new"] for row in json.loads(again)] == [0, 0, 0]
    assert recorded(engine) == 36


def test_one_market_of_a_zip_may_be_asked_for(friday, tmp_path):
    with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
        for name in ("XBTUSD_1.csv", "XRPUSD_1.csv", "XRPUSD_60.csv"):
            archive.writestr(name, f"{FIRST // 3600 * 3600},1,2,1,2,5,7\n")
    file = tmp_path / "dump.zip"

    only = friday("import", "kraken-ohlcvt", file, "--symbol", "XRP/USD", "--json")
    none = friday("import", "kraken-ohlcvt", file, "--symbol", "ETH/USD")

    assert [row["seconds"] for row in json.loads(only[1])] == [60, 3600]
    assert (none[0], "ETH/USD" in none[2]) == (2, True)


def test_a_dump_with_bad_lines_is_refused_whole_unless_they_may_be_skipped(
    friday, engine, tmp_path
):
    file = dump_of(tmp_path / "XRPUSD_1.csv", [*range(10), 3, 12], bad={5})

    refused = friday("import", "kraken-ohlcvt", file)
    kept = recorded(engine)
    skipped = friday("import", "kraken-ohlcvt", file, "--skip-bad-lines")

    assert (refused[0], kept) == (2, 0)
    assert "line 6: impossible: high 0.5 is below low 1" in refused[2]
    assert "line 11: out of order" in refused[2]
    assert "nothing was imported: 2 lines are bad" in refused[2]
    assert skipped[0] == 0
    assert recorded(engine) == 10


def csv_of(path, *rows):
    path.write_text("\n".join(["datetime,open,high,low,close,volume", *rows]) + "\n")
    return path


def at_hour(number, amounts="2,2.5,1.5,2,10", zone="+00:00"):
    return f"2026-01-05T{number:02}:00:00{zone},{amounts}"


def import_csv(friday, file):
    return friday("import", "csv", file, "--symbol", "XRP/USD", "--interval-seconds", 3600)


def test_every_bad_line_of_a_csv_file_is_told_and_nothing_kept(friday, engine, tmp_path):
    file = csv_of(
        tmp_path / "bars.csv",
        at_hour(0),
        at_hour(1, "2,1,1.5,2,10"),
        at_hour(2, "-2,2,-3,2,10"),
        at_hour(3, "NaN,2,1,2,10"),
        at_hour(4, "2,2,1"),
        at_hour(5).replace("T05:00", "T05:07"),
        at_hour(0),
    )

    code, output, said = import_csv(friday, file)

    *lines, sentence = said.splitlines()
    assert (code, output, recorded(engine)) == (2, "", 0)
    assert sentence == f"{file}: nothing was imported, since 6 lines are bad"
    expected = (
        ("line 3", "high 1, low 1.5, close 2 cannot be one bar"),
        ("line 4", "-2 is less than 0"),
        ("line 5", "NaN is not a number"),
        ("line 6", "expected 6 fields, found 4"),
        ("line 7", "05:07:00+00:00 is not where a bar of 1:00:00 starts"),
        ("line 8", "a second bar of 2026-01-05 00:00:00"),
    )
    for line, (number, reason) in zip(lines, expected, strict=True):
        assert line.startswith(f"  {number}: ")
        assert reason in line


def test_of_very_many_bad_lines_the_first_are_told_and_how_many_more_there_are(friday, tmp_path):
    file = csv_of(tmp_path / "bars.csv", at_hour(0), *["nothing"] * 1_500)

    *lines, more, sentence = import_csv(friday, file)[2].splitlines()

    assert [line.split(":")[0] for line in lines] == [f"  line {n}" for n in range(3, 23)]
    assert more == "  and 1,480 more"
    assert sentence == f"{file}: nothing was imported, since 1500 lines are bad"


@pytest.mark.parametrize("amounts", ["2,2.5,1.5,2,10", "2,25e-1,1.5,2,10"])
def test_bars_of_the_future_are_refused_and_the_one_under_way_is_not(
    friday, engine, tmp_path, amounts
):
    this = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [f"{this + n * timedelta(hours=1):%Y-%m-%dT%H:%M}Z,{amounts}" for n in range(5)]
    file = csv_of(tmp_path / "bars.csv", *hours)

    code, output, said = import_csv(friday, file)

    assert (code, output, recorded(engine)) == (2, "", 0)
    (sentence,) = said.splitlines()
    assert "bars lie in the future, the last at " in sentence
    assert import_csv(friday, csv_of(file, *hours[:1]))[0] == 0


def test_a_zip_given_for_a_csv_file_is_told_in_a_sentence(friday, tmp_path):
    with zipfile.ZipFile(tmp_path / "bars.csv", "w") as archive:
        archive.writestr("bars.csv", "datetime,open,high,low,close,volume\n")

    code, _, said = import_csv(friday, tmp_path / "bars.csv")

    assert code == 2
    assert said == (
        f"{tmp_path / 'bars.csv'} is a zip: unpack it first, or if it is Kraken's dump use friday "
        "import kraken-ohlcvt or kraken-trades\n"
    )


@pytest.mark.parametrize("slowly", [False, True])
def test_what_is_odd_about_a_csv_file_is_told(friday, engine, tmp_path, slowly):
    hours = (3, 0, 6, 5)
    rows = [at_hour(hour, "2,2,2,2,0" if hour == 5 else "2,2.5,1.5,2,10", "") for hour in hours]
    file = csv_of(tmp_path / "bars.csv", *(row.replace("2.5", "25e-1") for row in rows))
    if not slowly:
        csv_of(file, *rows)

    code, output, said = import_csv(friday, file)

    assert (code, recorded(engine)) == (0, 4)
    assert said.splitlines()[:2] == [
        "lines without a zone, taken for UTC: 4",
        "lines out of order, which were sorted: 2",
    ]
    assert output.splitlines() == [
        "XRP/USD: 4 new of 4 bars from bars.csv, 3 missing, 1 without a trade",
        "friday gaps XRP/USD --interval-seconds 3600 --from 2026-01-05 tells which",
    ]


def test_times_of_a_csv_file_in_another_zone_are_understood(friday, engine, tmp_path):
    file = csv_of(tmp_path / "bars.csv", at_hour(19, zone="-05:00"), at_hour(20, zone="-05:00"))

    code, _, said = import_csv(friday, file)

    with Session(engine) as session:
        starts = list(session.scalars(select(PriceBarRow.start).order_by(PriceBarRow.start)))
    assert (code, "zone" in said) == (0, False)
    assert starts == [datetime(2026, 1, 6, hour, tzinfo=UTC) for hour in (0, 1)]


def test_a_name_and_an_option_that_disagree_are_refused(friday, tmp_path):
    file = dump_of(tmp_path / "XRPUSD_1.csv", range(3))

    code, _, complaint = friday("import", "kraken-ohlcvt", file, "--interval-seconds", "900")

    assert code == 2
    assert "0:15:00" in complaint


def test_a_file_of_any_name_can_be_explained(friday, engine, tmp_path):
    file = dump_of(tmp_path / "download", range(3))
    options = ("--symbol", "XRP/USD", "--interval-seconds", "60")

    assert friday("import", "kraken-ohlcvt", file)[0] == 2
    assert friday("import", "kraken-ohlcvt", file, *options)[0] == 0
    assert recorded(engine) == 3


def test_trades_become_bars_up_to_the_ends_that_are_promised(friday, engine):
    file = SHARED / "trades" / "BCHEUR.csv"
    if not file.exists():
        pytest.skip(f"no recorded dump at {file}")
    day = ("--from", "2023-01-01", "--to", "2023-01-02")

    loose = friday("import", "kraken-trades", file, "--interval-seconds", "3600", "--json")
    within = friday("import", "kraken-trades", file, "--interval-seconds", "3600", *day, "--json")

    (first,), (second,) = json.loads(loose[1]), json.loads(within[1])
    assert first["market"] == "BCH/EUR"
    assert first["lines"] == 148
    assert (second["bars"], second["new"]) == (24, 24 - first["bars"])
    assert recorded(engine) == 24


def zipped(path, *files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"dump/{file.name}")
    return path


def sales_of(path, numbers):
    path.write_text("".join(f"{FIRST + 60 * n},2,5\n" for n in numbers))
    return path


def plain_bars(folder):
    return "kraken-ohlcvt", dump_of(folder / "XRPUSD_1.csv", range(20_000)), 20_000


def zipped_bars(folder):
    files = [dump_of(folder / f"{name}USD_1.csv", range(10_000)) for name in ("XBT", "XRP")]
    return "kraken-ohlcvt", zipped(folder / "dump.zip", *files), 20_000


def plain_sales(folder):
    return "kraken-trades", sales_of(folder / "XRPUSD.csv", range(20_000)), 19_998


def zipped_sales(folder):
    files = [sales_of(folder / f"{name}USD.csv", range(10_000)) for name in ("XBT", "XRP")]
    return "kraken-trades", zipped(folder / "dump.zip", *files), 19_996


@pytest.mark.parametrize("make", [plain_bars, zipped_bars, plain_sales, zipped_sales])
def test_an_import_that_was_killed_is_simply_run_again(
    friday, engine, tmp_path, database_url, make
):
    kind, file, every = make(tmp_path)
    script = "from market import dumps; from ops.cli import main; dumps.PAGE = 100; main()"
    command = [sys.executable, "-c", script, "import", kind, str(file)]
    environment = {**os.environ, "DATABASE_URL": database_url, "FRIDAY_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as killed:
        until(lambda: recorded(engine), 60, "a page on record")
        killed.kill()
    kept = recorded(engine)

    code, output, _ = friday("import", kind, file, "--json")

    assert code == 0
    assert 0 < kept < every
    assert recorded(engine) == every == kept + sum(one["new"] for one in json.loads(output))


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def damaged(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("make", [zipped_bars, zipped_sales])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(cut_short, "is a zip that was cut short"), (damaged, "cannot read")],
)
def test_a_zip_that_did_not_arrive_whole_is_refused(
    friday, engine, tmp_path, *, make, spoil, reason
):
    kind, file, _ = make(tmp_path)

    code, _, said = friday("import", kind, spoil(file))

    assert (code, recorded(engine)) == (2, 0)
    assert reason in said.splitlines()[-1]
    assert str(file) in said.splitlines()[-1]


@pytest.mark.parametrize("make", [plain_bars, zipped_bars, plain_sales, zipped_sales])
def test_a_file_of_another_market_is_refused_with_what_it_holds(friday, engine, tmp_path, make):
    kind, file, _ = make(tmp_path)

    code, _, said = friday("import", kind, file, "--symbol", "ETH/USD")

    assert (code, recorded(engine)) == (2, 0)
    assert said.startswith(f"{file} holds ")
    assert "XRP/USD" in said
    assert said.endswith("and nothing of ETH/USD\n")


@pytest.mark.parametrize("make", [plain_bars, plain_sales])
def test_a_file_cut_within_its_last_line_is_refused(friday, engine, tmp_path, make):
    kind, file, _ = make(tmp_path)
    file.write_bytes(file.read_bytes()[:-1])

    code, _, said = friday("import", kind, file)

    assert (code, recorded(engine)) == (2, 0)
    assert said.splitlines()[-1].startswith(f"{file} seems cut short within its last line, '16")


def test_a_dump_of_trades_is_no_dump_of_bars(friday, engine, tmp_path):
    bars, sales = dump_of(tmp_path / "XRPUSD_1.csv", range(3)), sales_of(tmp_path / "s", range(3))
    explained = ("--symbol", "XRP/USD", "--interval-seconds", "60")

    as_bars = friday("import", "kraken-ohlcvt", sales, *explained)
    as_sales = friday("import", "kraken-trades", bars)

    assert (as_bars[0], as_sales[0], recorded(engine)) == (2, 2, 0)
    assert "expected 7 fields, found 3" in as_bars[2]
    assert "expected 3 fields, found 7" in as_sales[2]


def test_gaps_tells_what_is_wrong_and_what_could_mend_it(friday, engine):
    bars = [flat(n, volume="0" if 20 <= n < 25 else "1") for n in range(100) if n not in {7, 8, 50}]
    write(engine, bars)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE market.price_bars SET volume = 'NaN' WHERE start = :at"),
            {"at": MIDNIGHT + 60 * MINUTE},
        )
        connection.execute(
            text("UPDATE market.price_bars SET start = start + interval '7 s' WHERE start = :at"),
            {"at": MIDNIGHT + 70 * MINUTE},
        )

    code, output, _ = friday("gaps", "XRP/USD", "--from", "2026-01-01")
    exact = json.loads(friday("gaps", "XRP/USD", "--from", "2026-01-01", "--json")[1])

    found = [(one["kind"], one["from"][11:16], one["bars"]) for one in exact["found"]]
    assert code == 0
    assert found == [
        ("impossible", "01:00", 1),
        ("off the grid", "01:10", 1),
        ("gap", "00:07", 2),
        ("gap", "00:50", 1),
        ("gap", "01:10", 1),
        ("zero volume", "00:20", 5),
    ]
    assert exact["sources"] == {"test": 97}
    assert "friday ingest XRP/USD --interval-seconds 60 --from 2026-01-01T00:07:00" in output
    assert "delete them, then friday ingest" in output
    assert [one["mended_by"] for one in exact["found"]][1] == "delete them"
    assert "5 without a trade" in output


@pytest.mark.parametrize(
    ("symbol", "source", "provider"),
    [
        ("XRP/USD", "csv", None),
        ("XRP/USD", "live", None),
        ("BTC/USD", "alpaca", "alpaca"),
        ("AAPL", "csv", "alpaca"),
    ],
)
def test_gaps_names_the_command_that_mends_one(friday, engine, symbol, source, provider):
    with Session(engine) as session, session.begin():
        record_bars(session, [flat(n, symbol=symbol) for n in (0, 2)], source)

    found = json.loads(friday("gaps", symbol, "--from", "2026-01-01", "--json")[1])["found"]
    empty = friday("gaps", symbol, "--interval-seconds", "3600")

    words = found[0]["mended_by"].split(" (")[0].split()
    span = ["--from", "2026-01-01T00:01:00", "--to", "2026-01-01T00:02:00"]
    assert ("Kraken" in found[0]["mended_by"]) == (provider is None)
    other = [] if provider is None else ["--provider", provider]
    assert words == ["friday", "ingest", symbol, "--interval-seconds", "60", *span, *other]
    assert (empty[0], f"there is no bar of {symbol} of 1:00:00" in empty[2]) == (1, True)


def test_gaps_of_no_time_is_wrong_usage(friday, engine):
    write(engine, [flat(0)])

    code, output, said = friday("gaps", "XRP/USD", "--from", "2026-02-01")

    assert (code, output) == (2, "")
    assert "the bars of XRP/USD on record end at 2026-01-01 00:01" in said


def test_gaps_says_that_nothing_is_wrong(friday, engine):
    write(engine, [flat(n) for n in range(10)])

    code, output, _ = friday("gaps", "XRP/USD", "--from", "2026-01-01")

    assert code == 0
    assert "no bar is missing or wrong" in output
    assert "10 bars on record" in output


def test_gaps_finds_a_day_in_another_zone(friday, engine):
    random = np.random.default_rng(11)
    shared = random.standard_t(4, 6 * 96) * 0.002
    for symbol in ("XRP/USD", "DOGE/USD", "BTC/USD"):
        closes = np.exp(np.cumsum(shared + 0.3 * 0.002 * random.standard_t(4, 6 * 96)))
        if symbol == "XRP/USD":
            closes[192:288] = closes[192 + 20 : 288 + 20]
        bars = (
            flat(n, f"{close:.8f}", symbol=symbol, interval=QUARTER)
            for n, close in enumerate(closes)
        )
        write(engine, bars)

    asked = ("gaps", "XRP/USD", "--interval-seconds", "900", "--from", "2026-01-01", "--json")
    found = json.loads(friday(*asked)[1])["found"]

    (shift,) = found
    assert shift["kind"] == "wrong zone"
    assert (shift["from"], shift["bars"]) == ((MIDNIGHT + 2 * DAY).isoformat(), 96)
    assert "5 hours later" in shift["why"]


def test_progress_is_a_line_a_tenth_where_there_is_no_terminal(capsys):
    with progress.shown("work", 50, terminal=False) as tell:
        for done in range(51):
            tell(done)

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"  work: {n} %" for n in range(10, 101, 10)]


def test_progress_is_a_bar_in_a_terminal(capsys):
    with progress.shown("work", 50, terminal=True) as tell:
        tell(25)

    assert "work" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["kraken-ohlcvt", "kraken-trades"])
def test_a_dump_without_a_line_is_refused(friday, tmp_path, kind):
    empty = tmp_path / "XRPUSD_1.csv"
    empty.touch()

    code, output, complaint = friday("import", kind, empty)

    assert (code, output, complaint) == (2, "", f"{empty} holds no line\n")
