"""Damage to a text message, drawn from a seed: what a bad line or a bad peer could send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

NUMBERS = ("0", "-1", "1e999", "NaN", "1e-30", "99999999999999999999", "0.1", "null", '"1"', "true")
LETTERS = '{}[]",:.-0123456789eE\\ \x00é'
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)


def mutate(text: str, random: Random) -> str:
    """Return the text with one thing wrong with it, or, by chance, still right."""
    return random.choice(MUTATIONS)(text, random)


def _change_letter(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    return text[:at] + random.choice(LETTERS) + text[at + 1 :]


def _drop_part(text: str, random: Random) -> str:
    start = random.randrange(len(text))
    return text[:start] + text[start + random.randrange(1, 20) :]


def _repeat_part(text: str, random: Random) -> str:
    start = random.randrange(len(text))
    end = start + random.randrange(1, 40)
    return text[:end] + text[start:end] + text[end:]


def _cut_short(text: str, random: Random) -> str:
    return text[: random.randrange(len(text))]


def _change_number(text: str, random: Random) -> str:
    starts = [n for n, letter in enumerate(text) if letter.isdigit() and text[n - 1] in ":, -"]
    if not starts:
        return text
    start = end = random.choice(starts)
    while end < len(text) and (text[end].isdigit() or text[end] in ".eE+-"):
        end += 1
    return text[:start] + random.choice(NUMBERS) + text[end:]


def _change_meaning(text: str, random: Random) -> str:
    """Change, drop or move a value somewhere in the document; the JSON stays sound."""
    try:
        message = json.loads(text)
    except ValueError:
        return text
    holders = [holder for holder in _holders(message) if holder]
    if not holders:
        return text
    holder = random.choice(holders)
    places: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    place = random.choice(places)
    match random.randrange(4):
        case 0:
            del holder[place]
        case 1:
            holder[place] = holder[random.choice(places)]
        case 2 if isinstance(holder, list):
            random.shuffle(holder)
        case _:
            holder[place] = random.choice(ODD)
    return json.dumps(message)


def _holders(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return []
    return [value, *(holder for part in inside for holder in _holders(part))]


MUTATIONS = (
    _change_letter,
    _drop_part,
    _repeat_part,
    _cut_short,
    _change_number,
    _change_meaning,
    _change_meaning,
)
