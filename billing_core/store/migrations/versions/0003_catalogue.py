"""Charge filters, fixed charges, add-ons and pricing units."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""


def downgrade() -> None:
    """Take them back."""
