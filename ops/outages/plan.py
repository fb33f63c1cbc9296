"""What is drawn for a run from its seed and its number, and from nothing else.

The plan is the same every time. What the processes have got to when it is carried out is
not, since they are real: the drawn instant is an occasion, such as the second fill that is
reported from now on, and some milliseconds more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from trader.execution import Policy

TRADER, BOTH, STANDBY = "trader", "both traders", "standby"
POSTGRES, BACKEND, SANDBOX = "postgres", "backend", "sandbox"
# Who is killed, and how often: the live trader, the live one and its standby, the standby
# alone, PostgreSQL's postmaster, one of its backends that serves a trader, the exchange.
VICTIMS: tuple[tuple[tuple[str, ...], int], ...] = (
    ((TRADER,), 7),
    ((BOTH,), 3),
    ((STANDBY,), 1),
    ((POSTGRES,), 7),
    ((BACKEND,), 4),
    ((SANDBOX,), 5),
    ((TRADER, POSTGRES), 2),
    ((POSTGRES, TRADER), 2),
    ((BOTH, POSTGRES), 1),
    ((TRADER, SANDBOX), 2),
    ((SANDBOX, TRADER), 1),
    ((POSTGRES, SANDBOX), 2),
    ((SANDBOX, POSTGRES), 1),
    ((TRADER, POSTGRES, SANDBOX), 1),
    ((), 1),
)
# What is waited for before the kill: an entry on record, a report of the exchange, or time.
ON_RECORD, REPORTED, PASSED = "on record", "reported", "passed"
OCCASIONS: tuple[tuple[str, str, int], ...] = (
    (ON_RECORD, "intended", 5),
    (ON_RECORD, "accepted", 2),
    (ON_RECORD, "filled", 3),
    (REPORTED, "new", 3),
    (REPORTED, "trade", 4),
    (PASSED, "time", 3),
)
# What happens to orders that rest, besides.
OF_RESTING: tuple[tuple[str, str, int], ...] = (
    (ON_RECORD, "amending", 4),
    (ON_RECORD, "cancelling", 3),
)
STRETCH = 25  # runs on one set of processes, which work their orders in the same way
MILLISECONDS = (0, 0, 0, 1, 2, 5, 10, 20, 50, 200)
AWAY = (0.0, 0.0, 0.3, 1.0, 3.0)  # seconds until what was killed is started again
REST = ("drop_before", "drop_after", "delay_before", "delay", "status", "truncated", "empty")
MESSAGES = ("duplicate", "missing", "reordered", "late", "sequence_gap", "stall", "silence")
OTHERS = ("error", "nonce_race", "close", "abort", "token_expiry", "wrong_checksum", "maintenance")
ASKED = (*("AddOrder",) * 6, "OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx")
# With this one the exchange never carries out what was asked; the others leave it open.
NOT_CARRIED_OUT = "EAPI:Invalid nonce"
TEXTS = ("EService:Unavailable", "EService:Busy", "EGeneral:Internal error", NOT_CARRIED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: how orders are worked, the faults, the occasion, who is killed, how long it is away.

    The kill falls `milliseconds` after the `number`th occasion; each further victim is
    killed `apart` milliseconds after the one before.
    """

    policy: Policy
    faults: tuple[dict[str, Any], ...]
    where: str
    occasion: str
    number: int
    milliseconds: int
    victims: tuple[str, ...]
    apart: int
    away: float
    backend: int

    @property
    def kind(self) -> str:
        """Name who is killed, in order."""
        return ", then ".join(self.victims) or "nobody"

    @property
    def instant(self) -> str:
        """Name the occasion."""
        return {PASSED: "at any time", REPORTED: f"{self.occasion} reported"}.get(
            self.where, f"{self.occasion} on record"
        )

    def __str__(self) -> str:
        """Say in a line what was drawn."""
        when = f"{self.milliseconds} ms after {self.instant} no. {self.number}"
        return f"{self.policy}, {self.kind} {when}, away {self.away} s, faults {list(self.faults)}"


def draw(seed: int, number: int) -> Plan:
    """Draw a run. The same seed and number always give the same."""
    random = Random(f"{seed}/{number}")
    (victims,) = random.choices([v for v, _ in VICTIMS], [often for _, often in VICTIMS])
    policy = list(Policy)[number // STRETCH % len(Policy)]
    drawn = OCCASIONS + (OF_RESTING if policy is Policy.POST_ONLY else ())
    ((where, occasion, _),) = random.choices(drawn, [often for _, _, often in drawn])
    least = 0 if victims else 1  # where nobody is killed, there is a fault
    plan = Plan(
        policy=policy,
        faults=tuple(_fault(random) for _ in range(max(least, random.choice((0, 0, 1, 1, 2))))),
        where=where,
        occasion=occasion,
        number=random.choice((1, 1, 2, 3)),
        milliseconds=random.randrange(1500) if where == PASSED else random.choice(MILLISECONDS),
        victims=victims,
        apart=random.choice((0, 1, 10, 100, 700)),
        away=random.choice(AWAY),
        backend=random.randrange(8),
    )
    if where == REPORTED and random.random() < 0.5:  # noqa: PLR2004 - a coin
        return replace(plan, faults=(*plan.faults, _late_answer(random, plan.number)))
    return plan


def _late_answer(random: Random, number: int) -> dict[str, Any]:
    """Let the answer come late, so that the kill falls between an order and its answer."""
    seconds = random.choice((0.05, 0.3, 1.0))
    return {"kind": "delay", "method": "AddOrder", "times": number, "seconds": seconds}


def _fault(random: Random) -> dict[str, Any]:
    kind = random.choice((*REST, *REST, *MESSAGES, *OTHERS))
    fault: dict[str, Any] = {"kind": kind, "times": random.choice((1, 1, 2))}
    if kind in REST or kind in {"error", "nonce_race"}:
        fault |= {
            "method": random.choice(ASKED),
            "status": random.choice((500, 502, 520, 524)),
            "after": random.random() < 0.5,  # noqa: PLR2004 - a coin
            "text": random.choice(TEXTS),
            "seconds": random.choice((0.1, 0.5, 2.0)),
        }
        if kind == "error" and fault["text"] == NOT_CARRIED_OUT:
            fault["after"] = False
    elif kind in {"stall", "silence"}:
        fault |= {"times": 0, "for": random.choice((5.0, 20.0))}
    elif kind == "maintenance":
        mode = random.choice(("maintenance", "cancel_only", "post_only"))
        fault |= {"mode": mode, "for": random.choice((2.0, 10.0))}
    elif kind in MESSAGES:
        fault |= {"channel": random.choice(("executions", "executions", "")), "seconds": 1.0}
        fault["skip"] = random.choice((0, 0, 1, 3))
    return fault
