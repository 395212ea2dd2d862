"""What can be sold: billable metrics, add-ons, plans, their charges, and the taxes on them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow

LIVE = text("deleted_at IS NULL")


def unique_live(table: str, *columns: str) -> Index:
    """Return a unique index over rows that are not deleted: codes of deleted rows may return."""
    return Index(
        f"uq_{table}_live_{'_'.join(columns)}",
        *columns,
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


class BillableMetric(TenantRow, kw_only=True):
    """What is counted: which events, and how they are folded into units."""

    __tablename__ = "billable_metrics"
    __table_args__ = (unique_live("billable_metrics", "org_id", "code"),)

    name: Mapped[str]
    code: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    aggregation_type: Mapped[str]
    field_name: Mapped[str | None] = mapped_column(default=None)
    recurring: Mapped[bool] = mapped_column(default=False)
    rounding_function: Mapped[str | None] = mapped_column(default=None)
    rounding_precision: Mapped[int | None] = mapped_column(default=None)
    weighted_interval: Mapped[str | None] = mapped_column(default=None)
    expression: Mapped[str | None] = mapped_column(default=None)
    filters: Mapped[list[Any]] = mapped_column(default_factory=list)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class PricingUnit(TenantRow, kw_only=True):
    """A unit prices may be given in instead of money: tokens, credits (metering.md 3.15)."""

    __tablename__ = "pricing_units"
    __table_args__ = (unique_live("pricing_units", "org_id", "code"),)

    name: Mapped[str]
    code: Mapped[str]
    short_name: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class ChargeFilter(TenantRow, kw_only=True):
    """A price of its own for the events of a charge whose properties have these values.

    `values` maps a key to the values it takes, or to the one word that stands for all declared
    ones (metering.md 3.12). Filters keep the order they were given in: `position`. One that copies
    the filter of a plan for an override names it as its parent.
    """

    __tablename__ = "charge_filters"

    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    values: Mapped[dict[str, list[str]]]
    properties: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    parent_id: Mapped[UUID | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class Charge(TenantRow, kw_only=True):
    """The price of one billable metric within a plan.

    With a pricing unit the price is in that unit, and `conversion_rate` is the money of the
    plan's currency that one of it costs.
    """

    __tablename__ = "charges"
    __table_args__ = (
        unique_live("charges", "plan_id", "code"),
        Index("ix_charges_billable_metric_id", "billable_metric_id"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    billable_metric_id: Mapped[UUID] = mapped_column(ForeignKey("billable_metrics.id"))
    code: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    charge_model: Mapped[str]
    pay_in_advance: Mapped[bool] = mapped_column(default=False)
    invoiceable: Mapped[bool] = mapped_column(default=True)
    prorated: Mapped[bool] = mapped_column(default=False)
    regroup_paid_fees: Mapped[str | None] = mapped_column(default=None)
    min_amount_cents: Mapped[int] = mapped_column(default=0)
    accepts_target_wallet: Mapped[bool] = mapped_column(default=False)
    properties: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    pricing_unit_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("pricing_units.id"), default=None
    )
    conversion_rate: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    parent_id: Mapped[UUID | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    metric: Mapped[BillableMetric] = relationship(lazy="selectin", init=False)
    pricing_unit: Mapped[PricingUnit | None] = relationship(lazy="selectin", init=False)
    filters: Mapped[list[ChargeFilter]] = relationship(
        lazy="selectin",
        init=False,
        order_by=ChargeFilter.position,
        primaryjoin="and_(Charge.id == ChargeFilter.charge_id, ChargeFilter.deleted_at.is_(None))",
        viewonly=True,
    )


class AddOn(TenantRow, kw_only=True):
    """Something sold by the piece: once, or with every period as a fixed charge."""

    __tablename__ = "add_ons"
    __table_args__ = (unique_live("add_ons", "org_id", "code"),)

    name: Mapped[str]
    code: Mapped[str]
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class FixedCharge(TenantRow, kw_only=True):
    """The price of a number of add-ons within a plan: `units` of them, whatever is used."""

    __tablename__ = "fixed_charges"
    __table_args__ = (
        unique_live("fixed_charges", "plan_id", "code"),
        Index("ix_fixed_charges_add_on_id", "add_on_id"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    add_on_id: Mapped[UUID] = mapped_column(ForeignKey("add_ons.id"))
    code: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    charge_model: Mapped[str]
    pay_in_advance: Mapped[bool] = mapped_column(default=False)
    prorated: Mapped[bool] = mapped_column(default=False)
    units: Mapped[Decimal] = mapped_column(Exact)
    properties: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    parent_id: Mapped[UUID | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    add_on: Mapped[AddOn] = relationship(lazy="selectin", init=False)


class Commitment(TenantRow, kw_only=True):
    """What a plan brings in at least in each of its periods, in minor units of its currency."""

    __tablename__ = "commitments"
    __table_args__ = (UniqueConstraint("plan_id"),)

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    amount_cents: Mapped[int]
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]


class Plan(TenantRow, kw_only=True):
    """A price list: a subscription fee per interval and charges for usage.

    One with a parent is the price list of a single subscription: an override, never listed. What
    its overrides are still to take over from a plan waits in `pending_cascades`, in order.
    """

    __tablename__ = "plans"
    __table_args__ = (
        Index(
            "uq_plans_live_org_id_code",
            "org_id",
            "code",
            unique=True,
            sqlite_where=text("deleted_at IS NULL AND parent_id IS NULL"),
            postgresql_where=text("deleted_at IS NULL AND parent_id IS NULL"),
        ),
        Index("ix_plans_parent_id", "parent_id"),
    )

    name: Mapped[str]
    code: Mapped[str]
    invoice_display_name: Mapped[str | None] = mapped_column(default=None)
    description: Mapped[str | None] = mapped_column(default=None)
    interval: Mapped[str]
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]
    trial_period: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    pay_in_advance: Mapped[bool] = mapped_column(default=False)
    bill_charges_monthly: Mapped[bool | None] = mapped_column(default=None)
    bill_fixed_charges_monthly: Mapped[bool | None] = mapped_column(default=None)
    parent_id: Mapped[UUID | None] = mapped_column(default=None)
    pending_deletion: Mapped[bool] = mapped_column(default=False)
    pending_cascades: Mapped[list[Any]] = mapped_column(default_factory=list, server_default="[]")
    custom_metadata: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    charges: Mapped[list[Charge]] = relationship(
        lazy="selectin",
        init=False,
        order_by=Charge.position,
        primaryjoin="and_(Plan.id == Charge.plan_id, Charge.deleted_at.is_(None))",
        viewonly=True,
    )
    fixed_charges: Mapped[list[FixedCharge]] = relationship(
        lazy="selectin",
        init=False,
        order_by=FixedCharge.position,
        primaryjoin="and_(Plan.id == FixedCharge.plan_id, FixedCharge.deleted_at.is_(None))",
        viewonly=True,
    )
    minimum_commitment: Mapped[Commitment | None] = relationship(
        lazy="joined", init=False, viewonly=True
    )


class Tax(TenantRow, kw_only=True):
    """A tax rate, in percent."""

    __tablename__ = "taxes"
    __table_args__ = (unique_live("taxes", "org_id", "code"),)

    name: Mapped[str]
    code: Mapped[str]
    rate: Mapped[Decimal] = mapped_column(Exact)
    description: Mapped[str | None] = mapped_column(default=None)
    applied_to_organization: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class TaxAssignment(TenantRow, kw_only=True):
    """A tax applied to an owner: a plan, charge, fixed charge, add-on, customer or entity."""

    __tablename__ = "tax_assignments"
    __table_args__ = (UniqueConstraint("owner_id", "tax_id"),)

    owner_id: Mapped[UUID]
    owner_type: Mapped[str]
    tax_id: Mapped[UUID] = mapped_column(ForeignKey("taxes.id"), index=True)
