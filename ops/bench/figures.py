"""What a measurement gives, what it may be asked for, and the page it is written to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """# Benchmarks

Written by `friday bench --page docs/benchmarks.md`. The machine is small, shared and noisy:
ratios measured side by side in one run tell more than absolute times.
"""
HUNDRED = 100
SECTION = re.compile(r"^## (\S+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a benchmark was asked for.

    `quick` is the seeded part that the tests run, too. `runs` is how many repetitions a
    campaign makes (None: as many as it usually does), `seed` what they are drawn from, and
    `only` the one run of a campaign to tell the story of. `recording` is a file of recorded
    websocket messages to measure on instead of the sandbox's.
    """

    quick: bool = False
    runs: int | None = None
    seed: int = 0
    only: int | None = None
    recording: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, the number to hold (None: told, not judged), and how it was measured."""

    name: str
    value: float
    unit: str
    how: str
    goal: float | None = None
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the number is on the right side of the goal; NaN never is."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def as_json(self) -> dict[str, Any]:
        """Give the object that `--json` prints."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "holds": self.holds,
            "how": self.how,
        }

    def cells(self) -> tuple[str, str, str, str]:
        """Give the name, the number, the goal and the verdict as a person reads them."""
        if self.goal is None:
            return self.name, f"{_number(self.value)} {self.unit}", "-", "-"
        bound = f"{'at most' if self.at_most else 'at least'} {_number(self.goal)}"
        number = f"{_number(self.value)} {self.unit}"
        return self.name, number, bound, "holds" if self.holds else "DOES NOT HOLD"


def write(page: Path, measured: dict[str, list[Figure]], machine: str) -> None:
    """Put the parts that were measured into the page; the others stay as they are."""
    old = page.read_text() if page.exists() else ""
    parts = {name: body.strip() for name, body in SECTION.findall(old)}
    parts |= {name: _section(figures, machine) for name, figures in measured.items()}
    sections = (f"## {name}\n\n{parts[name]}\n" for name in sorted(parts))
    page.write_text("\n".join([HEAD, *sections]))


def _section(figures: list[Figure], machine: str) -> str:
    lines = ["| what | measured | to hold | |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(figure.cells())} |" for figure in figures]
    return "\n".join([machine, "", *lines, "", *(f"- {f.name}: {f.how}" for f in figures)])


def _number(value: float) -> str:
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= HUNDRED else f"{value:.3g}"
