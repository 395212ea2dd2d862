"""The event log: what rollups keep apart, and how events wait for them."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""


def downgrade() -> None:
    """Take them back."""
