"""At most one subscription waits to take over from another."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX = "uq_subscriptions_pending_successor"


def upgrade() -> None:
    """Bring the index here."""
    waits = sa.text("status = 'pending'")
    op.create_index(
        INDEX,
        "subscriptions",
        ["previous_subscription_id"],
        unique=True,
        sqlite_where=waits,
        postgresql_where=waits,
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index(INDEX, "subscriptions")
