"""The answer to `friday why`: one page that leads from the order back to its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.commands.printing import text

if TYPE_CHECKING:
    from sql.explanation import Why

SECTIONS = {
    "decision": ("at", "action", "reason_code", "reason", "expected_value", "cost"),
    "prediction": ("bar_start", "probability", "role", "model_version", "feature_hash"),
    "deployment": (
        "at",
        "version",
        "semantic_version",
        "action",
        "reason",
        "run_id",
        "artifact_sha256",
    ),
    "promotion": (
        "at",
        "action",
        "from_version",
        "to_version",
        "who",
        "reason",
        "evidence",
        "hash",
    ),
    "training": ("id", "trigger", "data_hash", "run_id", "reason"),
    "experiment": ("id", "hypothesis", "control_version", "treatment_version", "state"),
}


def page(chain: Why) -> str:
    """Write the chain behind an order, latest cause first."""
    order = chain.order
    lines = [
        f"{order.side} {text(order.quantity)} {order.symbol} up to {text(order.limit)}"
        if order.side == "buy"
        else f"{order.side} {text(order.quantity)} {order.symbol} down to {text(order.limit)}",
        f"  order {order.id}, at the exchange {text(order.exchange_id)}",
        f"  {order.status}, {text(order.filled)} filled at {text(order.average)} on average",
    ]
    for name, columns in SECTIONS.items():
        row: dict[str, Any] | None = getattr(chain, name)
        lines.append(f"{name}: none on record" if row is None else f"{name}:")
        if row is not None:
            lines += [f"  {column}: {text(row[column])}" for column in columns if column in row]
    lines.append("events:")
    lines += [
        f"  {text(event.at)}  {event.kind}  {_detail(event.detail)}" for event in chain.events
    ]
    lines.append("fills:" if chain.fills else "fills: none")
    lines += [
        f"  {text(fill.at)}  {fill.exec_id}  {text(fill.quantity)} at {text(fill.price)}, "
        f"fee {text(fill.fee)}, {fill.liquidity}"
        for fill in chain.fills
    ]
    lines.append("ledger:" if chain.ledger else "ledger: nothing booked")
    lines += [
        f"  {line.transaction_id}  {line.account:<9} {line.asset:<5} {text(line.amount)}"
        for line in chain.ledger
    ]
    return "\n".join(lines)


def _detail(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name} {text(str(value))}" for name, value in detail.items())
