"""What a campaign found, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.campaign.campaign import Result

TITLES = {
    "faults": "Strokes of the exchange's faults",
    "killed": "Kills of the trader, by where it was killed",
    "deaths": "Kills of the exchange, by where it was killed",
    "losses": "PostgreSQL went away, by when",
    "ends": "Ends of the trader, each followed by a start",
    "said": "What a person said",
    "orders": "Orders, as they ended",
    "parts": "Orders, by how many fills they had",
}
MOST_SHOWN = 20


def markdown(result: Result, seed: int) -> str:
    """Return the counts of a campaign and the runs that failed, as sections of a page."""
    each = result.took / max(result.runs, 1)
    summary = (
        f"{result.runs:,} runs of seed {seed}: {len(result.failed):,} failed. "
        f"{result.simulated / 3600:.1f} simulated hours in {result.took / 3600:.1f} hours, "
        f"{each:.2f} s a run."
    )
    lines = [summary, ""]
    for name, title in TITLES.items():
        lines += [f"### {title}", "", "| what | times | in so many runs |", "|---|---|---|"]
        for kind, count in sorted(result.counts[name].items()):
            if count:
                lines.append(f"| {kind} | {count:,} | {result.runs_with[name][kind]:,} |")
        lines.append("")
    for number, found in list(result.failed.items())[:MOST_SHOWN]:
        lines.append(f"- run {number}: {found[0]}")
    return "\n".join(lines)
