"""Features and entitlements."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""


def downgrade() -> None:
    """Take them back."""
