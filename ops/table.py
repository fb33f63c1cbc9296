"""The live table of a stack; plain lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from ops.home import Line

STYLES = {
    "running": "green",
    "done": "green",
    "starting": "yellow",
    "waiting": "dim",
    "silent": "red",
    "restarting": "red",
    "stopped": "dim",
}
PLAIN_EVERY = 60.0  # seconds between full lists where lines are plain


class Board:
    """Shows the lines of a stack, redrawn in a terminal, printed on change elsewhere."""

    def __init__(self, title: str, *, terminal: bool | None = None) -> None:
        self._title = title
        self._console = Console()
        self._terminal = sys.stdout.isatty() if terminal is None else terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._shown: dict[str, str] = {}
        self._full_at = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Leave the last drawing on the screen."""
        if self._terminal:
            self._live.stop()

    def show(self, lines: Sequence[Line], footer: str) -> None:
        """Show how things are now."""
        if self._terminal:
            caption = Text(footer, style="dim")
            self._live.update(Group(grid(self._title, lines), caption), refresh=True)
            return
        self._say_once(footer.splitlines()[0])
        now = time.monotonic()
        full = now - self._full_at > PLAIN_EVERY
        for line in lines:
            if full or self._shown.get(line.name) != line.state:
                self._print(line)
        if full:
            self._full_at = now

    def say(self, sentence: str) -> None:
        """Print a sentence that stays."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def _say_once(self, sentence: str) -> None:
        if self._shown.get("") != sentence:
            self._shown[""] = sentence
            self.say(f"{time.strftime('%H:%M:%S')} {sentence}")

    def _print(self, line: Line) -> None:
        self._shown[line.name] = line.state
        moment = time.strftime("%H:%M:%S")
        said = f"{moment} {line.name:<9} {line.state:<10} {line.address}  {line.word}"
        self.say(said.rstrip())


def grid(title: str, lines: Sequence[Line]) -> Grid:
    """Draw the table."""
    drawn = Grid(title=title, title_justify="left", expand=True)
    drawn.add_column("name", no_wrap=True)
    drawn.add_column("address", no_wrap=True)
    drawn.add_column("state", no_wrap=True)
    drawn.add_column("what it is doing", ratio=1)
    for line in lines:
        state = Text(line.state, style=STYLES.get(line.state, ""))
        drawn.add_row(line.name, line.address, state, Text(line.word))
    return drawn
