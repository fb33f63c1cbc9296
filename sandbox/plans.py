"""Plans of faults: a list in a file, in which anything may be left to the seed.

In place of any value may stand `{"between": [1, 5]}` or `{"one_of": ["502", "520"]}`, and
`repeat` asks for a fault several times, each drawn anew.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sandbox.errors import Refused
from sandbox.randomness import number

MOST = 10_000


def read_plan(text: bytes) -> list[dict[str, Any]]:
    """Read a plan; every fault in it is still to be drawn.

    Raises:
        Refused: It is not a list of JSON objects, or asks for too many.
    """
    try:
        forms = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(str(error)) from error
    made: list[dict[str, Any]] = []
    for form in forms:
        count = form.pop("repeat", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
            raise Refused(f"repeat must be a whole number from 1 to {MOST}")
        made += [dict(form) for _ in range(count)]
    if len(made) > MOST:
        raise Refused(f"a plan holds at most {MOST} faults")
    return made


def draw(form: Any, *words: object) -> Any:
    """Put what the seed chooses in the place of every choice; `words` are the seed."""
    if not isinstance(form, dict):
        return form
    return {name: _chosen(value, *words, name) for name, value in form.items()}


def _chosen(value: Any, *words: object) -> Any:
    match value:
        case {"between": [int(low), int(high)], **others} if low <= high and not others:
            return low + number(*words) % (high - low + 1)
        case {"between": [int() | float() as low, int() | float() as high], **others} if (
            low <= high and not others
        ):
            return low + (high - low) * (number(*words) / 2**64)
        case {"one_of": [_, *_] as choices, **others} if not others:
            return choices[number(*words) % len(choices)]
        case dict():
            raise Refused('a choice must look like {"between": [1, 5]} or {"one_of": ["502"]}')
    return value
