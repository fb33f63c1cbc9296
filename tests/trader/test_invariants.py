"""Whatever happens, in whatever order, thirteen things stay true of the record of orders.

An order's requests are lost, late, refused or unanswered; its reports come late, twice, out of
order or never; the connection goes, the process ends amid a transaction, money comes in. Every
step may be any of these. The numbers are those of the invariants: 1 fills, 2 position,
3 double entry, 4 equal to the exchange, 5 idempotent, 6 confluent, 7 the same after a restart,
8 an end is an end, 9 nothing is promised twice, 10 equity, 11 reconciliation, 12 fees, 13 no
second live order.
"""

from collections import Counter, defaultdict
from decimal import Decimal
from random import Random

import pytest
from account_of_ours import DEADLINE, EXCHANGE, Account
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from orders_of_ours import order
from records_of_ours import InMemory, OnPostgres

from market.instruments import Side
from trader import reporting
from trader.errors import IllegalTransition
from trader.ledger import ADJUSTMENTS, OPENING, imbalance
from trader.orders import Cancelling, Filled, Rejected, Status, client_order_id
from trader.settlement import GRACE, LAG

STEP = Decimal("0.00000001")
FIRST_LOOK = int((DEADLINE + GRACE).total_seconds()) + 1  # until one is looked for
PATIENCE = int(LAG.total_seconds()) + 1  # until one that no list shows is given up
FEE = Decimal("0.008")
PRICE = Decimal("2.5")  # what equity is looked at with
FATES = ("answered", "lost", "late", "refused", "unheard")
picks = st.integers(0, 1_000)
quantities = st.integers(2 * 10**8, 20 * 10**8).map(lambda steps: steps * STEP)
limits = st.integers(180_000, 220_000).map(lambda steps: steps * Decimal("0.00001"))


def other(side):
    return Side.SELL if side == Side.BUY else Side.BUY


def ended_otherwise(status):
    return Status.CANCELLED if status == Status.FILLED else Status.FILLED


def more(amount):
    return amount + STEP


def less(amount):
    return amount - STEP


# One field of our record, changed behind its back.
OURS = [
    *(("fills", field, more) for field in ("quantity", "price", "cost", "fee")),
    ("orders", "filled", less),
    ("orders", "quantity", more),
    ("orders", "side", other),
    ("orders", "status", ended_otherwise),
    ("orders", "exchange_id", lambda txid: f"{txid}X"),
    ("ledger", "amount", more),
]
# One field of what the exchange lists.
THEIRS = [
    *(
        ("trades", field, lambda text: f"{Decimal(text) + STEP:f}")
        for field in ("vol", "price", "cost", "fee")
    ),
    ("trades", "type", lambda side: str(other(side))),
    ("trades", "pair", lambda _: "XDGUSD"),
    ("trades", "ordertxid", lambda txid: f"{txid}X"),
    ("orders", "vol_exec", lambda text: f"{Decimal(text) + STEP:f}"),
    ("orders", "vol", lambda text: f"{Decimal(text) + STEP:f}"),
    ("orders", "cl_ord_id", lambda name: name[::-1]),
    ("orders", "status", {"open": "canceled", "canceled": "open", "closed": "canceled"}.get),
    ("descriptions", "type", lambda side: str(other(side))),
    ("descriptions", "pair", lambda _: "XDGUSD"),
    ("balances", "ZUSD", more),
    ("balances", "XXRP", less),
]


class Life(RuleBasedStateMachine):
    """An account, its record, and everything that can happen between them."""

    record_of = InMemory

    def __init__(self):
        super().__init__()
        self.account, self.record = Account(), type(self).record_of()
        self.mail, self.heard, self.answers = [], [], []
        self.decisions = defaultdict(list)  # decision -> our ids of its attempts
        self.ended, self.cached, self.over = {}, None, False
        self.account.paper.now += 1
        assert self.record.reconcile() == ()

    def known(self):
        """Return all the record says, read once between two happenings."""
        self.cached = self.cached or self.record.known()
        return self.cached

    def happened(self):
        """Collect what the exchange has to report."""
        self.mail += self.account.news()
        self.cached = None

    def free(self):
        """Return what no order may need, by asset."""
        known = self.known()
        held = known.balances()
        promised = Counter()
        for one in known.orders.values():
            asset = "USD" if one.side is Side.BUY else "XRP"
            promised[asset] += one.reserved * (one.limit * (1 + FEE) if asset == "USD" else 1)
        return {asset: held[asset] - promised[asset] for asset in held}

    def put(self, decision, *, side, quantity, limit, fate, at_once):
        """Go the way of every order: intent, request, answer; the answer may come later."""
        ids = self.decisions[decision]
        one = order(
            id=client_order_id(f"d{decision}", len(ids) + 1),
            side=side,
            quantity=quantity,
            limit=limit,
            created_at=self.account.now,
            deadline=self.account.now + DEADLINE,
            time_in_force="gtc",
        )
        assert self.record.intend(one)
        assert not self.record.intend(one)
        ids.append(one.id)
        answer = self.account.send(one, fate)
        if at_once:
            self.record.note(one.id, answer)
        else:
            self.answers.append((one.id, answer))
        self.happened()

    living = precondition(lambda self: not self.over)

    @living
    @rule(
        side=st.sampled_from(Side),
        quantity=quantities,
        limit=limits,
        fate=st.sampled_from(FATES),
        at_once=st.booleans(),
    )
    def submit(self, side, quantity, limit, fate, at_once):
        """Send an order that the record says there is money for."""
        cost = quantity * limit * (1 + FEE) if side is Side.BUY else quantity
        if cost <= self.free()["USD" if side is Side.BUY else "XRP"]:
            terms = {"side": side, "quantity": quantity, "limit": limit}
            self.put(len(self.decisions), **terms, fate=fate, at_once=at_once)

    @precondition(lambda self: self.decisions and not self.over)
    @rule(pick=picks, fate=st.sampled_from(FATES), at_once=st.booleans())
    def retry(self, pick, fate, at_once):
        """Send a decision again once the record says that no order of it can trade."""
        decision = pick % len(self.decisions)
        last = [self.known().orders[key] for key in self.decisions[decision]]
        if all(one.status.final and not one.filled for one in last):
            terms = {name: getattr(last[0], name) for name in ("side", "quantity", "limit")}
            cost = terms["quantity"] * (
                terms["limit"] * (1 + FEE) if last[0].side is Side.BUY else 1
            )
            if cost <= self.free()["USD" if last[0].side is Side.BUY else "XRP"]:
                self.put(decision, **terms, fate=fate, at_once=at_once)

    @precondition(lambda self: self.answers and not self.over)
    @rule(pick=picks)
    def answer_late(self, pick):
        """Write down an answer after whatever else has happened."""
        self.record.note(*self.answers.pop(pick % len(self.answers)))
        self.happened()

    @precondition(lambda self: self.account.under_way and not self.over)
    @rule(pick=picks)
    def arrive_late(self, pick):
        """Let a request arrive whose answer nobody waits for any more."""
        self.account.arrive(list(self.account.under_way)[pick % len(self.account.under_way)])
        self.happened()

    @precondition(lambda self: self.account.standing() and not self.over)
    @rule(pick=picks, quarters=st.integers(1, 4), better=st.integers(0, 100))
    def trade(self, pick, quarters, better):
        """Fill a part of an order that stands, or all of it."""
        txid = self.account.standing()[pick % len(self.account.standing())]
        row, left = self.account.paper.orders[txid], self.account.left(txid)
        gain = better * Decimal("0.00001")
        limit = Decimal(row["limit"])
        price = limit - gain if row["descr"]["type"] == "buy" else limit + gain
        part = left if quarters == 4 else max(STEP, (left * quarters / 4).quantize(STEP))
        self.account.paper.fill(txid, min(part, left), price)
        self.happened()

    @precondition(lambda self: self.account.standing() and not self.over)
    @rule(pick=picks)
    def expire(self, pick):
        """Let the exchange take an order off its book."""
        txid = self.account.standing()[pick % len(self.account.standing())]
        self.account.paper.end(txid, "canceled")
        self.happened()

    @precondition(lambda self: self.decisions and not self.over)
    @rule(pick=picks)
    def cancel(self, pick):
        """Ask for an order's end, in whatever state it is."""
        ids = list(self.known().orders)
        order_id = ids[pick % len(ids)]
        self.record.note(order_id, Cancelling(at=self.account.now, reason="halt"))
        EXCHANGE.cancel(order_id)
        self.happened()

    @precondition(lambda self: self.mail and not self.over)
    @rule(pick=picks)
    def deliver(self, pick):
        """Hear any report that was not heard yet, in no order."""
        report = self.mail.pop(pick % len(self.mail))
        self.record.hear(report)
        self.heard.append(report)
        self.happened()

    @precondition(lambda self: self.mail and not self.over)
    @rule(pick=picks)
    def drop(self, pick):
        """Lose a report."""
        self.mail.pop(pick % len(self.mail))

    @precondition(lambda self: self.mail and not self.over)
    @rule(pick=picks)
    def crash_while_hearing(self, pick):
        """Die after a report was applied and before it was committed."""
        before = self.known()
        self.record.hear_and_crash(self.mail[pick % len(self.mail)])
        assert self.record.known() == before, "7: half a transaction is left"

    @precondition(lambda self: self.heard and not self.over)
    @rule(upto=picks)
    def invariant_05_repeats_change_nothing(self, upto):
        """Hear the history so far once more, or its beginning."""
        before = self.known()
        for report in self.heard[: upto % len(self.heard) + 1]:
            self.record.hear(report)
        self.cached = None
        assert self.known() == before

    @precondition(lambda self: self.over)
    @rule()
    def rest_in_peace(self):
        """What was spoilt is not lived with."""

    @living
    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds):
        """Let time pass."""
        self.account.paper.now += seconds

    @living
    @rule()
    def reconnect(self):
        """What was said while nobody listened is never said again."""
        self.mail.clear()
        self.reconcile()

    @living
    @rule()
    def restart(self):
        """Lose everything in memory, all reports and all answers."""
        before = self.known()
        self.record.restart()
        assert self.record.known() == before, "7: a restart lost something"
        self.mail.clear()
        self.answers.clear()
        self.reconcile()

    @living
    @rule()
    def reconcile(self):
        """Compare with the exchange: news explains every difference."""
        found = self.record.reconcile()
        assert all(one.explained for one in found), f"11: a false break, {found}"
        self.happened()

    @living
    @rule(cents=st.integers(1, 10_000))
    def deposit(self, cents):
        """Bring money in, which a person accepts."""
        self.account.paper.now += 1
        self.reconcile()
        self.account.paper.balances["ZUSD"] += Decimal(cents) / 100
        assert not all(one.explained for one in self.record.reconcile()), "11: missed a deposit"
        self.record.accept()
        self.reconcile()

    @precondition(lambda self: self.decisions and not self.over)
    @rule(seed=picks)
    def settle(self, seed):
        """Let everything end, and compare with the exchange and with an undisturbed record."""
        for seconds in (FIRST_LOOK, PATIENCE):
            self.account.paper.now += seconds
            self.reconcile()
        before = self.known()
        assert self.record.reconcile() == (), "11: reconciling again found something"
        self.happened()
        assert self.known() == before, "11: reconciling again changed something"
        paper = self.account.paper.balances
        assert before.balances() == {"USD": paper["ZUSD"], "XRP": paper["XXRP"]}, "4"
        assert before.settled() == self.undisturbed(Random(seed)).settled(), "6 or 7"

    def undisturbed(self, random):
        """Return what a record knows that heard everything once, in any order, and never ended."""
        twin, known = InMemory(), self.known()
        for one in known.orders.values():
            twin.intend(order(**{name: getattr(one, name) for name in TERMS}))
        for report in random.sample(self.account.reports, len(self.account.reports)):
            twin.note(report.cl_ord_id, reporting.read(report))
        placed = {report.cl_ord_id for report in self.account.reports}
        for order_id in known.orders.keys() - placed:
            twin.note(order_id, Rejected(at=self.account.now, reason="never placed"))
        return twin.known()

    @precondition(lambda self: self.decisions and not self.over)
    @rule(theirs=st.booleans(), pick=picks, row=picks)
    def invariant_11_one_wrong_field_is_found(self, theirs, pick, row):
        """Change one field on either side; a comparison finds it."""
        self.settle(pick)
        what, field, wrong = (THEIRS if theirs else OURS)[pick % len(THEIRS if theirs else OURS)]
        if theirs:
            rows = self.listed(what)
            if not rows:
                return
            one = rows[row % len(rows)]
            one[field] = wrong(one[field])
        elif not self.record.spoil(what, field, wrong):
            return
        self.over = True
        assert self.record.reconcile(), f"{what} {field} of {'theirs' if theirs else 'ours'}"

    def listed(self, what):
        """Return rows of the exchange that a comparison since the last deposit sees."""
        paper = self.account.paper
        orders = list(paper.orders.values())
        return {
            "orders": orders,
            "descriptions": [one["descr"] for one in orders],
            "trades": [paper.trades[key] for key in list(paper.trades)[-1:]],
            "balances": [paper.balances],
        }[what]

    @precondition(lambda self: not self.over)
    @rule()
    def invariant_08_a_forged_fill_beyond_the_order_is_refused(self):
        """Report one more trade than an order has room for, whatever has become of it."""
        before = self.known()
        for one in before.orders.values():
            forged = Filled(
                at=self.account.now,
                exec_id="forged",
                quantity=one.remaining + STEP,
                price=one.limit,
                cost=STEP,
                fee=STEP,
                liquidity="taker",
            )
            with pytest.raises(IllegalTransition):
                self.record.note(one.id, forged)
        assert self.record.known() == before

    @living
    @invariant()
    def invariant_01_an_orders_fills_are_what_it_filled(self):
        """Sum of fills = filled <= quantity; cost = quantity times price."""
        known, filled = self.known(), Counter()
        for order_id, fill in known.fills.values():
            filled[order_id] += fill.quantity
            assert fill.cost == fill.quantity * fill.price
        for one in known.orders.values():
            assert filled[one.id] == one.filled <= one.quantity

    @living
    @invariant()
    def invariant_02_the_position_is_the_sum_of_its_fills(self):
        """Position = signed fills = what the ledger got since it was opened."""
        known, quantity = self.known(), Decimal(0)
        for order_id, fill in known.fills.values():
            bought = known.orders[order_id].side is Side.BUY
            quantity += fill.quantity if bought else -fill.quantity
        traded = known.balances()["XRP"] + known.balances(OPENING)["XRP"]
        assert known.position.quantity == quantity == traded

    @living
    @invariant()
    def invariant_03_every_transaction_sums_to_zero(self):
        """Each transaction, and all of them; every fill has one."""
        lines = self.known().lines
        assert all(imbalance(group) == {} for group in lines.values())
        assert imbalance(line for group in lines.values() for line in group) == {}
        assert self.known().fills.keys() <= lines.keys()

    @living
    @invariant()
    def invariant_08_an_end_is_an_end(self):
        """No order leaves a final state, but for a fill that a cancel overtook."""
        for one in self.known().orders.values():
            before = self.ended.get(one.id)
            late = (before, one.status) == (Status.CANCELLED, Status.FILLED)
            assert before in {None, one.status} or late
            if one.status.final:
                self.ended[one.id] = one.status

    @living
    @invariant()
    def invariant_09_what_is_promised_and_what_is_free_are_all_there_is(self):
        """Reserved and free are never negative, here or there."""
        for one in self.known().orders.values():
            assert 0 <= one.reserved == (0 if one.status.final else one.quantity - one.filled)
        assert all(amount >= 0 for amount in self.free().values())
        assert all(amount >= 0 for amount in self.account.paper.balances.values())

    @living
    @invariant()
    def invariant_10_equity_is_profit_and_transfers(self):
        """Equity since the opening = realised + unrealised - fees + transfers."""
        known = self.known()
        held, began, moved = (known.balances(a) for a in (None, OPENING, ADJUSTMENTS))
        equity, opening, transfers = (
            sum(sign * amount * (PRICE if asset == "XRP" else 1) for asset, amount in one.items())
            for sign, one in ((1, held), (-1, began), (-1, moved))
        )
        made = known.position.net + known.position.unrealised(PRICE)
        assert abs(equity - opening - transfers - made) < Decimal("1e-20")

    @living
    @invariant()
    def invariant_12_a_fee_is_the_rate_to_its_last_digit(self):
        """The exchange charges; what is booked is its fee to the last digit."""
        for _, fill in self.known().fills.values():
            assert abs(fill.fee - fill.quantity * fill.price * FEE) <= STEP

    @living
    @invariant()
    def invariant_13_no_decision_has_two_live_orders(self):
        """No id is used twice, and no decision stands twice, requests under way included."""
        alive = Counter(self.account.alive())
        names = Counter(row["cl_ord_id"] for row in self.account.paper.orders.values())
        assert not names or max(names.values()) == 1
        for ids in self.decisions.values():
            assert sum(alive[one] for one in ids) <= 1


@pytest.mark.parametrize("which", [InMemory, OnPostgres])
@pytest.mark.parametrize("theirs", [True, False])
def test_every_single_wrong_field_is_found(which, theirs, request):
    for wrong in range(len(THEIRS if theirs else OURS)):
        for row in range(3):
            life = one_order_of_every_kind(which, request)
            life.invariant_11_one_wrong_field_is_found(theirs, wrong, row)
            assert life.over


def one_order_of_every_kind(which, request):
    """Return a life with an order that stands, one that was cancelled and one that is filled."""
    life = Life()
    if which is OnPostgres:
        life.record = OnPostgres(request.getfixturevalue("engine"))
        life.reconcile()
    for decision, quarters in enumerate((4, 2, 1)):
        terms = {"side": Side.BUY, "quantity": Decimal(4), "limit": Decimal(2)}
        life.put(decision, **terms, fate="answered", at_once=True)
        life.trade(0, quarters, 0)
        if decision == 1:
            life.expire(0)
    while life.mail:
        life.deliver(0)
    return life


TERMS = ("id", "side", "quantity", "limit", "created_at", "deadline", "time_in_force")


def test_the_rules_keep_every_invariant_whatever_happens():
    run_state_machine_as_test(
        Life, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
    )


def test_the_record_in_postgresql_keeps_every_invariant_whatever_happens(engine):
    class Lived(Life):
        def record_of():
            return OnPostgres(engine)

    run_state_machine_as_test(
        Lived, settings=settings(max_examples=6, stateful_step_count=30, deadline=None)
    )
