"""Overrides of plans: their filters know what they copy, and plans what overrides are to follow."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    """Bring the columns here."""
    op.add_column("charge_filters", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column(
        "plans", sa.Column("pending_cascades", DOCUMENT, nullable=False, server_default="[]")
    )
    op.create_index("ix_plans_parent_id", "plans", ["parent_id"])


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_plans_parent_id", "plans")
    op.drop_column("plans", "pending_cascades")
    op.drop_column("charge_filters", "parent_id")
