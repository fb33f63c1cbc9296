"""The exchange's private protocol (WebSocket v2): what happens to our orders and balances.

Nothing here opens a socket, sleeps or reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

import msgspec

from market.instruments import LARGEST, Side
from streams import wire
from streams.errors import FeedBroken
from streams.events import AccountEvent, BalanceChanged, CaughtUp, ExecutionReport, SystemStatus
from streams.feed import PATIENCE, PING_EVERY, SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANNELS = ("executions", "balances")


@dataclass(slots=True)
class ExecutionFeed:
    """Turn the exchange's private messages into events, for one connection.

    Every channel numbers its messages; one that is missing breaks the feed, since a fill
    may have been in it. Once broken it stays broken: the caller reconnects, with a new
    token, and reconciles.
    """

    token: str = field(repr=False)
    heard: float
    _sequences: dict[str, int] = field(default_factory=dict, init=False)
    _outbox: list[str] = field(default_factory=list, init=False, repr=False)
    _caught_up: bool = field(default=False, init=False)
    _broken: bool = field(default=False, init=False)
    _began: float = field(default=0.0, init=False)
    _pinged: float = field(default=0.0, init=False)
    _request: int = field(default=len(CHANNELS), init=False)

    def __post_init__(self) -> None:
        self._began = self._pinged = self.heard
        for request_id, channel in enumerate(CHANNELS, 1):
            self._outbox.append(wire.private_request(channel, self.token, request_id))

    def receive(self, text: str | bytes, at: float) -> list[AccountEvent]:
        """Take one message from the network and return the events it holds.

        Args:
            text: The message.
            at: When it arrived, in seconds of a clock that never goes back.

        Raises:
            FeedBroken: The message makes no sense, or one before it is missing.
        """
        if self._broken:
            self._break("already broken; reconnect with a new feed")
        self.heard = at
        try:
            return self._read(wire.read(text))
        except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
            self._break(f"a message of no known shape: {text[:120]!r} ({error})")

    def tick(self, now: float) -> None:
        """Break the feed if the exchange has been silent too long; else keep it awake.

        Raises:
            FeedBroken: Nothing was heard for SILENCE seconds, or a channel's snapshot
                did not come within PATIENCE.
        """
        if now - self.heard > SILENCE:
            self._break(f"silent for {now - self.heard:.0f} seconds")
        if not self._caught_up and now - self._began > PATIENCE:
            missing = ", ".join(c for c in CHANNELS if c not in self._sequences)
            self._break(f"no snapshot of {missing} came")
        if now - self._pinged >= PING_EVERY:
            self._pinged = now
            self._request += 1
            self._outbox.append(wire.ping(self._request))

    def to_send(self) -> list[str]:
        """Hand over the text waiting to be sent, oldest first."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def _read(self, message: wire.Message) -> list[AccountEvent]:
        match message.channel:
            case "executions" | "balances" if message.method is None:
                return self._account(message)
            case "heartbeat":
                return []
            case "status":
                return [SystemStatus(status=row.system) for row in wire.statuses(message)]
        if message.method is None:
            complaint = message.error or f"channel {message.channel}, which nobody asked for"
            self._break(f"the exchange complains: {complaint}")
        if message.method == "subscribe" and message.success is False:
            self._break(f"the exchange refused a subscription: {message.error}")
        return []

    def _account(self, message: wire.Message) -> list[AccountEvent]:
        assert message.channel is not None
        self._check_sequence(message.channel, message.sequence)
        snapshot = message.type == "snapshot"
        events: Iterable[AccountEvent]
        if message.channel == "executions":
            events = [_report(row, snapshot=snapshot) for row in wire.executions(message)]
        else:
            events = [_balance(row, snapshot=snapshot) for row in wire.balances(message)]
        if not self._caught_up and len(self._sequences) == len(CHANNELS):
            self._caught_up = True
            return [*events, CaughtUp()]
        return list(events)

    def _check_sequence(self, channel: str, sequence: int | None) -> None:
        expected = self._sequences.get(channel, 0) + 1
        if sequence != expected:
            self._break(f"expected message {expected} of {channel}, received {sequence}")
        self._sequences[channel] = expected

    def _break(self, reason: str) -> NoReturn:
        self._broken = True
        raise FeedBroken(reason)


def _report(row: wire.ExecutionRow, *, snapshot: bool) -> ExecutionReport:
    amounts = (row.last_qty, row.last_price, row.cost, row.cum_qty, *(fee.qty for fee in row.fees))
    if not all(amount is None or _is_sane(amount) for amount in amounts):
        raise ValueError(f"an amount is not a number: {row}")
    assets = {fee.asset for fee in row.fees if fee.qty}
    summed = bool(row.fees) and len(assets) <= 1  # else it is no amount: the exchange's list has it
    return ExecutionReport(
        exec_type=row.exec_type,
        order_id=row.order_id,
        cl_ord_id=row.cl_ord_id,
        exec_id=row.exec_id,
        symbol=row.symbol,
        side=None if row.side is None else Side(row.side),
        last_quantity=row.last_qty,
        last_price=row.last_price,
        cost=row.cost,
        fee=sum((fee.qty for fee in row.fees), Decimal(0)) if summed else None,
        fee_asset=next(iter(assets), None) if summed else None,
        liquidity=row.liquidity_ind,
        cumulative=row.cum_qty,
        status=row.order_status,
        reason=row.reason,
        at=row.timestamp,
        snapshot=snapshot,
    )


def _balance(row: wire.BalanceRow, *, snapshot: bool) -> BalanceChanged:
    if not _is_sane(row.balance):
        raise ValueError(f"a balance is not a number: {row}")
    return BalanceChanged(asset=row.asset, balance=row.balance, at=row.timestamp, snapshot=snapshot)


def _is_sane(amount: Decimal) -> bool:
    return amount.is_finite() and amount.copy_abs() <= LARGEST
