"""What metering and pricing remember."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from billing_core.store.columns import Exact, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables here."""
    _add_high_water_marks()
    _add_event_checks()
    historical = sa.Column(
        "historical_usage_amount_cents", sa.BigInteger(), server_default="0", nullable=False
    )
    op.add_column("subscriptions", historical)


def downgrade() -> None:
    """Take them back."""
    op.drop_column("subscriptions", "historical_usage_amount_cents")
    op.drop_table("event_checks")
    op.drop_table("high_water_marks")


def _add_high_water_marks() -> None:
    op.create_table(
        "high_water_marks",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("from_datetime", Instant(timezone=True), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("base_units", Exact(), nullable=False),
        sa.Column("events_count", sa.BigInteger(), nullable=False),
        sa.Column("current", Exact(), nullable=False),
        sa.Column("maximum", Exact(), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        *_tenant(),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_high_water_marks_subscription_id"),
        ),
        sa.ForeignKeyConstraint(
            ["charge_id"], ["charges.id"], name=op.f("fk_high_water_marks_charge_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_high_water_marks")),
        sa.UniqueConstraint(
            "subscription_id",
            "charge_id",
            "from_datetime",
            "bucket",
            name="uq_high_water_marks_place",
        ),
    )
    op.create_index(op.f("ix_high_water_marks_org_id"), "high_water_marks", ["org_id"])


def _add_event_checks() -> None:
    op.create_table(
        "event_checks",
        sa.Column("last_order", sa.BigInteger(), nullable=False),
        sa.Column("checked_until", Instant(timezone=True), nullable=False),
        *_tenant(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_checks")),
        sa.UniqueConstraint("org_id", name=op.f("uq_event_checks_org_id")),
    )
    op.create_index(op.f("ix_event_checks_org_id"), "event_checks", ["org_id"])


def _tenant() -> tuple[sa.Column[Any], ...]:
    """Return the columns of every row that belongs to an organization."""
    return (
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
    )
