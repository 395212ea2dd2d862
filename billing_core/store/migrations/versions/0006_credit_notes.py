"""Credit notes and what they apply to."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing_core.store.columns import Exact, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("credits", "credit_note_applied_taxes", "credit_note_items", "credit_notes")
NOTE_AMOUNTS = (
    "total_amount_cents",
    "credit_amount_cents",
    "refund_amount_cents",
    "offset_amount_cents",
    "balance_amount_cents",
    "sub_total_excluding_taxes_amount_cents",
    "taxes_amount_cents",
    "coupons_adjustment_amount_cents",
)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    """Bring the tables here."""
    _create_notes()
    _create_parts()
    op.create_table(
        "credits",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_currency", sa.String(), nullable=False),
        sa.Column("given_back", sa.Boolean(), nullable=False),
        *_tenant(),
        _refers("credits", "invoice_id", "invoices"),
        _refers("credits", "credit_note_id", "credit_notes"),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_credits_amount_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credits")),
        sa.UniqueConstraint(
            "invoice_id",
            "credit_note_id",
            "given_back",
            name=op.f("uq_credits_invoice_id_credit_note_id_given_back"),
        ),
    )
    _index("credits", "org_id")
    _index("credits", "credit_note_id")
    op.add_column(
        "invoices",
        sa.Column(
            "total_offsetted_credit_note_amount_cents",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
        ),
    )
    op.add_column(
        "fees",
        sa.Column("precise_credit_notes_amount_cents", Exact(), nullable=False, server_default="0"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_column("fees", "precise_credit_notes_amount_cents")
    op.drop_column("invoices", "total_offsetted_credit_note_amount_cents")
    for table in TABLES:
        op.drop_table(table)


def _create_notes() -> None:
    op.create_table(
        "credit_notes",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("sequential_id", sa.BigInteger(), nullable=False),
        sa.Column("issuing_date", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("credit_status", sa.String(), nullable=True),
        sa.Column("refund_status", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NOTE_AMOUNTS),
        sa.Column("precise_taxes_amount_cents", Exact(), nullable=False),
        sa.Column("taxes_rate", Exact(), nullable=False),
        sa.Column("precise_coupons_adjustment_amount_cents", Exact(), nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=True),
        sa.Column("finalized_at", Instant(timezone=True), nullable=True),
        sa.Column("refunded_at", Instant(timezone=True), nullable=True),
        sa.Column("voided_at", Instant(timezone=True), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        *_tenant(),
        _refers("credit_notes", "customer_id", "customers"),
        _refers("credit_notes", "invoice_id", "invoices"),
        sa.CheckConstraint(
            "balance_amount_cents >= 0", name=op.f("ck_credit_notes_balance_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint(
            "invoice_id", "sequential_id", name=op.f("uq_credit_notes_invoice_id_sequential_id")
        ),
    )
    _index("credit_notes", "org_id")
    _index("credit_notes", "customer_id")
    _index("credit_notes", "invoice_id")
    _index("credit_notes", "org_id", "created_at")


def _create_parts() -> None:
    op.create_table(
        "credit_note_items",
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("fee_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("precise_amount_cents", Exact(), nullable=False),
        sa.Column("amount_currency", sa.String(), nullable=False),
        *_tenant(),
        _refers("credit_note_items", "credit_note_id", "credit_notes"),
        _refers("credit_note_items", "fee_id", "fees"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note_items")),
    )
    _index("credit_note_items", "org_id")
    _index("credit_note_items", "credit_note_id")
    _index("credit_note_items", "fee_id")
    op.create_table(
        "credit_note_applied_taxes",
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("tax_id", sa.Uuid(), nullable=True),
        sa.Column("tax_name", sa.String(), nullable=False),
        sa.Column("tax_code", sa.String(), nullable=False),
        sa.Column("tax_rate", Exact(), nullable=False),
        sa.Column("tax_description", sa.String(), nullable=True),
        sa.Column("base_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_currency", sa.String(), nullable=False),
        *_tenant(),
        _refers("credit_note_applied_taxes", "credit_note_id", "credit_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note_applied_taxes")),
    )
    _index("credit_note_applied_taxes", "org_id")
    _index("credit_note_applied_taxes", "credit_note_id")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _tenant() -> tuple[sa.Column[Any], ...]:
    """Return the columns of every row that belongs to an organization."""
    return (
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
    )
