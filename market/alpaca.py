"""Alpaca's market data over REST: bars of stocks, crypto and options, and option chains."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests

from market import alpaca_messages as messages
from market.bars import interval_start
from market.errors import ExchangeRefused, ExchangeUnreachable
from market.providers import Page
from market.world import REAL, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from market.bars import Bar
    from market.options import OptionQuote
    from market.providers import Provider, Wanted
    from market.settings import AlpacaSettings

BARS_A_PAGE = 10_000
CONTRACTS_A_PAGE = 1_000
TIMEOUT = 10.0  # seconds
PATIENCE = 3  # times that a limit is waited out
LONGEST_WAIT = 90.0  # seconds; limits are by the minute
SERVER_ERROR = 500  # and above
MOST_SAID = 200  # characters of an answer that a sentence takes
Answer = TypeVar("Answer")


class AlpacaData:
    """Ask Alpaca what happened in its markets, no faster than it allows.

    Every method may raise ExchangeUnreachable (no answer, or the limit of requests does not
    lift: ask again later) and ExchangeRefused (a bad key, or a question it does not like).
    """

    def __init__(self, settings: AlpacaSettings, *, world: World = REAL) -> None:
        self._settings = settings
        self._world = world
        self._asked = float("-inf")
        self._http = world.http()
        self.requests = 0

    def now(self) -> datetime:
        """Return this machine's time; Alpaca's data tells none."""
        return datetime.fromtimestamp(self._world.milliseconds() / 1000, UTC)

    def source(self, symbol: str) -> str:
        """Return the word for where a symbol's bars are from that goes on record."""
        return "-".join(("alpaca", *self._feed(symbol).values()))

    def bars(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> Iterator[list[Bar]]:
        """Yield pages of the bars that start from `start` on and before `end`, oldest first.

        Raises:
            ValueError: Alpaca has no bars of this length.
        """
        question = {
            "symbols": symbol,
            "timeframe": messages.timeframe(interval),
            "start": _zulu(start),
            "end": _zulu(end - timedelta(seconds=1)),
            "limit": str(BARS_A_PAGE),
            "sort": "asc",
            **self._feed(symbol),
        }
        yield from self._pages(
            messages.bars_path(symbol),
            question,
            lambda answer: [
                messages.bar(symbol, interval, row)
                for row in (answer["bars"] or {}).get(symbol) or []
            ],
        )

    def latest_bar(self, symbol: str) -> Bar | None:
        """Return the latest bar of a minute, or None if there is none.

        Raises:
            ValueError: It is an option contract, of which Alpaca tells none.
        """
        question = {"symbols": symbol, **self._feed(symbol)}

        def read(answer: dict[str, Any]) -> Bar | None:
            row = (answer["bars"] or {}).get(symbol)
            return None if row is None else messages.bar(symbol, messages.MINUTE, row)

        return self._read(self._get(messages.latest_path(symbol), question), read)

    def option_chain(self, underlying: str) -> Iterator[list[OptionQuote]]:
        """Yield pages of what the contracts on a stock are quoted at, without the unquoted."""
        question = {"feed": self._settings.option_feed, "limit": str(CONTRACTS_A_PAGE)}

        def read(answer: dict[str, Any]) -> list[OptionQuote]:
            snapshots = (answer["snapshots"] or {}).items()
            quotes = (messages.option_quote(symbol, told) for symbol, told in snapshots)
            return [one for one in quotes if one is not None]

        path = f"/v1beta1/options/snapshots/{quote(underlying, safe='')}"
        yield from self._pages(path, question, read)

    def _feed(self, symbol: str) -> dict[str, str]:
        stock = messages.bars_path(symbol).startswith("/v2/stocks")
        return {"feed": self._settings.stock_feed} if stock else {}

    def _pages(
        self,
        path: str,
        question: dict[str, str],
        read: Callable[[dict[str, Any]], list[Answer]],
    ) -> Iterator[list[Answer]]:
        token: str | None = None
        while True:
            answer = self._get(
                path, question if token is None else question | {"page_token": token}
            )
            yield self._read(answer, read)
            following = answer.get("next_page_token")
            if not following:
                return
            if following == token:
                raise ExchangeRefused("Alpaca sent the same page twice")
            token = following

    def _read(self, answer: dict[str, Any], read: Callable[[dict[str, Any]], Answer]) -> Answer:
        try:
            return read(answer)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            said = str(error) if type(error) is ValueError else repr(error)
            raise ExchangeRefused(f"Alpaca sent what makes no sense: {said:.200}") from None

    def _get(self, path: str, question: dict[str, str]) -> dict[str, Any]:
        for _ in range(PATIENCE):
            response = self._ask(path, question)
            if response.status_code != requests.codes.too_many_requests:
                return self._answer(response)
            self._world.sleep(self._rest(response))
        raise ExchangeUnreachable("Alpaca's limit of requests is used up; run it again later")

    def _ask(self, path: str, question: dict[str, str]) -> requests.Response:
        pause = self._settings.request_interval_seconds
        if (rest := self._asked + pause - self._world.monotonic()) > 0:
            self._world.sleep(rest)
        self._asked = self._world.monotonic()
        self.requests += 1
        headers = {
            "APCA-API-KEY-ID": self._settings.api_key_id.get_secret_value(),
            "APCA-API-SECRET-KEY": self._settings.api_secret_key.get_secret_value(),
        }
        try:
            return self._http.get(
                self._settings.api_data_url + path,
                params=question,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,  # or the key would go wherever it points
            )
        except requests.RequestException as error:
            raise ExchangeUnreachable(f"Alpaca did not answer: {type(error).__name__}") from None

    def _rest(self, response: requests.Response) -> float:
        """Return how many seconds to wait, by the answer's headers."""
        now = self.now()
        seconds = LONGEST_WAIT
        if after := response.headers.get("Retry-After"):
            seconds = _seconds(after, now)
        elif reset := response.headers.get("X-RateLimit-Reset"):
            seconds = _seconds(reset, now) - now.timestamp()
        return min(max(seconds, 1.0), LONGEST_WAIT)

    def _answer(self, response: requests.Response) -> dict[str, Any]:
        status = response.status_code
        if status in {requests.codes.unauthorized, requests.codes.forbidden}:
            raise ExchangeRefused(
                "Alpaca refused the key in APCA_API_KEY_ID and APCA_API_SECRET_KEY, or its "
                f"subscription does not cover this{self._said(response)}"
            )
        if status >= SERVER_ERROR:
            raise ExchangeUnreachable(f"Alpaca cannot answer (status {status})")
        if status != requests.codes.ok:
            raise ExchangeRefused(f"Alpaca refused a question ({status}){self._said(response)}")
        try:
            answer = json.loads(response.text, parse_float=Decimal)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ExchangeUnreachable("Alpaca answered with something that is not JSON")
        return answer

    def _said(self, response: requests.Response) -> str:
        try:
            said = str(json.loads(response.text)["message"])
        except (ValueError, KeyError, TypeError):
            return ""
        for secret in (self._settings.api_key_id, self._settings.api_secret_key):
            said = said.replace(secret.get_secret_value(), "***")
        return f": {said[:MOST_SAID]}"


def provider(data: AlpacaData) -> Provider:
    """Return what yields a market's bars; minutes without a trade are left out, as Alpaca does.

    Raises, as it is asked:
        ExchangeRefused: The bars do not start where ours do, as the days of a stock, which
            start at midnight in New York.
    """

    def pages(wanted: Wanted) -> Iterator[Page]:
        for bars in data.bars(wanted.symbol, wanted.interval, wanted.start, wanted.end):
            for bar in bars:
                if interval_start(bar.start, bar.interval) != bar.start:
                    raise ExchangeRefused(
                        f"Alpaca's bars of {bar.interval} start at {bar.start:%H:%M} UTC, where "
                        "none of ours does; shorter ones fit"
                    )
            yield Page(bars, data.source(wanted.symbol))

    return pages


def _zulu(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _seconds(text: str, now: datetime) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(text) - now).total_seconds()
    except (TypeError, ValueError):
        return LONGEST_WAIT
