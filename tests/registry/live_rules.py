"""The live rules on some bars, so generous and fine that nothing is refused, trimmed or rounded."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
from paper_markets import GENEROUS, instrument, rows, terms

from market.tape import Tape
from ops.backtesting import backtest
from trader.limits import Limits

# So fine a grid and so small a lot that nothing is rounded to speak of.
FINE = {
    "price_decimals": 14,
    "quantity_decimals": 16,
    "quantity_min": Decimal("1e-9"),
    "cost_min": Decimal("1e-9"),
}
# A stake so small beside the money that it is always the same, and never trimmed or added to.
SAME = Limits(
    max_position_value=Decimal("0.001"),
    max_entries_per_hour=GENEROUS.max_entries_per_hour,
    max_orders_per_minute=GENEROUS.max_orders_per_minute,
    max_pressure=GENEROUS.max_pressure,
)
NO_SPREAD = 1e-12


def traded(bars, said, contract):
    """Return the starts of the bars decided on and the net return of every round trip.

    A round trip costs what the contract says, half of it on either side.
    """
    count, fee = len(bars), Decimal(repr(contract.cost / 2))
    tape = Tape(
        starts=[at.to_pydatetime() for at in bars.index],
        interval=timedelta(seconds=contract.interval_seconds),
        open=bars["open"].to_numpy(),
        close=bars["close"].to_numpy(),
        volume=np.full(count, 1e6),
        spread=np.full(count, NO_SPREAD),
    )
    on = terms(instrument=instrument(taker_fee=fee, **FINE), limits=SAME)
    outcome = backtest.run(tape, rows(count), said, contract, on)
    assert not outcome.halts
    assert outcome.sent_away is None
    return [
        (bars.index[b.number], bars.index[s.number], trip(b, s))
        for b, s in zip(outcome.traded[::2], outcome.traded[1::2], strict=False)
    ]


def trip(bought, sold):
    """Return what a purchase and its sale came to, net, as a fraction of what was paid."""
    return float((sold.cost - sold.fee - bought.cost - bought.fee) / bought.cost)
