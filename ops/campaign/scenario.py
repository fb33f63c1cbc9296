"""What is drawn for a run from its seed and its number, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from ops.campaign.aims import aim
from ops.campaign.markets import MARKETS, opens
from ops.campaign.venue import PLACES, Death
from sandbox.kinds import KINDS, MESSAGES, REST, SUDDEN
from trader.execution import Policy
from trader.limits import FLATTEN

BAR_SECONDS = 2
HISTORY = 205  # seconds of trading before the earliest run
BARS = (5, 9)  # of trading under faults; the shortest and the longest
ASKED = (
    *("AddOrder",) * 8,
    *("CancelOrder", "CancelOrder", "AmendOrder", "AmendOrder", "CancelAllOrdersAfter"),
    *("OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx", "Time"),
    *("GetWebSocketsToken", "AssetPairs", "TradeVolume", "Trades", "SystemStatus"),
)
# What the exchange may say whether it acted or not, and what it says only if it did not.
VAGUE = ("EService:Unavailable", "EService:Busy", "EService:Timeout", "EGeneral:Internal error")
REFUSALS = (
    "EService:Deadline elapsed",
    "EAPI:Rate limit exceeded",
    "EAPI:Invalid nonce",
    "EOrder:Insufficient funds",
    "EGeneral:Temporary lockout",
)
CHANNELS = {
    "wrong_checksum": ("book",),
    "trade_id_gap": ("trade",),
    "sequence_gap": ("executions", "balances"),
}
EVERY_CHANNEL = ("executions", "executions", "executions", "balances", "book", "trade", "")
# What a person says; `friday halt` writes the first down, `friday flatten` the second.
WORDS = ("command", FLATTEN)
# Where the trader is killed: the point, the largest number it is drawn from, and how often.
CRASHES = (
    ("before an intent is kept", 2, 2),
    ("after an intent is kept", 2, 4),
    ("before AddOrder is sent", 2, 1),
    ("after AddOrder is sent", 2, 5),
    ("before news of an order is kept", 4, 3),
    ("after news of an order is kept", 4, 2),
    ("before a fill is kept", 2, 4),
    ("after a fill is kept", 2, 3),
    ("before a reconciliation is kept", 2, 2),
    ("after a reconciliation is kept", 2, 2),
    ("after OpenOrders is sent", 3, 1),
    ("after ClosedOrders is sent", 3, 1),
    ("after TradesHistory is sent", 3, 1),
    ("after BalanceEx is sent", 3, 1),
    ("before CancelOrder is sent", 1, 2),
    ("after CancelOrder is sent", 1, 3),
    ("before AmendOrder is sent", 2, 2),
    ("after AmendOrder is sent", 2, 3),
    ("after CancelAllOrdersAfter is sent", 2, 1),
    ("after GetWebSocketsToken is sent", 2, 1),
    ("after Trades is sent", 2, 1),
    ("at a statement", 400, 6),
)
LOSSES = (
    "before an intent is kept",
    "after an intent is kept",
    "before news of an order is kept",
    "after news of an order is kept",
    "before a fill is kept",
    "after a fill is kept",
    "before a reconciliation is kept",
    "after a reconciliation is kept",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The trader is killed at the `number`th time it passes a point after a moment."""

    after: float
    point: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """PostgreSQL goes away for some seconds, at a moment or at a point of a commit."""

    after: float
    seconds: float
    point: str = ""
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A person halts, or has everything sold, at a moment, and resumes some seconds later."""

    after: float
    code: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run: its market, its script, and everything that goes wrong. Times are seconds."""

    market: int
    start: int
    bars: int
    step: float
    latency: float
    most: int
    deadline: float
    policy: Policy
    script: tuple[bool, ...]
    faults: tuple[dict[str, Any], ...]
    crashes: tuple[Crash, ...]
    losses: tuple[Loss, ...]
    death: Death | None
    flows: tuple[float, ...]
    between: int
    patience: float
    word: Word | None
    beside: tuple[bool, ...]

    def lines(self) -> list[str]:
        """Say in a few lines what was drawn."""
        return [
            f"market {self.market}, {self.bars} bars of {BAR_SECONDS} s",
            f"script {_signs(self.script)}, beside {_signs(self.beside)}",
            f"{self.policy} orders of at most {self.most} USD, deadline {self.deadline:.1f} s",
            f"patience {self.patience:.0f} s, latency {self.latency:.3f} s, step {self.step:.2f} s",
            *(f"fault {fault}" for fault in self.faults),
            *(f"{crash}" for crash in self.crashes),
            *(f"{loss}" for loss in self.losses),
            *([f"{self.death}"] if self.death else []),
            *([f"{self.word}"] if self.word else []),
            f"the flow comes at {self.flows} and between order {self.between} and its answer",
        ]


def draw(seed: int, number: int) -> Scenario:
    """Draw a run. The same seed and number always give the same."""
    random, aimed = Random(f"{seed}/{number}"), aim(seed, number)
    market = random.randrange(MARKETS)
    bars = random.randint(*BARS)
    span = bars * BAR_SECONDS
    return Scenario(
        market=market,
        start=opens(market) + HISTORY + random.randrange(10) * BAR_SECONDS,
        bars=bars,
        step=random.choice((0.25, 0.5, 0.5, 1.0)),
        latency=random.uniform(0.005, 0.08),
        most=max(random.choice((50, 1000, 3000, 5000)), aimed.least),
        deadline=random.choice((1.0, 2.0, 5.0)),
        policy=random.choice((Policy.MARKETABLE, Policy.POST_ONLY, Policy.POST_ONLY)),
        script=_script(random, bars),
        faults=(
            *(_fault(random, span) for _ in range(random.choice((0, 1, 1, 2, 2, 3)))),
            *([_late_reports(random)] if random.random() < 0.15 else []),  # noqa: PLR2004 - how often
            *aimed.faults,
        ),
        crashes=tuple(_crash(random, span) for _ in range(random.choice((0, 0, 1, 1, 2)))),
        losses=tuple(_loss(random, span) for _ in range(random.random() < 0.12)),  # noqa: PLR2004 - how often
        death=_death(random) if random.random() < 0.15 else None,  # noqa: PLR2004 - how often
        flows=tuple(random.uniform(0, span) for _ in range(random.choice((0, 0, 0, 1)))),
        between=random.choice((0, 0, 1, 2)) * (not aimed.alone),
        # Five seconds are over before an order may be amended; in nine it is, once.
        patience=random.choice((5.0, 9.0, 14.0)),
        word=_word(random, span) if random.random() < 0.2 else None,  # noqa: PLR2004 - how often
        beside=_script(random, bars) if random.random() < 0.5 else (False,),  # noqa: PLR2004 - a coin
    )


def _signs(script: tuple[bool, ...]) -> str:
    return "".join("+" if rise else "-" for rise in script)


def _script(random: Random, bars: int) -> tuple[bool, ...]:
    """Turn round often, so that there is always something to buy or to sell."""
    rise = [True]
    while len(rise) < bars:
        rise.append(rise[-1] if random.random() < 0.3 else not rise[-1])  # noqa: PLR2004 - how often
    return tuple(rise)


def _fault(random: Random, span: float) -> dict[str, Any]:
    kind = random.choice(sorted(KINDS.keys() - {"repeated"}))
    fault: dict[str, Any] = {"kind": kind}
    if kind in REST or kind == "nonce_race":
        method, after = random.choice(ASKED), random.random() < 0.5  # noqa: PLR2004 - a coin
        fault |= {
            "method": method,
            "times": random.choice((1, 1, 2, 3)),
            "skip": random.choice((0, 0, 1)),
            "status": random.choice((500, 502, 503, 504, 520, 524)),
            "after": after,
            "text": random.choice(VAGUE if after else (*VAGUE, *REFUSALS)),
            "seconds": random.choice((0.2, 1.0, 3.0, 9.0, 12.0)),
        }
        return fault
    fault["from"] = round(random.uniform(0, span), 1)
    if kind in {"stall", "silence"}:
        fault |= {"channel": random.choice(("", "executions", "book")), "times": 0}
        fault["for"] = random.choice((2.0, 6.0, 15.0))
        if kind == "silence":
            fault["channel"] = ""
    elif kind in MESSAGES:
        fault["channel"] = random.choice(CHANNELS.get(kind, EVERY_CHANNEL))
        fault |= {"times": random.choice((1, 1, 2, 5)), "skip": random.choice((0, 0, 1, 3))}
        fault["seconds"] = random.choice((0.3, 2.0, 8.0))
    elif kind not in SUDDEN:
        fault |= _standing(kind, random)
    return fault


def _late_reports(random: Random) -> dict[str, Any]:
    """Let reports come so late, all in order, that a reconciliation learns of the fills first."""
    seconds = random.choice((9.0, 12.0))
    return {"kind": "late", "channel": "executions", "times": 20, "skip": 1, "seconds": seconds}


def _standing(kind: str, random: Random) -> dict[str, Any]:
    fault: dict[str, Any] = {"for": random.choice((2.0, 5.0, 12.0))}
    match kind:
        case "clock_skew":
            fault["seconds"] = random.choice((-20.0, -3.0, -1.0, 1.0, 3.0, 20.0))
        case "maintenance":
            fault["mode"] = random.choice(("maintenance", "cancel_only", "post_only"))
        case "rate_limit":
            fault["share"] = random.choice((0.0, 0.1))
        case "open_orders_lag":
            fault["times"] = 0
    return fault


def _crash(random: Random, span: float) -> Crash:
    names, most, often = zip(*CRASHES, strict=True)
    (which,) = random.choices(range(len(CRASHES)), weights=often)
    after = 0.0 if random.random() < 0.5 else random.uniform(0, span)  # noqa: PLR2004 - a coin
    return Crash(after=after, point=names[which], number=random.randint(1, most[which]))


def _loss(random: Random, span: float) -> Loss:
    seconds = random.choice((0.5, 3.0, 10.0))
    if random.random() < 0.4:  # noqa: PLR2004 - how often
        return Loss(after=random.uniform(0, span), seconds=seconds)
    point = random.choice(LOSSES)
    return Loss(after=0.0, seconds=seconds, point=point, number=random.randint(1, 2))


def _death(random: Random) -> Death:
    method = random.choice(
        ("AddOrder",) * 5 + ("OpenOrders", "TradesHistory", "GetWebSocketsToken")
    )
    place = random.choice(PLACES if method == "AddOrder" else PLACES[::2])
    return Death(
        method=method,
        number=random.randint(1, 2),
        place=place,
        seconds=random.choice((0.5, 3.0, 8.0)),
    )


def _word(random: Random, span: float) -> Word:
    return Word(
        after=random.uniform(0, span),
        code=random.choice(WORDS),
        seconds=random.choice((1.0, 4.0, 12.0)),
    )
