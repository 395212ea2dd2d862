"""Minimum commitments of plans, the ends of trials, and what a former zone has billed."""

import sqlalchemy as sa
from alembic import op

from billing_core.store.columns import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANTS = ("trial_ends_at", "charges_billed_until", "fixed_charges_billed_until")
IN_TRIAL = sa.text("status = 'active' AND trial_ended_at IS NULL")


def upgrade() -> None:
    """Bring it here; no subscription has had a trial before."""
    op.create_table(
        "commitments",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("invoice_display_name", sa.String(), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_commitments_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_commitments_plan_id")),
    )
    op.create_index(op.f("ix_commitments_org_id"), "commitments", ["org_id"])
    for name in INSTANTS:
        op.add_column("subscriptions", sa.Column(name, Instant(timezone=True), nullable=True))
    op.create_index(
        "ix_subscriptions_trial",
        "subscriptions",
        ["trial_ends_at"],
        sqlite_where=IN_TRIAL,
        postgresql_where=IN_TRIAL,
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_subscriptions_trial", "subscriptions")
    for name in INSTANTS:
        op.drop_column("subscriptions", name)
    op.drop_table("commitments")
