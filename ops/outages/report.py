"""What the campaign found, as a page."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ops.outages.campaign import Outcome, Result


def markdown(result: Result, seed: int) -> str:
    """Return the counts of a campaign and the runs that failed, as sections of a page."""
    runs = list(result.outcomes.values())
    took = sum(one.took for one in runs)
    summary = (
        f"{len(runs)} runs of seed {seed}: {len(result.failed)} failed. "
        f"{sum(one.orders for one in runs):,} orders in {took / 60:.0f} minutes, "
        f"{took / max(len(runs), 1):.1f} s a run."
    )
    lines = [summary, ""]
    lines += _table("Orders are worked", runs, lambda one: [str(one.plan.policy)])
    lines += _table("Killed", runs, lambda one: [one.plan.kind])
    lines += _table("Instant of the first kill", runs, lambda one: [one.plan.instant])
    lines += _table("Away for", runs, lambda one: [f"{one.plan.away:g} s"])
    lines += _table("Faults of the exchange that struck", runs, lambda one: one.struck)
    vain = sum(not one.occasion for one in runs)
    lines += [f"In {vain} runs the occasion did not come in time, and the kill fell then.", ""]
    lines += ["### Ends that nobody asked for, each followed by a start", ""]
    lines += ["| what | times |", "|---|---|"]
    lines += [f"| {what} | {count} |" for what, count in result.ends.most_common()]
    lines += ["", *(f"- run {n}: {one.wrong[0]} ({one.plan})" for n, one in result.failed.items())]
    return "\n".join(lines)


def _table(title: str, runs: list[Outcome], kinds: Callable[[Outcome], Iterable[str]]) -> list[str]:
    often: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    healed: dict[str, list[float]] = {}
    for one in runs:
        for kind in kinds(one):
            often[kind] += 1
            failed[kind] += bool(one.wrong)
            healed.setdefault(kind, []).append(one.healed)
    head = ["| what | runs | failed | healed in s, median | most |", "|---|---|---|---|---|"]
    rows = [
        f"| {kind} | {count} | {failed[kind]} | {median(seconds):.1f} | {max(seconds):.1f} |"
        for kind, count in sorted(often.items())
        for seconds in [healed[kind]]
    ]
    return [f"### {title}", "", *head, *rows, ""]
