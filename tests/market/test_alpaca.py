"""Alpaca's recorded answers are read exactly, page by page, and its failures are told apart."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from alpaca_server import KEY, SECRET, recorded, serving, settings
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from market import alpaca
from market.alpaca import AlpacaData
from market.errors import ExchangeRefused, ExchangeUnreachable
from market.ingestion import fill
from market.option_record import record_quotes
from market.options import contract
from market.providers import Wanted
from market.settings import AlpacaSettings
from market.world import REAL
from sql.tables import OptionQuoteRow

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EMPTY = {"bars": {}, "next_page_token": None}


def at(text):
    return datetime.fromisoformat(text)


def bars_of(data, symbol, interval, start, end):
    return [bar for page in data.bars(symbol, interval, at(start), at(end)) for bar in page]


def test_pages_of_stock_bars_follow_their_token():
    path, first = recorded("stock__get_bars")
    later = {"t": "2022-02-03T05:00:00Z", "o": 1.1, "h": 2, "l": 1, "c": 2, "v": 3, "n": 4}
    second = {"bars": {"AAPL": [later]}, "next_page_token": None}

    with serving(first, second) as (found, asked):
        bars = bars_of(
            AlpacaData(found), "AAPL", DAY, "2022-02-01T00:00:00Z", "2022-03-01T00:00:00Z"
        )

    assert [bar.start for bar in bars] == [at(f"2022-02-0{n}T05:00:00Z") for n in (1, 2, 3)]
    assert (bars[0].high, bars[0].volume, bars[0].trades) == (Decimal("174.84"), 85998033, 732412)
    assert bars[2].open == Decimal("1.1")
    assert {one[0] for one in asked} == {path}
    assert "page_token" not in asked[0][1]
    assert asked[1][1]["page_token"] == first["next_page_token"]
    assert (asked[0][1]["symbols"], asked[0][1]["timeframe"]) == ("AAPL", "1Day")
    assert (asked[0][1]["feed"], asked[0][1]["start"]) == ("iex", "2022-02-01T00:00:00Z")
    assert asked[0][2]["APCA-API-KEY-ID"] == KEY
    assert asked[0][2]["APCA-API-SECRET-KEY"] == SECRET


@pytest.mark.parametrize(
    ("name", "symbol", "close"),
    [
        ("crypto__get_crypto_bars", "ETH/USD", "858.97"),
        ("stock__multisymbol_get_bars", "TSLA", "858.97"),
        ("option__multisymbol_get_bars", "SPY240426C00555000", "0.21"),
    ],
)
def test_bars_of_every_kind_of_symbol_are_asked_for_where_they_are(name, symbol, close):
    path, answer = recorded(name)

    with serving(answer) as (found, asked):
        bars = bars_of(
            AlpacaData(found), symbol, HOUR, "2022-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
        )

    assert [bar.close for bar in bars] == [Decimal(close)]
    assert asked[0][0] == path


@pytest.mark.parametrize(
    "name",
    [
        "stock__get_bars_multi_empty_response",
        "stock__get_bars_single_empty_response",
        "option__get_bars_multi_empty_response",
    ],
)
def test_no_bars_are_no_bars(name):
    with serving(recorded(name)[1]) as (found, _):
        assert (
            bars_of(AlpacaData(found), "AAPL", HOUR, "2022-01-01T00:00:00Z", "2022-01-02T00:00:00Z")
            == []
        )


@pytest.mark.parametrize(
    ("name", "symbol", "close"),
    [
        ("stock__stock_latest_bar", "SPY", "392.18"),
        ("stock__multi_stock_latest_bar", "TSLA", "776.63"),
        ("crypto__crypto_latest_bar", "BTC/USD", "29003"),
    ],
)
def test_the_latest_bar_is_that_of_a_minute(name, symbol, close):
    path, answer = recorded(name)

    with serving(answer) as (found, asked):
        bar = AlpacaData(found).latest_bar(symbol)

    assert (bar.close, bar.interval, asked[0][0]) == (Decimal(close), MINUTE, path)


def test_without_a_latest_bar_there_is_none():
    with serving(recorded("stock__stock_latest_bar_multi_empty_response")[1]) as (found, _):
        assert AlpacaData(found).latest_bar("SPY") is None


def test_a_chain_has_quotes_trades_and_greeks():
    _, answer = recorded("option__get_option_chain")

    with serving(answer) as (found, asked):
        ((quote,),) = AlpacaData(found).option_chain("AAPL")

    assert asked[0][0] == "/v1beta1/options/snapshots/AAPL"
    assert asked[0][1]["feed"] == "indicative"
    assert quote.contract == contract("AAPL240503P00155000")
    assert (quote.contract.expires_on, quote.contract.kind) == (date(2024, 5, 3), "put")
    assert (quote.bid, quote.ask, quote.bid_size) == (Decimal("0.32"), Decimal("0.35"), 73)
    assert quote.quoted_at == at("2024-04-25T20:00:00.259610Z")
    assert quote.delta == -0.06962352623019707
    assert quote.implied_volatility == 0.4584478444465036
    assert (quote.last_price, quote.last_at) == (Decimal("0.34"), at("2024-04-25T19:58:16.034908Z"))


def test_a_snapshot_without_greeks_or_trade_has_none():
    with serving(recorded("option__get_snapshot_latest_quote_only")[1]) as (found, _):
        ((quote,),) = AlpacaData(found).option_chain("AAPL")

    assert (quote.delta, quote.implied_volatility, quote.last_price) == (None, None, None)
    assert quote.ask == Decimal("0.59")


def test_a_quote_is_recorded_once_and_exactly(engine):
    with serving(recorded("option__get_option_chain")[1]) as (found, _):
        (page,) = AlpacaData(found).option_chain("AAPL")
    later = replace(page[0], quoted_at=page[0].quoted_at + MINUTE, bid=None, delta=None)

    with Session(engine) as session:
        written = [record_quotes(session, page, "alpaca-indicative") for _ in range(2)]
        written += [record_quotes(session, [later], "x"), record_quotes(session, [], "x")]
        rows = list(session.scalars(select(OptionQuoteRow).order_by(OptionQuoteRow.quoted_at)))

    assert written == [1, 0, 1, 0]
    assert (rows[0].contract, rows[0].underlying) == ("AAPL240503P00155000", "AAPL")
    assert (rows[0].strike, rows[0].bid, rows[0].source) == (155, page[0].bid, "alpaca-indicative")
    assert (rows[0].vega, rows[1].bid, rows[1].delta) == (page[0].vega, None, None)


def test_holes_are_filled_from_alpaca_once(engine):
    _, answer = recorded("option__multisymbol_get_bars")
    wanted = Wanted(
        symbol="SPY240426C00550000",
        interval=HOUR,
        start=at("2024-03-12T12:00:00Z"),
        end=at("2024-03-12T16:00:00Z"),
    )

    with serving(answer) as (found, asked):
        source = alpaca.provider(AlpacaData(found))
        first = fill(engine, source, wanted, distance=10_000 * HOUR)
        second = fill(engine, source, wanted, distance=10_000 * HOUR)

    assert (first.new, first.bars, second.new) == (2, 2, 0)
    assert [gap[0].hour for gap in first.gaps] == [12, 15]
    assert len(asked) == 2


def test_bars_that_start_where_ours_do_not_are_refused():
    _, answer = recorded("stock__get_bars")
    wanted = Wanted(symbol="AAPL", interval=DAY, start=at("2022-02-01T00:00:00Z"))

    with serving(answer) as (found, _), pytest.raises(ExchangeRefused, match="05:00 UTC"):
        list(alpaca.provider(AlpacaData(found))(replace(wanted, end=at("2022-03-01T00:00:00Z"))))


def asked_once(found, world=REAL):
    return bars_of(
        AlpacaData(found, world=world), "SPY", HOUR, "2022-01-01T00:00:00Z", "2022-01-02T00:00:00Z"
    )


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:20 GMT"}, 20),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 33)}, 33),
        ({"Retry-After": "soon"}, 90),
        ({"Retry-After": "86400"}, 90),
        ({}, 90),
    ],
)
def test_a_limit_is_waited_out(headers, waited):
    rests = []
    world = replace(REAL, sleep=rests.append, milliseconds=lambda: int(NOW.timestamp() * 1000))

    with serving((429, headers, ""), EMPTY) as (found, asked):
        assert asked_once(found, world) == []

    assert (rests, len(asked)) == ([waited], 2)


def test_a_limit_that_does_not_lift_is_said():
    world = replace(REAL, sleep=lambda _: None)

    with serving((429, {}, "")) as (found, asked), pytest.raises(ExchangeUnreachable) as raised:
        asked_once(found, world)

    assert "limit" in str(raised.value)
    assert len(asked) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_key_is_one_sentence_without_the_key(status):
    body = {"message": f"forbidden for {KEY} and {SECRET}"}

    with serving((status, {}, body)) as (found, _), pytest.raises(ExchangeRefused) as raised:
        asked_once(found)

    said = str(raised.value)
    assert "APCA_API_KEY_ID" in said
    assert KEY not in said + repr(found)
    assert SECRET not in said + repr(found)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, {}, ""), ExchangeUnreachable),
        ((200, {}, "<html>"), ExchangeUnreachable),
        ((200, {}, "[]"), ExchangeUnreachable),
        ((400, {}, {"message": "invalid symbol"}), ExchangeRefused),
        ((302, {"Location": "http://127.0.0.1:9/"}, ""), ExchangeRefused),
        ({"bars": {"SPY": [{"t": "soon"}]}}, ExchangeRefused),
        ({"bars": [1]}, ExchangeRefused),
        ({}, ExchangeRefused),
        ({"bars": {"SPY": []}, "next_page_token": "again"}, ExchangeRefused),
    ],
)
def test_answers_that_are_none_are_told_apart(answer, kind):
    with serving(answer) as (found, _), pytest.raises(kind):
        asked_once(found)


def test_a_network_that_is_away_may_come_back():
    with pytest.raises(ExchangeUnreachable, match="did not answer"):
        asked_once(settings("http://127.0.0.1:9"))


@pytest.mark.parametrize(("key", "url"), [("", None), ("a\nb", None), (KEY, "http://else.where")])
def test_settings_that_cannot_be_right_are_refused(monkeypatch, key, url):
    monkeypatch.setenv("APCA_API_KEY_ID", key)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    if url:
        monkeypatch.setenv("APCA_API_DATA_URL", url)

    with pytest.raises(ValidationError) as raised:
        AlpacaSettings()

    assert SECRET not in str(raised.value)


def test_what_is_no_contract_is_refused():
    with pytest.raises(ValueError, match="no option contract"):
        contract("AAPL")
    with pytest.raises(ValueError, match="no latest bar"):
        AlpacaData(settings("http://127.0.0.1:9")).latest_bar("AAPL240503P00155000")


@pytest.mark.parametrize("interval", [timedelta(seconds=30), timedelta(minutes=61), 2 * DAY])
def test_a_length_that_alpaca_has_not_is_refused(interval):
    with pytest.raises(ValueError, match="Alpaca has no bars"):
        bars_of(
            AlpacaData(settings("http://127.0.0.1:9")),
            "SPY",
            interval,
            "2022-01-01T00:00:00Z",
            "2022-01-02T00:00:00Z",
        )
