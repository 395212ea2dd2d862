"""Coupons, what they are limited to, who has them, and what they took off invoices."""

import sqlalchemy as sa
from alembic import op

from billing_core.store.columns import Exact, Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("coupons", "coupon_targets", "applied_coupons", "coupon_credits")
LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Bring the tables here."""
    _create_coupons()
    _create_coupon_targets()
    _create_applied_coupons()
    _create_coupon_credits()


def downgrade() -> None:
    """Take them back."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("coupon_type", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("amount_currency", sa.String(), nullable=True),
        sa.Column("percentage_rate", Exact(), nullable=True),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("frequency_duration", sa.BigInteger(), nullable=True),
        sa.Column("reusable", sa.Boolean(), nullable=False),
        sa.Column("expiration", sa.String(), nullable=False),
        sa.Column("expiration_at", Instant(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("terminated_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True), nullable=True),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupons")),
    )
    op.create_index(op.f("ix_coupons_org_id"), "coupons", ["org_id"])
    op.create_index("ix_coupons_status_expiration_at", "coupons", ["status", "expiration_at"])
    op.create_index(
        "uq_coupons_live_org_id_code",
        "coupons",
        ["org_id", "code"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


def _create_coupon_targets() -> None:
    op.create_table(
        "coupon_targets",
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("billable_metric_id", sa.Uuid(), nullable=True),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(plan_id IS NULL) <> (billable_metric_id IS NULL)",
            name=op.f("ck_coupon_targets_one_target"),
        ),
        sa.ForeignKeyConstraint(
            ["billable_metric_id"],
            ["billable_metrics.id"],
            name=op.f("fk_coupon_targets_billable_metric_id"),
        ),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_targets_coupon_id")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_coupon_targets_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_targets")),
    )
    op.create_index(op.f("ix_coupon_targets_org_id"), "coupon_targets", ["org_id"])
    op.create_index(op.f("ix_coupon_targets_coupon_id"), "coupon_targets", ["coupon_id"])


def _create_applied_coupons() -> None:
    op.create_table(
        "applied_coupons",
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("amount_currency", sa.String(), nullable=True),
        sa.Column("percentage_rate", Exact(), nullable=True),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("frequency_duration", sa.BigInteger(), nullable=True),
        sa.Column("frequency_duration_remaining", sa.BigInteger(), nullable=True),
        sa.Column("terminated_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint(
            "frequency_duration_remaining >= 0",
            name=op.f("ck_applied_coupons_remaining_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupons.id"], name=op.f("fk_applied_coupons_coupon_id")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_applied_coupons_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applied_coupons")),
    )
    op.create_index(op.f("ix_applied_coupons_org_id"), "applied_coupons", ["org_id"])
    op.create_index(op.f("ix_applied_coupons_coupon_id"), "applied_coupons", ["coupon_id"])
    op.create_index(
        "ix_applied_coupons_customer_id_status", "applied_coupons", ["customer_id", "status"]
    )
    op.create_index(
        "ix_applied_coupons_org_id_created_at", "applied_coupons", ["org_id", "created_at"]
    )


def _create_coupon_credits() -> None:
    op.create_table(
        "coupon_credits",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("applied_coupon_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_currency", sa.String(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_coupon_credits_amount_positive")),
        sa.ForeignKeyConstraint(
            ["applied_coupon_id"],
            ["applied_coupons.id"],
            name=op.f("fk_coupon_credits_applied_coupon_id"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_coupon_credits_invoice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_credits")),
        sa.UniqueConstraint(
            "invoice_id",
            "applied_coupon_id",
            name=op.f("uq_coupon_credits_invoice_id_applied_coupon_id"),
        ),
    )
    op.create_index(op.f("ix_coupon_credits_org_id"), "coupon_credits", ["org_id"])
    op.create_index(
        op.f("ix_coupon_credits_applied_coupon_id"), "coupon_credits", ["applied_coupon_id"]
    )
