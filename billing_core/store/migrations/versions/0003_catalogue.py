"""Charge filters, fixed charges, add-ons and pricing units."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing_core.store.columns import Exact, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
LIVE = sa.text("deleted_at IS NULL")
WITH_EVENT = sa.text("event_id IS NOT NULL")


def upgrade() -> None:
    """Bring the tables here.

    Columns are added in place: SQLite would otherwise copy and drop tables that others refer to.
    """
    _create(
        "pricing_units",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("short_name", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        *_changing(),
    )
    _unique_live("pricing_units", "org_id", "code")
    _create(
        "add_ons",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("invoice_display_name", sa.String()),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_currency", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        *_changing(),
    )
    _unique_live("add_ons", "org_id", "code")
    _create_filters()
    _create_fixed_charges()
    _extend_fees()


def downgrade() -> None:
    """Take them back."""
    op.drop_index("uq_fees_event_id_charge_id", "fees")
    for name in (
        "event_id",
        "explanation",
        "presentation_breakdowns",
        "pricing_unit_details",
        "grouped_by",
        "true_up_parent_fee_id",
        "add_on_id",
        "fixed_charge_id",
        "charge_filter_id",
    ):
        op.drop_column("fees", name)
    op.drop_column("charges", "conversion_rate")
    op.drop_column("charges", "pricing_unit_id")
    for table in (
        "fixed_charge_overrides",
        "fixed_charge_units",
        "fixed_charges",
        "charge_filters",
        "add_ons",
        "pricing_units",
    ):
        op.drop_table(table)


def _create_filters() -> None:
    _create(
        "charge_filters",
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("values", Document, nullable=False),
        sa.Column("properties", Document, nullable=False),
        sa.Column("invoice_display_name", sa.String()),
        *_changing(),
        _refers("charge_filters", "charge_id", "charges"),
    )
    op.create_index("ix_charge_filters_charge_id", "charge_filters", ["charge_id"])
    unit = sa.ForeignKey("pricing_units.id", name="fk_charges_pricing_unit_id")
    op.add_column("charges", sa.Column("pricing_unit_id", sa.Uuid(), unit), inline_references=True)
    op.add_column("charges", sa.Column("conversion_rate", Exact()))


def _create_fixed_charges() -> None:
    _create(
        "fixed_charges",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("add_on_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("invoice_display_name", sa.String()),
        sa.Column("charge_model", sa.String(), nullable=False),
        sa.Column("pay_in_advance", sa.Boolean(), nullable=False),
        sa.Column("prorated", sa.Boolean(), nullable=False),
        sa.Column("units", Exact(), nullable=False),
        sa.Column("properties", Document, nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        *_changing(),
        _refers("fixed_charges", "plan_id", "plans"),
        _refers("fixed_charges", "add_on_id", "add_ons"),
    )
    _unique_live("fixed_charges", "plan_id", "code")
    op.create_index("ix_fixed_charges_add_on_id", "fixed_charges", ["add_on_id"])
    _create(
        "fixed_charge_units",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("fixed_charge_id", sa.Uuid(), nullable=False),
        sa.Column("units", Exact(), nullable=False),
        sa.Column("effective_at", Instant(timezone=True), nullable=False),
        _refers("fixed_charge_units", "subscription_id", "subscriptions"),
        _refers("fixed_charge_units", "fixed_charge_id", "fixed_charges"),
    )
    pair = ["subscription_id", "fixed_charge_id"]
    op.create_index(
        "ix_fixed_charge_units_subscription_id_fixed_charge_id", "fixed_charge_units", pair
    )
    _create(
        "fixed_charge_overrides",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("fixed_charge_id", sa.Uuid(), nullable=False),
        sa.Column("units", Exact(), nullable=False),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        _refers("fixed_charge_overrides", "subscription_id", "subscriptions"),
        _refers("fixed_charge_overrides", "fixed_charge_id", "fixed_charges"),
        sa.UniqueConstraint(
            *pair, name="uq_fixed_charge_overrides_subscription_id_fixed_charge_id"
        ),
    )


def _extend_fees() -> None:
    for column in (
        sa.Column("charge_filter_id", sa.Uuid()),
        sa.Column("fixed_charge_id", sa.Uuid()),
        sa.Column("add_on_id", sa.Uuid()),
        sa.Column("true_up_parent_fee_id", sa.Uuid()),
        sa.Column("grouped_by", Document, server_default="{}", nullable=False),
        sa.Column("pricing_unit_details", Document),
        sa.Column("presentation_breakdowns", Document),
        sa.Column("explanation", Document),
        sa.Column("event_id", sa.Uuid()),
    ):
        op.add_column("fees", column)
    op.create_index(
        "uq_fees_event_id_charge_id",
        "fees",
        ["event_id", "charge_id"],
        unique=True,
        sqlite_where=WITH_EVENT,
        postgresql_where=WITH_EVENT,
    )


def _create(table: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(
        table,
        *parts,
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_org_id", table, ["org_id"])


def _changing() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return (
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True)),
    )


def _refers(table: str, column: str, target: str) -> sa.Constraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def _unique_live(table: str, *columns: str) -> None:
    op.create_index(
        f"uq_{table}_live_{'_'.join(columns)}",
        table,
        list(columns),
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
