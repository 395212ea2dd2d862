"""Usage thresholds and what was billed for them, alerts, and whose usage is to be looked at."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing_core.store.columns import Exact, Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = (
    "event_marks",
    "subscription_activities",
    "alerts",
    "progressive_credits",
    "applied_usage_thresholds",
    "usage_thresholds",
)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
LIVE = "deleted_at IS NULL"


def upgrade() -> None:
    """Bring the tables here."""
    op.add_column(
        "subscriptions",
        sa.Column(
            "progressive_billing_disabled", sa.Boolean(), nullable=False, server_default=sa.false()
        ),
    )
    _create_thresholds()
    _create_alerts()
    op.create_table(
        "subscription_activities",
        sa.Column("external_subscription_id", sa.String(), nullable=False),
        *_tenant(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_activities")),
        sa.UniqueConstraint(
            "org_id",
            "external_subscription_id",
            name=op.f("uq_subscription_activities_org_id_external_subscription_id"),
        ),
    )
    op.create_index(
        op.f("ix_subscription_activities_org_id"), "subscription_activities", ["org_id"]
    )
    op.create_table(
        "event_marks",
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("last_order", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_event_marks")),
    )


def downgrade() -> None:
    """Take them back."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("subscriptions", "progressive_billing_disabled")


def _create_thresholds() -> None:
    op.create_table(
        "usage_thresholds",
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("recurring", sa.Boolean(), nullable=False),
        sa.Column("threshold_display_name", sa.String(), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True), nullable=True),
        *_tenant(),
        _refers("usage_thresholds", "plan_id", "plans"),
        _refers("usage_thresholds", "subscription_id", "subscriptions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_thresholds")),
    )
    _index("usage_thresholds", "org_id")
    for owner in ("plan_id", "subscription_id"):
        columns = [owner, "amount_cents", "recurring"]
        _unique_live("usage_thresholds", f"uq_usage_thresholds_live_{'_'.join(columns)}", columns)
    op.create_table(
        "applied_usage_thresholds",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("usage_threshold_id", sa.Uuid(), nullable=False),
        sa.Column("lifetime_usage_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("current_usage_amount_cents", sa.BigInteger(), nullable=False),
        *_tenant(),
        _refers("applied_usage_thresholds", "invoice_id", "invoices"),
        _refers("applied_usage_thresholds", "usage_threshold_id", "usage_thresholds"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applied_usage_thresholds")),
        sa.UniqueConstraint(
            "invoice_id",
            "usage_threshold_id",
            name=op.f("uq_applied_usage_thresholds_invoice_id_usage_threshold_id"),
        ),
    )
    _index("applied_usage_thresholds", "org_id")
    op.create_table(
        "progressive_credits",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("progressive_invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        *_tenant(),
        _refers("progressive_credits", "invoice_id", "invoices"),
        _refers("progressive_credits", "progressive_invoice_id", "invoices"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_progressive_credits")),
        sa.UniqueConstraint(
            "invoice_id",
            "progressive_invoice_id",
            name=op.f("uq_progressive_credits_invoice_id_progressive_invoice_id"),
        ),
    )
    _index("progressive_credits", "org_id")
    _index("progressive_credits", "progressive_invoice_id")


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("external_subscription_id", sa.String(), nullable=True),
        sa.Column("wallet_id", sa.Uuid(), nullable=True),
        sa.Column("billable_metric_id", sa.Uuid(), nullable=True),
        sa.Column("alert_type", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("thresholds", DOCUMENT, nullable=False),
        sa.Column("previous_value", Exact(), nullable=False),
        sa.Column("last_processed_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True), nullable=True),
        *_tenant(),
        _refers("alerts", "billable_metric_id", "billable_metrics"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    _index("alerts", "org_id")
    _index("alerts", "billable_metric_id")
    keyed = ["org_id", "external_subscription_id"]
    _unique_live("alerts", f"uq_alerts_live_{'_'.join(keyed)}_code", [*keyed, "code"])
    _unique_live("alerts", "uq_alerts_live_wallet_id_code", ["wallet_id", "code"])
    _unique_live(
        "alerts",
        "uq_alerts_live_type",
        [*keyed, "alert_type"],
        f"{LIVE} AND billable_metric_id IS NULL",
    )
    columns = [*keyed, "alert_type", "billable_metric_id"]
    _unique_live("alerts", "uq_alerts_live_type_of_metric", columns)


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _unique_live(table: str, name: str, columns: list[str], condition: str = LIVE) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=True,
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _tenant() -> tuple[sa.Column[Any], ...]:
    """Return the columns of every row that belongs to an organization."""
    return (
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
    )
