"""What is owed: invoices, their lines, fees and taxes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.customers import Customer, Subscription
from billing_core.store.tables.organizations import BillingEntity
from billing_core.store.tables.thresholds import UsageThreshold


class InvoiceMetadata(TenantRow, kw_only=True):
    """A note on an invoice, up to five each."""

    __tablename__ = "invoice_metadata"

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    key: Mapped[str]
    value: Mapped[str]


class InvoiceAppliedTax(TenantRow, kw_only=True):
    """A tax as it stood when the invoice was computed."""

    __tablename__ = "invoice_applied_taxes"

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    tax_id: Mapped[UUID | None] = mapped_column(default=None)
    tax_name: Mapped[str]
    tax_code: Mapped[str]
    tax_rate: Mapped[Decimal] = mapped_column(Exact)
    tax_description: Mapped[str | None] = mapped_column(default=None)
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]
    fees_amount_cents: Mapped[int]


class AppliedUsageThreshold(TenantRow, kw_only=True):
    """A threshold that a progressive invoice was made for.

    It keeps the lifetime usage that reached it, and how much of that was the running period's.
    """

    __tablename__ = "applied_usage_thresholds"
    __table_args__ = (UniqueConstraint("invoice_id", "usage_threshold_id"),)

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    usage_threshold_id: Mapped[UUID] = mapped_column(ForeignKey("usage_thresholds.id"))
    lifetime_usage_amount_cents: Mapped[int]
    current_usage_amount_cents: Mapped[int]
    usage_threshold: Mapped[UsageThreshold] = relationship(lazy="selectin", init=False)


class ProgressiveCredit(TenantRow, kw_only=True):
    """What an invoice leaves off because a progressive invoice of the period has billed it."""

    __tablename__ = "progressive_credits"
    __table_args__ = (UniqueConstraint("invoice_id", "progressive_invoice_id"),)

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    progressive_invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    amount_cents: Mapped[int]
    progressive_invoice: Mapped["Invoice"] = relationship(
        lazy="selectin", init=False, foreign_keys=[progressive_invoice_id]
    )


class Invoice(TenantRow, kw_only=True):
    """A document that says what a customer owes. Amounts are minor units of `currency`."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("customer_id", "billing_entity_id", "sequential_id"),
        UniqueConstraint("billing_entity_id", "entity_sequential_id"),
        Index(
            "ix_invoices_draft_due",
            "expected_finalization_date",
            sqlite_where=text("status = 'draft'"),
            postgresql_where=text("status = 'draft'"),
        ),
        Index("ix_invoices_org_id_created_at", "org_id", "created_at"),
        Index(
            "ix_invoices_overdue_due",
            "payment_due_date",
            sqlite_where=text("status = 'finalized' AND payment_status <> 'succeeded'"),
            postgresql_where=text("status = 'finalized' AND payment_status <> 'succeeded'"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    billing_entity_id: Mapped[UUID] = mapped_column(ForeignKey("billing_entities.id"))
    number: Mapped[str]
    sequential_id: Mapped[int | None] = mapped_column(default=None)
    entity_sequential_id: Mapped[int | None] = mapped_column(default=None)
    invoice_type: Mapped[str]
    status: Mapped[str]
    payment_status: Mapped[str] = mapped_column(default="pending")
    currency: Mapped[str]
    timezone: Mapped[str]
    issuing_date: Mapped[date]
    expected_finalization_date: Mapped[date]
    payment_due_date: Mapped[date]
    net_payment_term: Mapped[int]
    payment_overdue: Mapped[bool] = mapped_column(default=False)
    payment_dispute_lost_at: Mapped[datetime | None] = mapped_column(default=None)
    finalized_at: Mapped[datetime | None] = mapped_column(default=None)
    voided_at: Mapped[datetime | None] = mapped_column(default=None)
    ready_to_be_refreshed: Mapped[bool] = mapped_column(default=False)
    fees_amount_cents: Mapped[int] = mapped_column(default=0)
    coupons_amount_cents: Mapped[int] = mapped_column(default=0)
    credit_notes_amount_cents: Mapped[int] = mapped_column(default=0)
    prepaid_credit_amount_cents: Mapped[int] = mapped_column(default=0)
    prepaid_granted_credit_amount_cents: Mapped[int | None] = mapped_column(default=None)
    prepaid_purchased_credit_amount_cents: Mapped[int | None] = mapped_column(default=None)
    progressive_billing_credit_amount_cents: Mapped[int] = mapped_column(default=0)
    sub_total_excluding_taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    taxes_rate: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    sub_total_including_taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    total_amount_cents: Mapped[int] = mapped_column(default=0)
    total_paid_amount_cents: Mapped[int] = mapped_column(default=0)
    total_offsetted_credit_note_amount_cents: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )
    version_number: Mapped[int] = mapped_column(default=4)
    self_billed: Mapped[bool] = mapped_column(default=False)
    purchase_order_number: Mapped[str | None] = mapped_column(default=None)
    file_id: Mapped[UUID | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)
    entity: Mapped[BillingEntity] = relationship(lazy="selectin", init=False)
    applied_thresholds: Mapped[list[AppliedUsageThreshold]] = relationship(
        lazy="selectin", init=False, order_by=AppliedUsageThreshold.id
    )
    notes: Mapped[list[InvoiceMetadata]] = relationship(
        lazy="selectin",
        init=False,
        order_by=InvoiceMetadata.id,
        cascade="all, delete-orphan",
    )
    applied_taxes: Mapped[list[InvoiceAppliedTax]] = relationship(
        lazy="selectin",
        init=False,
        order_by=InvoiceAppliedTax.tax_code,
        cascade="all, delete-orphan",
    )


class InvoiceSubscription(TenantRow, kw_only=True):
    """One subscription's part of an invoice: its windows, and why it was billed."""

    __tablename__ = "invoice_subscriptions"
    __table_args__ = (
        UniqueConstraint("invoice_id", "subscription_id"),
        Index(
            "uq_invoice_subscriptions_period",
            "subscription_id",
            "billed_on",
            unique=True,
            sqlite_where=text("recurring AND regenerated_invoice_id IS NULL"),
            postgresql_where=text("recurring AND regenerated_invoice_id IS NULL"),
        ),
    )

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    invoicing_reason: Mapped[str]
    recurring: Mapped[bool] = mapped_column(default=False)
    whole_period: Mapped[bool] = mapped_column(default=False)
    billed_at: Mapped[datetime]
    billed_on: Mapped[date]
    from_datetime: Mapped[datetime]
    to_datetime: Mapped[datetime]
    charges_from_datetime: Mapped[datetime | None] = mapped_column(default=None)
    charges_to_datetime: Mapped[datetime | None] = mapped_column(default=None)
    fixed_charges_from_datetime: Mapped[datetime | None] = mapped_column(default=None)
    fixed_charges_to_datetime: Mapped[datetime | None] = mapped_column(default=None)
    regenerated_invoice_id: Mapped[UUID | None] = mapped_column(default=None)
    subscription: Mapped[Subscription] = relationship(lazy="selectin", init=False)


class FeeAppliedTax(TenantRow, kw_only=True):
    """A tax as it stood when the fee was computed."""

    __tablename__ = "fee_applied_taxes"

    fee_id: Mapped[UUID] = mapped_column(ForeignKey("fees.id"), index=True)
    tax_id: Mapped[UUID | None] = mapped_column(default=None)
    tax_name: Mapped[str]
    tax_code: Mapped[str]
    tax_rate: Mapped[Decimal] = mapped_column(Exact)
    tax_description: Mapped[str | None] = mapped_column(default=None)
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]


class Fee(TenantRow, kw_only=True):
    """One priced line. `units` and `precise_*` are exact; `*_cents` are minor units.

    A fee without an invoice was charged in advance and is not, or not yet, invoiced
    (metering.md 3.16). One event is charged at most once per charge: `event_id`.
    """

    __tablename__ = "fees"
    __table_args__ = (
        Index("ix_fees_org_id_created_at", "org_id", "created_at"),
        Index(
            "uq_fees_event_id_charge_id",
            "event_id",
            "charge_id",
            unique=True,
            sqlite_where=text("event_id IS NOT NULL"),
            postgresql_where=text("event_id IS NOT NULL"),
        ),
    )

    invoice_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("invoices.id"), default=None, index=True
    )
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    subscription_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subscriptions.id"), default=None, index=True
    )
    charge_id: Mapped[UUID | None] = mapped_column(ForeignKey("charges.id"), default=None)
    charge_filter_id: Mapped[UUID | None] = mapped_column(default=None)
    fixed_charge_id: Mapped[UUID | None] = mapped_column(default=None)
    add_on_id: Mapped[UUID | None] = mapped_column(default=None)
    true_up_parent_fee_id: Mapped[UUID | None] = mapped_column(default=None)
    fee_type: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    amount_cents: Mapped[int]
    precise_amount_cents: Mapped[Decimal] = mapped_column(Exact)
    amount_currency: Mapped[str]
    precise_coupons_amount_cents: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    precise_credit_notes_amount_cents: Mapped[Decimal] = mapped_column(
        Exact, default=Decimal(0), server_default="0"
    )
    taxes_precise_amount_cents: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    taxes_rate: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    units: Mapped[Decimal] = mapped_column(Exact)
    total_aggregated_units: Mapped[Decimal] = mapped_column(Exact)
    precise_unit_amount: Mapped[Decimal] = mapped_column(Exact)
    unit_amount_cents: Mapped[int]
    events_count: Mapped[int | None] = mapped_column(default=None)
    pay_in_advance: Mapped[bool] = mapped_column(default=False)
    invoiceable: Mapped[bool] = mapped_column(default=True)
    payment_status: Mapped[str] = mapped_column(default="pending")
    succeeded_at: Mapped[datetime | None] = mapped_column(default=None)
    failed_at: Mapped[datetime | None] = mapped_column(default=None)
    refunded_at: Mapped[datetime | None] = mapped_column(default=None)
    from_datetime: Mapped[datetime | None] = mapped_column(default=None)
    to_datetime: Mapped[datetime | None] = mapped_column(default=None)
    item: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    amount_details: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    grouped_by: Mapped[dict[str, Any]] = mapped_column(default_factory=dict, server_default="{}")
    pricing_unit_details: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    presentation_breakdowns: Mapped[list[Any] | None] = mapped_column(default=None)
    explanation: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    external_subscription_id: Mapped[str | None] = mapped_column(default=None)
    event_id: Mapped[UUID | None] = mapped_column(default=None)
    event_transaction_id: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)
    applied_taxes: Mapped[list[FeeAppliedTax]] = relationship(
        lazy="selectin",
        init=False,
        order_by=FeeAppliedTax.tax_code,
        cascade="all, delete-orphan",
    )
