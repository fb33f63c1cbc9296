"""Let the trader write down that it rolled back from a model version

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHECK = "ck_model_deployments_action"


def upgrade() -> None:
    op.add_column("model_deployments", sa.Column("promotion_id", sa.Integer(), nullable=True))
    op.add_column("model_deployments", sa.Column("profit", sa.Numeric(38, 18), nullable=True))
    op.create_foreign_key(
        op.f("fk_model_deployments_promotion_id_promotions"),
        "model_deployments",
        "promotions",
        ["promotion_id"],
        ["id"],
    )
    op.drop_constraint(op.f(CHECK), "model_deployments")
    op.create_check_constraint(
        op.f(CHECK), "model_deployments", "action IN ('deployed', 'refused', 'rolled_back')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM model_deployments WHERE action = 'rolled_back'")
    op.drop_constraint(op.f(CHECK), "model_deployments")
    op.create_check_constraint(
        op.f(CHECK), "model_deployments", "action IN ('deployed', 'refused')"
    )
    op.drop_constraint(op.f("fk_model_deployments_promotion_id_promotions"), "model_deployments")
    op.drop_column("model_deployments", "profit")
    op.drop_column("model_deployments", "promotion_id")
