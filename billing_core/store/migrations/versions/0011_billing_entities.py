"""The billing entity and payment method of a subscription, and the order an invoice names."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the columns here."""
    entity = sa.ForeignKey("billing_entities.id", name="fk_subscriptions_billing_entity_id")
    op.add_column(
        "subscriptions",
        sa.Column("billing_entity_id", sa.Uuid(), entity),
        inline_references=True,
    )
    op.add_column(
        "subscriptions",
        sa.Column("payment_method_type", sa.String(), nullable=False, server_default="provider"),
    )
    op.add_column("invoices", sa.Column("purchase_order_number", sa.String()))


def downgrade() -> None:
    """Take them back."""
    op.drop_column("invoices", "purchase_order_number")
    op.drop_column("subscriptions", "payment_method_type")
    op.drop_column("subscriptions", "billing_entity_id")
