"""The exchange itself: orders in, fills out, against a market that moves with the time.

Nothing here reads a clock, a socket or a file: the time is handed in, and what happened is
left in `events` and in the journal for the caller to publish and to keep.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.accounts import DEPOSITS, Accounts
from sandbox.entry import admit, draft, enter, match
from sandbox.errors import Refused
from sandbox.funding import needed, set_reserve
from sandbox.instruments import BY_SYMBOL, PAIRS, Pair
from sandbox.journal import Journal
from sandbox.liquidity import Liquidity
from sandbox.matching import reachable
from sandbox.orders import (
    CANCELED,
    CLOSED,
    EXPIRED,
    OPEN,
    PENDING,
    ZERO,
    Event,
    LedgerEntry,
    Order,
    OrderRequest,
    Posted,
    Reported,
    Trade,
)
from sandbox.places import line_up
from sandbox.randomness import code
from sandbox.tape import Tape
from sandbox.terms import closing
from sandbox.triggers import fire, prompt
from sandbox.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from sandbox.liquidity import Offer
    from sandbox.market import Market


class Exchange:
    """All markets, orders and accounts. Call `advance` before anything else at a new time.

    `tier` is the fee tier every account has at least.
    """

    def __init__(self, market: Market, tier: int) -> None:
        self.market = market
        self.volumes = Volumes(tier)
        self.accounts = Accounts()
        self.tapes = {pair.symbol: Tape(market, pair) for pair in PAIRS}
        self.liquidity = {pair.symbol: Liquidity(market, pair) for pair in PAIRS}
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.ledger: dict[str, LedgerEntry] = {}
        self.switches: dict[str, int] = {}
        self.time = 0
        self.minted = 0
        self.owed: list[tuple[Order, Trade]] = []
        self.events: list[Event] = []
        self.journal = Journal()
        self.witness: Callable[[Pair, int], None] = lambda _pair, _time: None

    def mint(self, prefix: str) -> str:
        """Give an identifier nobody has had before."""
        self.minted += 1
        return code(prefix, self.market.seed, self.minted)

    def deposit(self, account: str, asset: str, amount: Decimal, now: int) -> None:
        """Credit a client from outside."""
        self.accounts.move(DEPOSITS, account, asset, amount)
        self.post(account, (asset, amount, ZERO), now, self.mint("F"))

    def post(self, account: str, change: tuple[str, Decimal, Decimal], time: int, ref: str) -> None:
        """Write down a change of a client's balance that has just been made.

        Args:
            account: Whose balance.
            change: The asset, the signed amount and the fee.
            time: When, in ns.
            ref: The fill or the deposit it came from.
        """
        asset, amount, fee = change
        entry = LedgerEntry(
            id=self.mint("L"),
            account=account,
            asset=asset,
            amount=amount,
            fee=fee,
            balance=self.accounts.balances[account, asset],
            time=time,
            ref=ref,
            kind="trade" if ref.startswith("T") else "deposit",
        )
        self.ledger[entry.id] = entry
        self.journal.entries.append(entry)
        self.events.append(Posted(entry))

    def open_orders(self, account: str) -> list[Order]:
        """Give a client's open orders, oldest first."""
        return [order for order in self.open.values() if order.account == account]

    def resting(self, symbol: str, *, buys: bool) -> list[Order]:
        """Give the open orders on one side of a market, best and oldest first."""
        found = [
            o for o in self.open.values() if o.symbol == symbol and o.buys == buys and not o.waiting
        ]
        sign = -1 if buys else 1
        return sorted(found, key=lambda o: (sign * (o.limit or 0), o.rank))

    def waiting(self, symbol: str) -> list[Order]:
        """Give the orders of a market that wait for a price, oldest first."""
        return [
            o for o in self.open.values() if o.symbol == symbol and o.waiting and o.status == OPEN
        ]

    def scheduled(self) -> list[Order]:
        """Give the orders that wait for their time, oldest first."""
        return [o for o in self.open.values() if o.status == PENDING]

    def last_price(self, pair: Pair, now: int) -> int:
        """Give the price of the last trade."""
        return self.tapes[pair.symbol].last_price(now)

    def place(
        self, account: str, request: OrderRequest, now: int, parent: str | None = None
    ) -> Order:
        """Accept an order, match it, and rest what is left, or refuse it."""
        return self.accept(draft(self, account, request, now), now, parent)

    def accept(self, order: Order, now: int, parent: str | None = None) -> Order:
        """Do the same with an order that has been drafted."""
        offers = admit(self, order, now)
        order.parent = parent
        order.txid = self.mint("O")
        order.rank = self.minted
        self.orders[order.txid] = order
        self.report("pending_new", order, now)
        if order.status == PENDING:
            self.rest(order, now)
        else:
            self.report("new", order, now)
            self._begin(order, offers, now)
        return order

    def start(self, order: Order, now: int) -> None:
        """Let an order begin whose time has come."""
        order.status = OPEN
        self.report("new", order, now)
        if order.waiting:
            prompt(self, BY_SYMBOL[order.symbol], now)
        else:
            enter(self, order, now)
            self.echo(order, now)
        self.follow_up(now)

    def _begin(self, order: Order, offers: list[Offer], now: int) -> None:
        if order.waiting:
            self.rest(order, now)
            prompt(self, BY_SYMBOL[order.symbol], now)
        else:
            match(self, order, offers, now)
            self.echo(order, now)
        self.follow_up(now)

    def echo(self, order: Order, now: int) -> None:
        """Let an order's own trades set off those that wait for their price."""
        if order.trades:
            price = self.trades[order.trades[-1]].price
            fire(self, BY_SYMBOL[order.symbol], price, now)

    def follow_up(self, now: int) -> None:
        """Place the closing orders that fills have called for; one refused is dropped."""
        while self.owed:
            order, fill = self.owed.pop(0)
            with suppress(Refused):
                self.place(order.account, closing(order, fill), now, order.txid)

    def rest_or_end(self, order: Order, now: int) -> None:
        """Put on the book what is left of an order, if it may rest."""
        if order.limit is None:
            self.finish(order, CANCELED, now, "Insufficient liquidity")
        elif order.tif in {"IOC", "FOK"}:
            self.finish(order, CANCELED, now, "IOC order could not be filled")
        else:
            self.rest(order, now)

    def rest(self, order: Order, now: int) -> None:
        """Put an order on the book, behind what is shown there already."""
        if order.limit is not None and not order.waiting:
            line_up(self, order, now)
        self.open[order.txid] = order
        offers = reachable(self, order, now) if order.limit is None and not order.stop else []
        set_reserve(self, order, needed(order, offers))
        self.journal.orders[order.txid] = order

    def finish(self, order: Order, status: str, now: int, reason: str | None) -> None:
        """Take an order off the book for good."""
        order.status, order.closed, order.reason = status, now, reason
        self.open.pop(order.txid, None)
        set_reserve(self, order, ZERO)
        kind = {CLOSED: "filled", EXPIRED: "expired"}.get(status, "canceled")
        self.report(kind, order, now)

    def report(self, kind: str, order: Order, now: int, trade: Trade | None = None) -> None:
        """Note an event for publication and the order for keeping."""
        self.journal.orders[order.txid] = order
        self.events.append(Reported(kind, replace(order, trades=[]), now, trade))

    def cancel(self, order: Order, now: int, reason: str = "User requested") -> None:
        """Cancel an open order."""
        self.finish(order, CANCELED, now, reason)

    def forget(self, kept: Journal) -> None:
        """Let go of what is over and was written down."""
        for order in kept.orders.values():
            if not order.alive:
                self.orders.pop(order.txid, None)
                for txid in order.trades:
                    self.trades.pop(txid, None)
        for entry in kept.entries:
            self.ledger.pop(entry.id, None)

    def arm(self, account: str, seconds: int, now: int) -> int:
        """Set the dead-man's switch and give the time it will fire; 0 disarms it."""
        self.journal.switches = True
        if seconds == 0:
            self.switches.pop(account, None)
            return 0
        self.switches[account] = now + seconds * 1_000_000_000
        return self.switches[account]
