"""The exchange itself: orders in, fills out, against a market that moves with the time.

Nothing here reads a clock, a socket or a file: the time is handed in, and what happened is
left in `events` and in the journal for the caller to publish and to keep.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.accounts import DEPOSITS, Accounts, round_up
from sandbox.checks import check_order, check_unique
from sandbox.errors import Refused
from sandbox.fees import TIERS, Tier
from sandbox.instruments import BY_SYMBOL, PAIRS, Pair
from sandbox.journal import Journal
from sandbox.liquidity import DEPTH, Liquidity, Offer, offers_in_order
from sandbox.orders import (
    CANCELED,
    CLOSED,
    EXPIRED,
    OPEN,
    ZERO,
    Event,
    LedgerEntry,
    Order,
    OrderRequest,
    Posted,
    Reported,
    Trade,
)
from sandbox.randomness import code
from sandbox.settlement import settle
from sandbox.tape import OwnPrint, Tape

if TYPE_CHECKING:
    from sandbox.synthetic import Synthetic

SHALLOW = 20
ROUNDING = Decimal("0.0001")  # cost and fee may each be rounded up


class Exchange:
    """All markets, orders and accounts. Call `advance` before anything else at a new time."""

    def __init__(self, market: Synthetic, tier: int) -> None:
        self.market = market
        self.tier_number = tier
        self.tier: Tier = TIERS[tier - 1]
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
        self.events: list[Event] = []
        self.journal = Journal()

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
        found = [o for o in self.open.values() if o.symbol == symbol and o.buys == buys]
        sign = -1 if buys else 1
        return sorted(found, key=lambda o: (sign * (o.limit or 0), o.rank))

    def check(self, account: str, request: OrderRequest, now: int) -> Order:
        """Build the order a request asks for, or refuse; nothing is changed."""
        pair = BY_SYMBOL[request.symbol]
        bid, ask = self.market.touch(pair, now)
        check_order(request, pair, now, ask if request.side == "buy" else bid)
        check_unique(request.cl_ord_id, self.open_orders(account))
        order = Order(
            txid="",
            account=account,
            symbol=request.symbol,
            side=request.side,
            ordertype=request.ordertype,
            quantity=request.quantity,
            cash=request.cash,
            limit=request.limit,
            tif=request.tif,
            post_only=request.post_only,
            userref=request.userref,
            cl_ord_id=request.cl_ord_id,
            expires=request.expires,
            flags=request.flags,
            stp=request.stp,
            opened=now,
            changed=now,
            rank=self.minted,
        )
        offers = self.reachable(order, now)
        if order.post_only and offers:
            raise Refused("EOrder:Post only order")
        self._check_funds(order, pair, offers)
        return order

    def reachable(self, order: Order, now: int) -> list[Offer]:
        """List what an order could take at once, in the order of taking."""
        resting = self.resting(order.symbol, buys=not order.buys)
        for depth in (SHALLOW, DEPTH):
            levels = self.liquidity[order.symbol].side(now, depth, asks=order.buys)
            offers = [o for o in offers_in_order(levels, resting) if reaches(order, o.price)]
            if len(offers) < len(levels) or _worth(offers, order) >= 1:
                break
        return offers

    def _check_funds(self, order: Order, pair: Pair, offers: list[Offer]) -> None:
        asset = pair.quote if order.buys else pair.base
        if self.needed(order, pair, offers) > self.accounts.free(order.account, asset.id):
            raise Refused("EOrder:Insufficient funds")

    def needed(self, order: Order, pair: Pair, offers: list[Offer]) -> Decimal:
        """Give what an order may cost at worst; `offers` value a market order."""
        if not order.buys:
            return pair.quantity(order.remaining)
        rate = 1 + max(self.tier.taker, self.tier.maker) / 100
        if order.cash is not None:
            return round_up(order.cash * rate, pair.quote) + ROUNDING
        if order.limit is not None:
            worst = pair.value(order.limit, order.remaining) * rate
            return round_up(worst, pair.quote) + ROUNDING
        left, cost = order.remaining, ZERO
        for offer in offers:
            lots = min(left, offer.lots)
            cost += pair.value(offer.price, lots)
            left -= lots
        return round_up(cost * rate, pair.quote) + ROUNDING

    def place(self, account: str, request: OrderRequest, now: int) -> Order:
        """Accept an order, match it, and rest what is left, or refuse it."""
        order = self.check(account, request, now)
        order.txid = self.mint("O")
        order.rank = self.minted
        self.orders[order.txid] = order
        self.report("pending_new", order, now)
        self.report("new", order, now)
        offers = self.reachable(order, now)
        if order.tif == "FOK" and sum(offer.lots for offer in offers) < order.remaining:
            self.finish(order, CANCELED, now, "Fill or kill order could not be filled")
            return order
        self.take(order, offers, now)
        if order.status == OPEN:
            self._rest_or_end(order, now)
        return order

    def take(self, order: Order, offers: list[Offer], now: int) -> None:
        """Fill an order against what it can reach."""
        pair = BY_SYMBOL[order.symbol]
        for offer in offers:
            if order.status != OPEN:
                return
            if offer.maker is not None and offer.maker.account == order.account:
                self._prevent_self_trade(order, offer.maker, now)
                continue
            lots = min(offer.lots, self._wanted(order, pair, offer.price))
            if lots == 0:
                break
            if offer.maker is None:
                self.liquidity[order.symbol].take(offer, lots, asks=order.buys)
            self.fill(order, offer.price, lots, now, offer.maker)
        if order.cash is not None and order.status == OPEN and order.filled:
            self.finish(order, CLOSED, now, None)

    @staticmethod
    def _wanted(order: Order, pair: Pair, price: int) -> int:
        if order.cash is None:
            return order.remaining
        left = order.cash - order.exact_cost
        return int(left / pair.value(price, 1))

    def _prevent_self_trade(self, order: Order, maker: Order, now: int) -> None:
        if order.stp in {"cancel-oldest", "cancel-both"}:
            self.finish(maker, CANCELED, now, "STP prevented trade")
        if order.stp != "cancel-oldest":
            self.finish(order, CANCELED, now, "STP prevented trade")

    def fill(
        self, taker: Order, price: int, lots: int, now: int, maker: Order | None = None
    ) -> None:
        """Trade between a client's incoming order and the market or another client."""
        pair = BY_SYMBOL[taker.symbol]
        own = self._print(pair, price, lots, now, taker)
        if maker is not None:
            settle(self, maker, own, maker=True)
        settle(self, taker, own, maker=False)

    def fill_resting(self, order: Order, lots: int, now: int) -> None:
        """Trade between a resting order of a client and the market, at the order's price."""
        assert order.limit is not None
        own = self._print(BY_SYMBOL[order.symbol], order.limit, lots, now, None, sold=order.buys)
        settle(self, order, own, maker=True)

    def _print(
        self,
        pair: Pair,
        price: int,
        lots: int,
        now: int,
        taker: Order | None,
        *,
        sold: bool = False,
    ) -> tuple[OwnPrint, int]:
        tape = self.tapes[pair.symbol]
        own = OwnPrint(
            symbol=pair.symbol,
            time=tape.next_time(now),
            price=price,
            quantity=lots,
            bought=taker.buys if taker else not sold,
            market=taker is not None and taker.ordertype == "market",
        )
        self.journal.prints.append(own)
        return own, tape.add(own)

    def _rest_or_end(self, order: Order, now: int) -> None:
        if order.limit is None:
            self.finish(order, CANCELED, now, "Insufficient liquidity")
        elif order.tif in {"IOC", "FOK"}:
            self.finish(order, CANCELED, now, "IOC order could not be filled")
        else:
            self.rest(order, now)

    def rest(self, order: Order, now: int) -> None:
        """Put an order on the book, behind what is shown there already."""
        pair = BY_SYMBOL[order.symbol]
        assert order.limit is not None
        order.ahead = self.liquidity[order.symbol].at(now, order.limit, asks=not order.buys)
        self.open[order.txid] = order
        self.set_reserve(order, self.needed(order, pair, []))
        self.journal.orders[order.txid] = order

    def set_reserve(self, order: Order, amount: Decimal) -> None:
        """Set aside what an order may still cost."""
        pair = BY_SYMBOL[order.symbol]
        asset = pair.quote if order.buys else pair.base
        self.accounts.hold(order.account, asset.id, amount - order.reserve)
        order.reserve = amount

    def finish(self, order: Order, status: str, now: int, reason: str | None) -> None:
        """Take an order off the book for good."""
        order.status, order.closed, order.reason = status, now, reason
        self.open.pop(order.txid, None)
        self.set_reserve(order, ZERO)
        kind = {CLOSED: "filled", EXPIRED: "expired"}.get(status, "canceled")
        self.report(kind, order, now)

    def report(self, kind: str, order: Order, now: int, trade: Trade | None = None) -> None:
        """Note an event for publication and the order for keeping."""
        self.journal.orders[order.txid] = order
        self.events.append(Reported(kind, replace(order, trades=[]), now, trade))

    def cancel(self, order: Order, now: int, reason: str = "User requested") -> None:
        """Cancel an open order."""
        self.finish(order, CANCELED, now, reason)

    def arm(self, account: str, seconds: int, now: int) -> int:
        """Set the dead-man's switch and give the time it will fire; 0 disarms it."""
        self.journal.switches = True
        if seconds == 0:
            self.switches.pop(account, None)
            return 0
        self.switches[account] = now + seconds * 1_000_000_000
        return self.switches[account]


def reaches(order: Order, price: int) -> bool:
    """Tell whether an order may trade at a price."""
    if order.limit is None:
        return True
    return price <= order.limit if order.buys else price >= order.limit


def _worth(offers: list[Offer], order: Order) -> float:
    """Give how many times over the offers fill the order."""
    if order.cash is None:
        return sum(offer.lots for offer in offers) / max(order.remaining, 1)
    pair = BY_SYMBOL[order.symbol]
    return float(sum((pair.value(o.price, o.lots) for o in offers), ZERO) / order.cash)
