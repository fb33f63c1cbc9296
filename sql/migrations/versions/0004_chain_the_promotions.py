"""Chain the promotions, and let nobody change them

Revision ID: 0004
Revises: 0003
"""

import json
from datetime import UTC
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACTIONS = "'promoted', 'rolled_back', 'refused', 'left', 'cleared'"
REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to: % is refused', TG_TABLE_NAME, TG_OP;
END
$$
"""
APPEND_ONLY = """
CREATE TRIGGER promotions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON promotions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""
ROWS = """
SELECT id, symbol, action, from_version, to_version, who, reason, evidence, at
FROM promotions ORDER BY id
"""
SEAL = "UPDATE promotions SET previous_hash = :previous, hash = :hash WHERE id = :id"


def upgrade() -> None:
    op.add_column("model_deployments", sa.Column("semantic_version", sa.String(), nullable=True))
    for name in ("action", "previous_hash", "hash"):
        op.add_column("promotions", sa.Column(name, sa.String(), nullable=True))
    op.alter_column("promotions", "to_version", nullable=True)
    op.execute(
        "UPDATE promotions SET action = CASE WHEN evidence ? 'rolled_back_from'"
        " THEN 'rolled_back' ELSE 'promoted' END"
    )
    _chain()
    for name in ("action", "previous_hash", "hash"):
        op.alter_column("promotions", name, nullable=False)
    op.create_check_constraint(op.f("ck_promotions_action"), "promotions", f"action IN ({ACTIONS})")
    # A second entry after the same one would be a fork.
    op.create_unique_constraint(
        op.f("uq_promotions_symbol"), "promotions", ["symbol", "previous_hash"]
    )
    op.execute(REFUSE)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.execute("DROP TRIGGER promotions_append_only ON promotions")
    op.execute("DROP FUNCTION refuse_change")
    op.drop_constraint(op.f("uq_promotions_symbol"), "promotions")
    op.drop_constraint(op.f("ck_promotions_action"), "promotions")
    later = "SELECT id FROM promotions WHERE action NOT IN ('promoted', 'rolled_back')"
    op.execute(
        f"UPDATE model_deployments SET promotion_id = NULL WHERE promotion_id IN ({later})"  # noqa: S608 - our own words
    )
    op.execute(f"DELETE FROM promotions WHERE id IN ({later})")  # noqa: S608 - as above
    op.alter_column("promotions", "to_version", nullable=False)
    for name in ("action", "previous_hash", "hash"):
        op.drop_column("promotions", name)
    op.drop_column("model_deployments", "semantic_version")


def _chain() -> None:
    # As sql/chain.py seals; written out, since that may change with a later revision.
    connection = op.get_bind()
    last: dict[str, str] = {}
    for row in connection.execute(sa.text(ROWS)).mappings().all():
        content = dict(row)
        number, previous = content.pop("id"), last.get(row["symbol"], "0" * 64)
        content["at"] = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
        written = json.dumps(
            content | {"previous": previous}, sort_keys=True, separators=(",", ":")
        )
        last[row["symbol"]] = sha256(written.encode()).hexdigest()
        values = {"id": number, "previous": previous, "hash": last[row["symbol"]]}
        connection.execute(sa.text(SEAL), values)
