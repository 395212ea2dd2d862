"""Who is billed: customers and their subscriptions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.catalog import Plan, unique_live
from billing_core.store.tables.organizations import BillingEntity


class CustomerMetadata(TenantRow, kw_only=True):
    """A note on a customer, up to five each."""

    __tablename__ = "customer_metadata"

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    key: Mapped[str]
    value: Mapped[str]
    display_in_invoice: Mapped[bool] = mapped_column(default=False)


class Customer(TenantRow, kw_only=True):
    """Somebody who is billed. Null billing fields mean the billing entity's value applies."""

    __tablename__ = "customers"
    __table_args__ = (unique_live("customers", "org_id", "external_id"),)

    billing_entity_id: Mapped[UUID] = mapped_column(ForeignKey("billing_entities.id"))
    external_id: Mapped[str]
    sequential_id: Mapped[int]
    slug: Mapped[str]
    updated_at: Mapped[datetime]
    name: Mapped[str | None] = mapped_column(default=None)
    firstname: Mapped[str | None] = mapped_column(default=None)
    lastname: Mapped[str | None] = mapped_column(default=None)
    legal_name: Mapped[str | None] = mapped_column(default=None)
    legal_number: Mapped[str | None] = mapped_column(default=None)
    tax_identification_number: Mapped[str | None] = mapped_column(default=None)
    email: Mapped[str | None] = mapped_column(default=None)
    phone: Mapped[str | None] = mapped_column(default=None)
    url: Mapped[str | None] = mapped_column(default=None)
    logo_url: Mapped[str | None] = mapped_column(default=None)
    account_type: Mapped[str] = mapped_column(default="customer")
    customer_type: Mapped[str | None] = mapped_column(default=None)
    currency: Mapped[str | None] = mapped_column(default=None)
    timezone: Mapped[str | None] = mapped_column(default=None)
    address_line1: Mapped[str | None] = mapped_column(default=None)
    address_line2: Mapped[str | None] = mapped_column(default=None)
    city: Mapped[str | None] = mapped_column(default=None)
    state: Mapped[str | None] = mapped_column(default=None)
    zipcode: Mapped[str | None] = mapped_column(default=None)
    country: Mapped[str | None] = mapped_column(default=None)
    shipping_address: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    net_payment_term: Mapped[int | None] = mapped_column(default=None)
    invoice_grace_period: Mapped[int | None] = mapped_column(default=None)
    subscription_invoice_issuing_date_anchor: Mapped[str | None] = mapped_column(default=None)
    subscription_invoice_issuing_date_adjustment: Mapped[str | None] = mapped_column(default=None)
    document_locale: Mapped[str | None] = mapped_column(default=None)
    finalize_zero_amount_invoice: Mapped[str] = mapped_column(default="inherit")
    skip_invoice_custom_sections: Mapped[bool] = mapped_column(default=False)
    payment_provider: Mapped[str | None] = mapped_column(default=None)
    payment_provider_code: Mapped[str | None] = mapped_column(default=None)
    provider_customer_id: Mapped[str | None] = mapped_column(default=None)
    provider_payment_methods: Mapped[list[Any] | None] = mapped_column(default=None)
    invoice_sequence: Mapped[int] = mapped_column(default=0)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    entity: Mapped[BillingEntity] = relationship(lazy="selectin", init=False)
    notes: Mapped[list[CustomerMetadata]] = relationship(
        lazy="selectin",
        init=False,
        order_by=CustomerMetadata.id,
        cascade="all, delete-orphan",
    )

    @property
    def applicable_timezone(self) -> str:
        """The zone all of this customer's days are counted in (subscriptions.md 0)."""
        return self.timezone or self.entity.timezone


class Subscription(TenantRow, kw_only=True):
    """One plan for one customer. `next_billing_on` is the local day the biller is due at.

    `next_billing_at` is that day's first instant in UTC: the indexed column the clock looks at.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_org_id_external_id", "org_id", "external_id"),
        Index(
            "ix_subscriptions_due",
            "next_billing_at",
            sqlite_where=text("status = 'active'"),
            postgresql_where=text("status = 'active'"),
        ),
        Index(
            "ix_subscriptions_trial",
            "trial_ends_at",
            sqlite_where=text("status = 'active' AND trial_ended_at IS NULL"),
            postgresql_where=text("status = 'active' AND trial_ended_at IS NULL"),
        ),
        Index(
            "uq_subscriptions_active_external_id",
            "org_id",
            "external_id",
            unique=True,
            sqlite_where=text("status = 'active'"),
            postgresql_where=text("status = 'active'"),
        ),
        Index(
            "uq_subscriptions_pending_successor",
            "previous_subscription_id",
            unique=True,
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "uq_subscriptions_incomplete_external_id",
            "org_id",
            "external_id",
            unique=True,
            sqlite_where=text("status = 'incomplete'"),
            postgresql_where=text("status = 'incomplete'"),
        ),
        Index(
            "ix_subscriptions_termination_alert_due",
            "next_termination_alert_on",
            sqlite_where=text("status = 'active'"),
            postgresql_where=text("status = 'active'"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"), index=True)
    previous_subscription_id: Mapped[UUID | None] = mapped_column(default=None, index=True)
    external_id: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    status: Mapped[str]
    billing_time: Mapped[str] = mapped_column(default="calendar")
    subscription_at: Mapped[datetime]
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    activated_at: Mapped[datetime | None] = mapped_column(default=None)
    ending_at: Mapped[datetime | None] = mapped_column(default=None)
    terminated_at: Mapped[datetime | None] = mapped_column(default=None)
    canceled_at: Mapped[datetime | None] = mapped_column(default=None)
    trial_ends_at: Mapped[datetime | None] = mapped_column(default=None)
    trial_ended_at: Mapped[datetime | None] = mapped_column(default=None)
    charges_billed_until: Mapped[datetime | None] = mapped_column(default=None)
    fixed_charges_billed_until: Mapped[datetime | None] = mapped_column(default=None)
    on_termination_credit_note: Mapped[str | None] = mapped_column(default=None)
    on_termination_invoice: Mapped[str] = mapped_column(default="generate")
    consolidate_invoice: Mapped[bool] = mapped_column(default=True)
    purchase_order_number: Mapped[str | None] = mapped_column(default=None)
    billing_entity_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("billing_entities.id"), default=None
    )
    payment_method_type: Mapped[str] = mapped_column(default="provider", server_default="provider")
    progressive_billing_disabled: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )
    historical_usage_amount_cents: Mapped[int] = mapped_column(default=0, server_default="0")
    next_billing_on: Mapped[date | None] = mapped_column(default=None)
    next_billing_at: Mapped[datetime | None] = mapped_column(default=None)
    next_termination_alert_on: Mapped[date | None] = mapped_column(default=None)
    cancellation_reason: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)
    plan: Mapped[Plan] = relationship(lazy="selectin", init=False)
    own_entity: Mapped[BillingEntity | None] = relationship(lazy="selectin", init=False)

    @property
    def entity(self) -> BillingEntity:
        """Who issues its invoices: its own billing entity, else the customer's.

        Zone, taxes and dates are always those of the customer's (subscriptions.md 11).
        """
        return self.own_entity or self.customer.entity


class ActivationRule(TenantRow, kw_only=True):
    """What must happen before a subscription starts (`docs/rules/subscriptions.md` 2.5).

    `status`: inactive, pending, satisfied, failed, expired or not_applicable. A `timeout_hours` of
    0 never expires.
    """

    __tablename__ = "activation_rules"
    __table_args__ = (
        UniqueConstraint("subscription_id", "rule_type"),
        Index(
            "ix_activation_rules_due",
            "expires_at",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    rule_type: Mapped[str]
    timeout_hours: Mapped[int]
    status: Mapped[str] = mapped_column(default="inactive")
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]


class FixedChargeUnits(TenantRow, kw_only=True):
    """From an instant on a subscription has this many units of a fixed charge (metering.md 4)."""

    __tablename__ = "fixed_charge_units"
    __table_args__ = (
        Index(
            "ix_fixed_charge_units_subscription_id_fixed_charge_id",
            "subscription_id",
            "fixed_charge_id",
        ),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    fixed_charge_id: Mapped[UUID] = mapped_column(ForeignKey("fixed_charges.id"))
    units: Mapped[Decimal] = mapped_column(Exact)
    effective_at: Mapped[datetime]


class FixedChargeOverride(TenantRow, kw_only=True):
    """A subscription's own number of units: changes on the plan pass it by (metering.md 4)."""

    __tablename__ = "fixed_charge_overrides"
    __table_args__ = (UniqueConstraint("subscription_id", "fixed_charge_id"),)

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    fixed_charge_id: Mapped[UUID] = mapped_column(ForeignKey("fixed_charges.id"))
    units: Mapped[Decimal] = mapped_column(Exact)
    updated_at: Mapped[datetime]
