"""Wallets, their entries and rules, and alerts on them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing_core.store.columns import Exact, Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = (
    "wallet_refreshes",
    "wallets",
    "wallet_metrics",
    "wallet_rules",
    "wallet_transactions",
    "wallet_consumptions",
)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
ACTIVE = sa.text("status = 'active'")
INVOICED = sa.text("transaction_status = 'invoiced'")
LIVE = sa.text("deleted_at IS NULL")
ALERTS = "uq_alerts_live_wallet_id_alert_type"


def upgrade() -> None:
    """Bring the tables here."""
    _create_wallet_refreshes()
    _create_wallets()
    _create_wallet_metrics()
    _create_wallet_rules()
    _create_wallet_transactions()
    _create_wallet_consumptions()
    op.create_index(
        ALERTS,
        "alerts",
        ["wallet_id", "alert_type"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


def downgrade() -> None:
    """Take them back."""

    op.drop_index(ALERTS, "alerts")
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_wallet_refreshes() -> None:
    op.create_table(
        "wallet_refreshes",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("promised", sa.Boolean(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_wallet_refreshes_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_refreshes")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_wallet_refreshes_customer_id")),
    )
    op.create_index(op.f("ix_wallet_refreshes_org_id"), "wallet_refreshes", ["org_id"])


def _create_wallets() -> None:
    op.create_table(
        "wallets",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("billing_entity_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("rate_amount", Exact(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("credits_balance", Exact(), nullable=False),
        sa.Column("consumed_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("consumed_credits", Exact(), nullable=False),
        sa.Column("expired_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("expired_credits", Exact(), nullable=False),
        sa.Column("ongoing_balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("ongoing_usage_balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("credits_ongoing_balance", Exact(), nullable=False),
        sa.Column("credits_ongoing_usage_balance", Exact(), nullable=False),
        sa.Column("is_depleted", sa.Boolean(), nullable=False),
        sa.Column("fee_types", DOCUMENT, nullable=False),
        sa.Column("paid_top_up_min_amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("paid_top_up_max_amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("invoice_requires_successful_payment", sa.Boolean(), nullable=False),
        sa.Column("purchase_order_number", sa.String(), nullable=True),
        sa.Column("payment_method_type", sa.String(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=True),
        sa.Column("expiration_at", Instant(timezone=True), nullable=True),
        sa.Column("terminated_at", Instant(timezone=True), nullable=True),
        sa.Column("last_balance_sync_at", Instant(timezone=True), nullable=True),
        sa.Column("last_consumed_credit_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint("balance_cents >= 0", name=op.f("ck_wallets_balance_not_negative")),
        sa.ForeignKeyConstraint(
            ["billing_entity_id"],
            ["billing_entities.id"],
            name=op.f("fk_wallets_billing_entity_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_wallets_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallets")),
    )
    op.create_index(op.f("ix_wallets_customer_id"), "wallets", ["customer_id"])
    op.create_index(
        "ix_wallets_expiring",
        "wallets",
        ["expiration_at"],
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )
    op.create_index(op.f("ix_wallets_org_id"), "wallets", ["org_id"])
    op.create_index(
        "uq_wallets_active_code",
        "wallets",
        ["customer_id", "code"],
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )


def _create_wallet_metrics() -> None:
    op.create_table(
        "wallet_metrics",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("billable_metric_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["billable_metric_id"],
            ["billable_metrics.id"],
            name=op.f("fk_wallet_metrics_billable_metric_id"),
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_metrics_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_metrics")),
        sa.UniqueConstraint(
            "wallet_id",
            "billable_metric_id",
            name=op.f("uq_wallet_metrics_wallet_id_billable_metric_id"),
        ),
    )
    op.create_index(op.f("ix_wallet_metrics_org_id"), "wallet_metrics", ["org_id"])


def _create_wallet_rules() -> None:
    op.create_table(
        "wallet_rules",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("interval", sa.String(), nullable=True),
        sa.Column("threshold_credits", Exact(), nullable=True),
        sa.Column("paid_credits", Exact(), nullable=False),
        sa.Column("granted_credits", Exact(), nullable=False),
        sa.Column("target_ongoing_balance", Exact(), nullable=True),
        sa.Column("grants_target_top_up", sa.Boolean(), nullable=True),
        sa.Column("started_at", Instant(timezone=True), nullable=True),
        sa.Column("expiration_at", Instant(timezone=True), nullable=True),
        sa.Column("terminated_at", Instant(timezone=True), nullable=True),
        sa.Column("next_top_up_on", sa.Date(), nullable=True),
        sa.Column("last_top_up_on", sa.Date(), nullable=True),
        sa.Column("invoice_requires_successful_payment", sa.Boolean(), nullable=False),
        sa.Column("ignore_paid_top_up_limits", sa.Boolean(), nullable=False),
        sa.Column("transaction_name", sa.String(), nullable=True),
        sa.Column("transaction_metadata", DOCUMENT, nullable=False),
        sa.Column("purchase_order_number", sa.String(), nullable=True),
        sa.Column("payment_method_type", sa.String(), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_rules_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_rules")),
    )
    op.create_index(
        "ix_wallet_rules_due",
        "wallet_rules",
        ["next_top_up_on"],
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )
    op.create_index(op.f("ix_wallet_rules_org_id"), "wallet_rules", ["org_id"])
    op.create_index(op.f("ix_wallet_rules_wallet_id"), "wallet_rules", ["wallet_id"])


def _create_wallet_transactions() -> None:
    op.create_table(
        "wallet_transactions",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_type", sa.String(), nullable=False),
        sa.Column("transaction_status", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("credit_amount", Exact(), nullable=False),
        sa.Column("remaining_amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("invoice_requires_successful_payment", sa.Boolean(), nullable=False),
        sa.Column("is_expiry", sa.Boolean(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=True),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("voided_invoice_id", sa.Uuid(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("purchase_order_number", sa.String(), nullable=True),
        sa.Column("payment_method_type", sa.String(), nullable=True),
        sa.Column("settled_at", Instant(timezone=True), nullable=True),
        sa.Column("failed_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_cents >= 0", name=op.f("ck_wallet_transactions_amount_not_negative")
        ),
        sa.CheckConstraint(
            "remaining_amount_cents >= 0",
            name=op.f("ck_wallet_transactions_remaining_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["credit_note_id"],
            ["credit_notes.id"],
            name=op.f("fk_wallet_transactions_credit_note_id"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_wallet_transactions_invoice_id")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["wallet_rules.id"], name=op.f("fk_wallet_transactions_rule_id")
        ),
        sa.ForeignKeyConstraint(
            ["voided_invoice_id"],
            ["invoices.id"],
            name=op.f("fk_wallet_transactions_voided_invoice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_transactions_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_transactions")),
    )
    op.create_index(
        op.f("ix_wallet_transactions_invoice_id"), "wallet_transactions", ["invoice_id"]
    )
    op.create_index(op.f("ix_wallet_transactions_org_id"), "wallet_transactions", ["org_id"])
    op.create_index(op.f("ix_wallet_transactions_wallet_id"), "wallet_transactions", ["wallet_id"])
    op.create_index(
        "uq_wallet_transactions_invoiced",
        "wallet_transactions",
        ["wallet_id", "invoice_id"],
        unique=True,
        sqlite_where=INVOICED,
        postgresql_where=INVOICED,
    )


def _create_wallet_consumptions() -> None:
    op.create_table(
        "wallet_consumptions",
        sa.Column("inbound_id", sa.Uuid(), nullable=False),
        sa.Column("outbound_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_wallet_consumptions_amount_positive")),
        sa.ForeignKeyConstraint(
            ["inbound_id"],
            ["wallet_transactions.id"],
            name=op.f("fk_wallet_consumptions_inbound_id"),
        ),
        sa.ForeignKeyConstraint(
            ["outbound_id"],
            ["wallet_transactions.id"],
            name=op.f("fk_wallet_consumptions_outbound_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_consumptions")),
        sa.UniqueConstraint(
            "inbound_id", "outbound_id", name=op.f("uq_wallet_consumptions_inbound_id_outbound_id")
        ),
    )
    op.create_index(op.f("ix_wallet_consumptions_org_id"), "wallet_consumptions", ["org_id"])
    op.create_index(
        op.f("ix_wallet_consumptions_outbound_id"), "wallet_consumptions", ["outbound_id"]
    )
    # ### end Alembic commands ###
