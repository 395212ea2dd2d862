"""What lowers invoices before taxes: coupons, who has them, and their use."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.catalog import unique_live
from billing_core.store.tables.customers import Customer
from billing_core.store.tables.invoices import Invoice


class CouponTarget(TenantRow, kw_only=True):
    """A plan or a metric that a coupon is limited to; one coupon names only one kind."""

    __tablename__ = "coupon_targets"
    __table_args__ = (
        CheckConstraint("(plan_id IS NULL) <> (billable_metric_id IS NULL)", name="one_target"),
    )

    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id"), index=True)
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"), default=None)
    billable_metric_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("billable_metrics.id"), default=None
    )


class Coupon(TenantRow, kw_only=True):
    """A discount that customers may be given: an amount in minor units, or a percentage."""

    __tablename__ = "coupons"
    __table_args__ = (
        unique_live("coupons", "org_id", "code"),
        Index("ix_coupons_status_expiration_at", "status", "expiration_at"),
    )

    name: Mapped[str]
    code: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    coupon_type: Mapped[str]
    amount_cents: Mapped[int | None] = mapped_column(default=None)
    amount_currency: Mapped[str | None] = mapped_column(default=None)
    percentage_rate: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    frequency: Mapped[str]
    frequency_duration: Mapped[int | None] = mapped_column(default=None)
    reusable: Mapped[bool] = mapped_column(default=True)
    expiration: Mapped[str]
    expiration_at: Mapped[datetime | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(default="active")
    terminated_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    targets: Mapped[list[CouponTarget]] = relationship(
        lazy="selectin", init=False, cascade="all, delete-orphan"
    )


class AppliedCoupon(TenantRow, kw_only=True):
    """A coupon as one customer has it, with terms that may differ from the coupon's own."""

    __tablename__ = "applied_coupons"
    __table_args__ = (
        CheckConstraint("frequency_duration_remaining >= 0", name="remaining_not_negative"),
        Index("ix_applied_coupons_customer_id_status", "customer_id", "status"),
        Index("ix_applied_coupons_org_id_created_at", "org_id", "created_at"),
    )

    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id"), index=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    status: Mapped[str] = mapped_column(default="active")
    amount_cents: Mapped[int | None] = mapped_column(default=None)
    amount_currency: Mapped[str | None] = mapped_column(default=None)
    percentage_rate: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    frequency: Mapped[str]
    frequency_duration: Mapped[int | None] = mapped_column(default=None)
    frequency_duration_remaining: Mapped[int | None] = mapped_column(default=None)
    terminated_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    coupon: Mapped[Coupon] = relationship(lazy="selectin", init=False)
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)


class CouponCredit(TenantRow, kw_only=True):
    """What one applied coupon took off one invoice. Written once: it counts while that stands."""

    __tablename__ = "coupon_credits"
    __table_args__ = (
        UniqueConstraint("invoice_id", "applied_coupon_id"),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
    )

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    applied_coupon_id: Mapped[UUID] = mapped_column(ForeignKey("applied_coupons.id"), index=True)
    position: Mapped[int]
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]
    applied_coupon: Mapped[AppliedCoupon] = relationship(lazy="selectin", init=False)
    invoice: Mapped[Invoice] = relationship(lazy="selectin", init=False)
