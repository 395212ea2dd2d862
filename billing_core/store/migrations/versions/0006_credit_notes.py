"""Credit notes and what they apply to."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""


def downgrade() -> None:
    """Take them back."""
