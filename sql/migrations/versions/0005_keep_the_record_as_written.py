"""Let nobody change what was traded, booked, decided and scored

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WRITTEN = ("predictions", "decisions", "order_events", "fills", "ledger_entries", "adjustments")
# PostgreSQL takes NaN for more than any number, so it is more than 0 as well.
POSITIVE = "quantity > 0 AND price > 0 AND fee >= 0"
A_TRADE = (
    "quantity > 0 AND price > 0 AND cost >= 0 AND fee >= 0"
    " AND quantity <> 'NaN' AND price <> 'NaN' AND cost <> 'NaN' AND fee <> 'NaN'"
)
CHECKS = {
    "fills": {"side": "side IN ('buy', 'sell')"},
    "ledger_entries": {"amount": "amount <> 'NaN'"},
    "orders": {"possible": "quantity > 0 AND quantity <> 'NaN' AND limit_price <> 'NaN'"},
    "equity_marks": {"profit": "profit <> 'NaN'"},
}


def upgrade() -> None:
    for table in WRITTEN:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    _check_fills(A_TRADE)
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, sa.text(condition))


def downgrade() -> None:
    for table, checks in CHECKS.items():
        for name in checks:
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    _check_fills(POSITIVE)
    for table in WRITTEN:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")


def _check_fills(condition: str) -> None:
    op.drop_constraint(op.f("ck_fills_positive"), "fills")
    op.create_check_constraint(op.f("ck_fills_positive"), "fills", sa.text(condition))
