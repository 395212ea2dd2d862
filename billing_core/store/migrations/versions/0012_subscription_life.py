"""Starts that wait for their payment, and alerts before an end."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from billing_core.store.columns import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ALERT_DAYS = (45, 15)
INCOMPLETE = "uq_subscriptions_incomplete_external_id"
ALERT_DUE = "ix_subscriptions_termination_alert_due"


def upgrade() -> None:
    """Bring the table, columns and indexes here."""
    op.create_table(
        "activation_rules",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("rule_type", sa.String(), nullable=False),
        sa.Column("timeout_hours", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_activation_rules_subscription_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation_rules")),
        sa.UniqueConstraint(
            "subscription_id",
            "rule_type",
            name=op.f("uq_activation_rules_subscription_id_rule_type"),
        ),
    )
    op.create_index(op.f("ix_activation_rules_org_id"), "activation_rules", ["org_id"])
    _partial_index("ix_activation_rules_due", "activation_rules", ["expires_at"], "pending")
    op.add_column("subscriptions", sa.Column("cancellation_reason", sa.String(), nullable=True))
    op.add_column("subscriptions", sa.Column("next_termination_alert_on", sa.Date(), nullable=True))
    _plan_alerts()
    _partial_index(
        INCOMPLETE, "subscriptions", ["org_id", "external_id"], "incomplete", unique=True
    )
    _partial_index(ALERT_DUE, "subscriptions", ["next_termination_alert_on"], "active")


def downgrade() -> None:
    """Take them back."""
    op.drop_index(ALERT_DUE, "subscriptions")
    op.drop_index(INCOMPLETE, "subscriptions")
    op.drop_column("subscriptions", "next_termination_alert_on")
    op.drop_column("subscriptions", "cancellation_reason")
    op.drop_table("activation_rules")


def _partial_index(
    name: str, table: str, columns: list[str], status: str, *, unique: bool = False
) -> None:
    where = sa.text(f"status = '{status}'")
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _plan_alerts() -> None:
    """Let the ends that were arranged before be announced as well, those to come."""
    rows = sa.table(
        "subscriptions",
        sa.column("id", sa.Uuid()),
        sa.column("status", sa.String()),
        sa.column("ending_at", Instant(timezone=True)),
        sa.column("next_termination_alert_on", sa.Date()),
    )
    connection = op.get_bind()
    arranged = sa.select(rows.c.id, rows.c.ending_at, sa.func.current_date(type_=sa.Date())).where(
        rows.c.status.in_(("active", "pending")), rows.c.ending_at.is_not(None)
    )
    for row_id, ending_at, today in connection.execute(arranged).all():
        days = [ending_at.date() - timedelta(days=days_before) for days_before in ALERT_DAYS]
        coming = [day for day in days if day >= today]
        if coming:
            change = sa.update(rows).where(rows.c.id == row_id)
            connection.execute(change.values(next_termination_alert_on=min(coming)))
