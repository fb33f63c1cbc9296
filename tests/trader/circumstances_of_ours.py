"""Quiet circumstances, with the parts a test does not care about filled in."""

from datetime import timedelta
from decimal import Decimal

from trader.execution import Policy
from trader.limits import Limits
from trader.outlook import Circumstances
from trader.sizing import Appetite


def circumstances(now, **changes):
    """Return the circumstances of a trader that may trade XRP at 2."""
    known = {
        "now": now,
        "quote_age": timedelta(0),
        "exchange_status": "online",
        "deadline": timedelta(seconds=2),
        "limits": Limits(),
        "policy": Policy.MARKETABLE,
        "patience": timedelta(seconds=30),
        "appetite": Appetite(),
        "marks": {"XRP/USD": Decimal(2)},
        "clock_skew": timedelta(0),
        "switch_age": timedelta(seconds=1),
    }
    return Circumstances(**known | changes)
