"""What the live process counts and times, for Prometheus.

Stages are timed one by one, so that a slow order says where the time went: `decide` from a
closed bar to the committed intent, `send` until the exchange's answer, `record` from an
execution report's arrival to its commit, `predict` one model's score.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class Metrics:
    """The numbers of one trader; each trader has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "friday_stage_seconds",
            "Time a stage of the trading path took",
            ["stage"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._orders = self._counter("friday_orders_total", "Orders by what became of them", "fate")
        self._events = self._counter("friday_events_total", "Events taken by the loop", "kind")
        self._points = self._counter("friday_points_total", "Points for InfluxDB by fate", "fate")
        self._markets = self._gauge("friday_market", "What a market is at", ["symbol", "what"])
        self._account = self._gauge("friday_account", "What the account is at", ["what"])

    def stage(self, name: str, seconds: float) -> None:
        """Count one passage of a stage."""
        self._stages.labels(name).observe(seconds)

    def order(self, fate: str) -> None:
        """Count an order as sent, accepted, rejected or lost track of."""
        self._orders.labels(fate).inc()

    def event(self, kind: str) -> None:
        """Count an event that the loop took."""
        self._events.labels(kind).inc()

    def points(self, fate: str, count: int) -> None:
        """Count points for InfluxDB as delivered or dropped."""
        self._points.labels(fate).inc(count)

    def market(self, symbol: str, *, trusted: bool, late_trades: int) -> None:
        """Set what a market is at."""
        self._markets.labels(symbol, "trusted").set(trusted)
        self._markets.labels(symbol, "late_trades").set(late_trades)

    def account(self, *, halted: bool, connected: bool) -> None:
        """Set what the account is at."""
        self._account.labels("halted").set(halted)
        self._account.labels("connected").set(connected)

    def text(self) -> bytes:
        """Write all of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, label: str) -> Counter:
        return Counter(name, meaning, [label], registry=self._registry)

    def _gauge(self, name: str, meaning: str, labels: list[str]) -> Gauge:
        return Gauge(name, meaning, labels, registry=self._registry)
