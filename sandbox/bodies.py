"""Reading the body of a request over REST: a form, or JSON that says the same."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sandbox.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTS = ("orders", "cl_ord_ids")
FIELDS_MOST = 500  # fifteen orders of a batch with all their fields are three hundred
_ITEM = re.compile(rf"({'|'.join(LISTS)})\[([0-9]{{0,3}})\]((?:\[.+\])?)")


def read_form(body: bytes) -> dict[str, Any]:
    """Read a urlencoded or JSON body, or refuse what is neither."""
    try:
        text = body.decode()
        if text.lstrip().startswith("{"):
            form = json.loads(text, parse_float=Decimal)
            return _spelled(form) if isinstance(form, dict) else {}
        return _folded(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MOST))
    except (ValueError, RecursionError) as error:
        raise Refused("EGeneral:Invalid arguments") from error


def _spelled(form: dict[str, Any]) -> dict[str, Any]:
    """Spell a JSON body the way a urlencoded one would be; lists of orders stay lists."""
    made: dict[str, Any] = {}
    for name, value in form.items():
        match value:
            case None:
                continue
            case dict() if name == "close":
                made |= {f"close[{part}]": str(text) for part, text in value.items()}
            case list() if name in LISTS:
                made[name] = [_spelled(v) if isinstance(v, dict) else str(v) for v in value]
            case _:
                made[name] = str(value)
    return made


def _folded(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fold fields such as `orders[0][type]` and `orders[]` into lists, in order of mention."""
    form: dict[str, Any] = {}
    lists: dict[str, dict[str, Any]] = {name: {} for name in LISTS}
    for name, value in fields:
        found = _ITEM.fullmatch(name)
        if found is None:
            form[name] = value
            continue
        items = lists[found[1]]
        place = found[2] or f"unnumbered {len(items)}"
        if not found[3]:
            items[place] = value
        elif isinstance(item := items.setdefault(place, {}), dict):
            item[_part(found[3])] = value
    return form | {name: list(items.values()) for name, items in lists.items() if items}


def _part(brackets: str) -> str:
    """Name a part of an order as AddOrder does.

    Examples:
        >>> _part("[type]"), _part("[close][price]"), _part("[close[price]]")
        ('type', 'close[price]', 'close[price]')
    """
    names: list[str] = re.findall(r"[^\[\]]+", brackets)
    outer, *inner = names
    return outer + "".join(f"[{name}]" for name in inner)
