"""The reconciliation that runs beside the trader, in a process and with a key of its own.

It may come at any moment, also between an order and its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from market.errors import ExchangeRefused, ExchangeUnreachable
from trader import settlement
from trader.exchange import Exchange

if TYPE_CHECKING:
    from market.world import World
    from ops.campaign.storage import Storage
    from ops.campaign.timeline import Timeline
    from trader.settings import ExchangeSettings


@dataclass(slots=True, kw_only=True)
class ReconciliationFlow:
    """What `flows/reconcile.py` does, without Prefect."""

    timeline: Timeline
    storage: Storage
    settings: ExchangeSettings
    world: World
    runs: int = 0

    def run(self) -> None:
        """Reconcile once; a flow that cannot reach what it needs fails and comes again later."""
        if self.storage.away:
            return
        exchange = Exchange(self.settings, world=self.world)
        try:
            found = settlement.reconcile(
                self.storage.beside, exchange, trigger="schedule", who="flow", world=self.world
            )
        except (ExchangeUnreachable, ExchangeRefused) as error:
            self.timeline.tell(f"the flow cannot reconcile: {error}")
            return
        self.runs += 1
        self.timeline.tell(f"the flow has reconciled: {found.reason}")
