"""What a subscription remembers of a change of plan."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""


def downgrade() -> None:
    """Take them back."""
