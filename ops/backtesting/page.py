"""A backtest as one page that a browser opens without a network."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ops.backtesting.figures import Trip

# A browser scrolls through so many rows with ease; the JSON beside the page has all of them.
MOST_ROWS = 2_000
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1e21; background: #fff }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
p.verdict { font-size: 1.1rem } ul { padding-left: 1.2rem } img { max-width: 100% }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .8rem; border-bottom: 1px solid #ddd; text-align: right;
  white-space: nowrap }
th:first-child, td:first-child { text-align: left } .wide { overflow-x: auto }
.loss { color: #a5281b } .gain { color: #156b33 }
"""


def render(
    *,
    title: str,
    verdict: str,
    notes: Iterable[str],
    tables: Mapping[str, Sequence[tuple[str, str]]],
    pictures: Mapping[str, bytes],
    trips: Sequence[Trip],
) -> str:
    """Return the page as HTML with everything in it.

    Args:
        title: Which version on which market and when.
        verdict: What came of it, in a sentence.
        notes: What was assumed or measured, a sentence each.
        tables: Names and values, by the table's heading.
        pictures: PNG by heading.
        trips: Every trade from flat to flat.
    """
    drawn = [f"<h2>{escape(name)}</h2>{_picture(name, png)}" for name, png in pictures.items()]
    told = [f"<h2>{escape(name)}</h2>{_pairs(rows)}" for name, rows in tables.items()]
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict">{escape(verdict)}</p>',
        *drawn,
        *told,
        f"<h2>What this rests on</h2><ul>{listed}</ul>",
        f"<h2>Trades</h2>{_trips(trips)}",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def number(value: Any) -> str:
    """Write a number as a person reads it; nothing known is a dash."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
        case _:
            return f"{value:,}" if isinstance(value, int) else str(value)


def _picture(name: str, png: bytes) -> str:
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<table>{cells}</table>"


def _trips(trips: Sequence[Trip]) -> str:
    if not trips:
        return "<p>Nothing was traded.</p>"
    head = (
        "opened (UTC)",
        "closed",
        "bars",
        "quantity",
        "bought at",
        "sold at",
        "fees",
        "net",
        "net, %",
        "why in",
        "why out",
    )
    left = len(trips) - MOST_ROWS
    more = f"<p>{left:,} later trades are in the JSON beside this page.</p>" if left > 0 else ""
    rows = "".join(map(_trip, trips[:MOST_ROWS]))
    heads = "".join(f"<th>{name}</th>" for name in head)
    return f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>{more}'


def _trip(trip: Trip) -> str:
    kind = "gain" if trip.net > 0 else "loss"
    cells = (
        f"{trip.opened:%Y-%m-%d %H:%M}",
        "still open" if trip.closed is None else f"{trip.closed:%Y-%m-%d %H:%M}",
        str(trip.bars),
        f"{trip.quantity:.4f}",
        f"{trip.bought:.5f}",
        "-" if trip.sold is None else f"{trip.sold:.5f}",
        f"{trip.fees:.4f}",
        f"{trip.net:+.4f}",
        f"{100 * trip.share:+.3f}",
        trip.why_in,
        trip.why_out or "-",
    )
    inner = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{kind}">{inner}</tr>'
