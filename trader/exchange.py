"""The exchange over REST, through ccxt: signing and transport are ccxt's, the reading ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

import ccxt

from market import catalogue
from market.errors import ExchangeRefused, ExchangeUnreachable
from market.world import REAL, World
from trader import answers
from trader.answers import Answer
from trader.errors import OutcomeUnknown
from trader.orders import Accepted, LostTrack, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal

    from market.instruments import Instrument
    from trader.orders import ListedFill, ListedOrder, Order
    from trader.settings import ExchangeSettings

TIMEOUT = timedelta(seconds=10)
PAGE = 50


def wall_clock() -> datetime:
    """Return this machine's time."""
    return datetime.now(UTC)


class Exchange:
    """Our account at the exchange; one at a time asks, in the order of its nonces.

    `clock` gives the exchange's time for events that carry none of their own.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        *,
        clock: Callable[[], datetime] = wall_clock,
        world: World = REAL,
    ) -> None:
        """Prepare to ask; nothing is sent yet."""
        self._clock, self._world = clock, world
        self._interval = settings.request_interval_seconds
        self._lock = Lock()
        self._asked = float("-inf")
        self._answer = Answer(status=None, text="")
        self._symbols: dict[str, str] = {}
        self._client = ccxt.kraken(
            {
                "urls": {"api": {"public": settings.rest_url, "private": settings.rest_url}},
                "session": world.http(),
                "enableRateLimit": False,
                "timeout": int(TIMEOUT.total_seconds() * 1000),
                "apiKey": settings.api_key.get_secret_value() if settings.api_key else None,
                "secret": settings.api_secret.get_secret_value() if settings.api_secret else None,
            }
        )
        self._client.milliseconds = world.milliseconds
        self._client.on_rest_response = self._hear
        self._client.handle_errors = lambda *_: None

    @property
    def has_key(self) -> bool:
        """Whether private questions can be asked at all."""
        return bool(self._client.apiKey and self._client.secret)

    def time(self) -> datetime:
        """Return the exchange's time, in whole seconds."""
        return answers.moment(self._ask("publicGetTime")["unixtime"])

    def status(self) -> str:
        """Return what the exchange is open for: online, post_only, cancel_only, maintenance."""
        return str(self._ask("publicGetSystemStatus")["status"])

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """Return the markets asked for, with this account's fees if there is a key.

        Raises:
            ExchangeRefused: A symbol is not traded there.
        """
        pairs = self._pairs()
        known = {i.symbol: i.exchange_id for i in catalogue.instruments(pairs, {})}
        if missing := [symbol for symbol in symbols if symbol not in known]:
            raise ExchangeRefused(f"the exchange does not trade {', '.join(missing)}")
        wanted = [known[symbol] for symbol in symbols]
        fees = self._ask("privatePostTradeVolume", pair=",".join(wanted)) if self.has_key else {}
        return catalogue.instruments({pair: pairs[pair] for pair in wanted}, fees)

    def place(self, order: Order) -> Accepted | Rejected | LostTrack:
        """Send an order once, and say only what the answer proves.

        The order must have been written down and committed before.
        """
        instrument = self._exchange_id(order.symbol)
        answer = self._send(
            "privatePostAddOrder",
            pair=instrument,
            type=order.side.value,
            ordertype="limit",
            volume=f"{order.quantity.normalize():f}",
            price=f"{order.limit.normalize():f}",
            timeinforce=order.time_in_force.upper(),
            oflags="fciq,post" if order.rests else "fciq",
            cl_ord_id=order.id,
            deadline=_rfc3339(order.deadline),
        )
        try:
            return Accepted(at=self._clock(), exchange_id=answers.read_order(answer))
        except ExchangeRefused as refused:
            return Rejected(at=self._clock(), reason=str(refused))
        except OutcomeUnknown as unknown:
            return LostTrack(at=self._clock(), reason=str(unknown))

    def amend(self, order: Order, limit: Decimal, deadline: datetime) -> bool:
        """Move a resting order to another price; return whether it was moved.

        Raises:
            ExchangeUnreachable: Nothing proves whether it was.
        """
        answer = self._send(
            "privatePostAmendOrder",
            cl_ord_id=order.id,
            limit_price=f"{limit.normalize():f}",
            post_only="true",
            deadline=_rfc3339(deadline),
        )
        return answers.read_amend(answer)

    def arm(self, timeout: timedelta) -> None:
        """Have every order cancelled unless this is asked again in time; zero disarms.

        Raises:
            ExchangeUnreachable: Nothing proves that it was heard.
        """
        self._ask("privatePostCancelAllOrdersAfter", timeout=int(timeout.total_seconds()))

    def cancel(self, client_order_id: str) -> bool:
        """Cancel an order by our id; return whether it was open.

        Raises:
            ExchangeUnreachable: Nothing proves whether it was.
        """
        return answers.read_cancel(self._send("privatePostCancelOrder", cl_ord_id=client_order_id))

    def cancel_all(self) -> int:
        """Cancel every open order of the account and return how many there were.

        Raises:
            ExchangeUnreachable: Nothing proves that it was heard; asking again is safe.
        """
        return int(self._ask("privatePostCancelAll")["count"])

    def find(self, client_order_id: str, since: datetime) -> list[ListedOrder]:
        """Return every order, open or closed, that was opened under our id since a time."""
        start = _seconds(since)
        opened = self._ask("privatePostOpenOrders", cl_ord_id=client_order_id)["open"]
        closed = self._pages(
            "privatePostClosedOrders", "closed", cl_ord_id=client_order_id, start=start
        )
        found = {order.exchange_id: order for order in self._orders([*opened.items(), *closed])}
        return [
            order
            for order in found.values()
            if order.client_order_id == client_order_id and order.opened_at >= since
        ]

    def open_orders(self) -> list[ListedOrder]:
        """Return every order that rests on the exchange's books for this account."""
        return self._orders(self._ask("privatePostOpenOrders")["open"].items())

    def closed_orders(self, since: datetime) -> list[ListedOrder]:
        """Return the orders that were opened or closed since a time and are closed now."""
        rows = self._pages("privatePostClosedOrders", "closed", start=_seconds(since))
        return self._orders(rows)

    def fills_since(self, at: datetime) -> list[ListedFill]:
        """Return this account's trades since a time, oldest first."""
        self._learn_symbols()
        rows = dict(self._pages("privatePostTradesHistory", "trades", start=_seconds(at)))
        fills = [answers.listed_fill(key, row, self._symbols) for key, row in rows.items()]
        return sorted(fills, key=lambda listed: (listed.fill.at, listed.fill.exec_id))

    def balances(self) -> dict[str, Decimal]:
        """Return what the account holds in total, by asset, exactly as stated."""
        rows = self._ask("privatePostBalanceEx")
        return {
            catalogue.asset_name(raw): answers.exact(row["balance"]) for raw, row in rows.items()
        }

    def websocket_token(self) -> str:
        """Return a fresh token for the private websocket; it must be used within minutes.

        Raises:
            ExchangeUnreachable: The answer holds none.
        """
        match self._ask("privatePostGetWebSocketsToken"):
            case {"token": str(token)}:
                return token
        raise ExchangeUnreachable("the exchange's answer holds no token")

    def _pairs(self) -> dict[str, Any]:
        pairs: dict[str, Any] = self._ask("publicGetAssetPairs")
        for instrument in catalogue.instruments(pairs, {}):
            row = pairs[instrument.exchange_id]
            for name in (instrument.exchange_id, row["altname"], row["wsname"], instrument.symbol):
                self._symbols[name] = instrument.symbol
        return pairs

    def _learn_symbols(self) -> None:
        if not self._symbols:
            self._pairs()

    def _exchange_id(self, symbol: str) -> str:
        self._learn_symbols()
        return next(name for name, known in self._symbols.items() if known == symbol)

    def _orders(self, rows: Any) -> list[ListedOrder]:
        self._learn_symbols()
        return [answers.listed_order(key, row, self._symbols) for key, row in rows]

    def _pages(self, method: str, name: str, **params: Any) -> Iterator[tuple[str, Any]]:
        offset = 0
        while True:
            rows = self._ask(method, **params, ofs=offset)[name]
            yield from rows.items()
            offset += len(rows)
            if len(rows) < PAGE:
                return

    def _ask(self, method: str, **params: Any) -> Any:
        with self._lock:
            if (rest := self._asked + self._interval - self._world.monotonic()) > 0:
                self._world.sleep(rest)
            self._asked = self._world.monotonic()
            answer = self._exchange_words(method, params)
        return answers.read(answer)

    def _send(self, method: str, **params: Any) -> Answer:
        with self._lock:
            return self._exchange_words(method, params)

    def _exchange_words(self, method: str, params: dict[str, Any]) -> Answer:
        if method.startswith("private") and not self.has_key:
            raise ExchangeRefused("KRAKEN_API_KEY and KRAKEN_API_SECRET are not both set")
        self._answer = Answer(status=None, text="")
        try:
            getattr(self._client, method)(params)
        except ccxt.BaseError as error:
            if self._answer.status is None:
                return Answer(status=None, text=f"no answer: {type(error).__name__}: {error}")
        return self._answer

    def _hear(self, code: int, _reason: str, _url: str, _method: str, *rest: Any) -> str:
        text = str(rest[1])
        self._answer = Answer(status=code, text=text)
        return text.strip()


def _seconds(at: datetime) -> int:
    return int(at.timestamp()) - 1  # the exchange leaves out what happened at `start` itself


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
