"""Prepaid credit: wallets, their append-only entries, and the rules that refill them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.catalog import BillableMetric
from billing_core.store.tables.customers import Customer
from billing_core.store.tables.organizations import BillingEntity

ACTIVE = "status = 'active'"
INVOICED = "transaction_status = 'invoiced'"
ZERO = Decimal(0)


class WalletMetric(TenantRow, kw_only=True):
    """A metric whose usage a wallet pays for."""

    __tablename__ = "wallet_metrics"
    __table_args__ = (UniqueConstraint("wallet_id", "billable_metric_id"),)

    wallet_id: Mapped[UUID] = mapped_column(ForeignKey("wallets.id"))
    billable_metric_id: Mapped[UUID] = mapped_column(ForeignKey("billable_metrics.id"))
    metric: Mapped[BillableMetric] = relationship(lazy="selectin", init=False)


class WalletRule(TenantRow, kw_only=True):
    """Tops a wallet up by itself: below a threshold, or at an interval (money.md 4.6).

    Quantities are credits. `next_top_up_on` is the customer's local day on which an interval rule
    is due, `last_top_up_on` the one on which it last fired.
    """

    __tablename__ = "wallet_rules"
    __table_args__ = (
        Index(
            "ix_wallet_rules_due",
            "next_top_up_on",
            sqlite_where=text(ACTIVE),
            postgresql_where=text(ACTIVE),
        ),
    )

    wallet_id: Mapped[UUID] = mapped_column(ForeignKey("wallets.id"), index=True)
    status: Mapped[str] = mapped_column(default="active")
    trigger: Mapped[str]
    method: Mapped[str]
    interval: Mapped[str | None] = mapped_column(default=None)
    threshold_credits: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    paid_credits: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    granted_credits: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    target_ongoing_balance: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    grants_target_top_up: Mapped[bool | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    expiration_at: Mapped[datetime | None] = mapped_column(default=None)
    terminated_at: Mapped[datetime | None] = mapped_column(default=None)
    next_top_up_on: Mapped[date | None] = mapped_column(default=None)
    last_top_up_on: Mapped[date | None] = mapped_column(default=None)
    invoice_requires_successful_payment: Mapped[bool] = mapped_column(default=False)
    ignore_paid_top_up_limits: Mapped[bool] = mapped_column(default=False)
    transaction_name: Mapped[str | None] = mapped_column(default=None)
    transaction_metadata: Mapped[list[Any]] = mapped_column(default_factory=list)
    purchase_order_number: Mapped[str | None] = mapped_column(default=None)
    payment_method_type: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]


class Wallet(TenantRow, kw_only=True):
    """Prepaid credits of a customer in one currency.

    `balance_cents` and `credits_balance` are the sums of its settled entries. The ongoing ones are
    what usage that is not billed yet will leave. `expired_*` is what it still held when it expired,
    and what the API goes on showing.
    """

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint("balance_cents >= 0", name="balance_not_negative"),
        Index(
            "uq_wallets_active_code",
            "customer_id",
            "code",
            unique=True,
            sqlite_where=text(ACTIVE),
            postgresql_where=text(ACTIVE),
        ),
        Index(
            "ix_wallets_expiring",
            "expiration_at",
            sqlite_where=text(ACTIVE),
            postgresql_where=text(ACTIVE),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    billing_entity_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("billing_entities.id"), default=None
    )
    status: Mapped[str] = mapped_column(default="active")
    currency: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    code: Mapped[str]
    priority: Mapped[int] = mapped_column(default=50)
    rate_amount: Mapped[Decimal] = mapped_column(Exact)
    balance_cents: Mapped[int] = mapped_column(default=0)
    credits_balance: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    consumed_amount_cents: Mapped[int] = mapped_column(default=0)
    consumed_credits: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    expired_amount_cents: Mapped[int] = mapped_column(default=0)
    expired_credits: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    ongoing_balance_cents: Mapped[int] = mapped_column(default=0)
    ongoing_usage_balance_cents: Mapped[int] = mapped_column(default=0)
    credits_ongoing_balance: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    credits_ongoing_usage_balance: Mapped[Decimal] = mapped_column(Exact, default=ZERO)
    is_depleted: Mapped[bool] = mapped_column(default=False)
    fee_types: Mapped[list[str]] = mapped_column(default_factory=list)
    paid_top_up_min_amount_cents: Mapped[int | None] = mapped_column(default=None)
    paid_top_up_max_amount_cents: Mapped[int | None] = mapped_column(default=None)
    invoice_requires_successful_payment: Mapped[bool] = mapped_column(default=False)
    purchase_order_number: Mapped[str | None] = mapped_column(default=None)
    payment_method_type: Mapped[str | None] = mapped_column(default=None)
    custom_metadata: Mapped[dict[str, Any] | None] = mapped_column("metadata", default=None)
    expiration_at: Mapped[datetime | None] = mapped_column(default=None)
    terminated_at: Mapped[datetime | None] = mapped_column(default=None)
    last_balance_sync_at: Mapped[datetime | None] = mapped_column(default=None)
    last_consumed_credit_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)
    own_entity: Mapped[BillingEntity | None] = relationship(lazy="selectin", init=False)
    metrics: Mapped[list[WalletMetric]] = relationship(
        lazy="selectin", init=False, order_by=WalletMetric.id, cascade="all, delete-orphan"
    )
    rules: Mapped[list[WalletRule]] = relationship(
        lazy="selectin", init=False, order_by=WalletRule.id
    )

    @property
    def entity(self) -> BillingEntity:
        """Who issues the invoices of its top-ups: its own billing entity, else the customer's."""
        return self.own_entity or self.customer.entity


class WalletTransaction(TenantRow, kw_only=True):
    """An entry of a wallet; its kind, amounts and wallet never change (money.md 4.2).

    inbound: purchased (pending until it is paid) or granted. outbound: invoiced or voided, the
    latter also of what a wallet holds when it expires (`is_expiry`). `remaining_amount_cents` is
    what of a settled inbound entry nothing was taken of yet.
    """

    __tablename__ = "wallet_transactions"
    __table_args__ = (
        CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
        CheckConstraint("remaining_amount_cents >= 0", name="remaining_not_negative"),
        Index(
            "uq_wallet_transactions_invoiced",
            "wallet_id",
            "invoice_id",
            unique=True,
            sqlite_where=text(INVOICED),
            postgresql_where=text(INVOICED),
        ),
    )

    wallet_id: Mapped[UUID] = mapped_column(ForeignKey("wallets.id"), index=True)
    transaction_type: Mapped[str]
    transaction_status: Mapped[str]
    status: Mapped[str]
    source: Mapped[str] = mapped_column(default="manual")
    amount_cents: Mapped[int]
    credit_amount: Mapped[Decimal] = mapped_column(Exact)
    remaining_amount_cents: Mapped[int | None] = mapped_column(default=None)
    priority: Mapped[int] = mapped_column(default=50)
    name: Mapped[str | None] = mapped_column(default=None)
    notes: Mapped[list[Any]] = mapped_column("metadata", default_factory=list)
    invoice_requires_successful_payment: Mapped[bool] = mapped_column(default=False)
    is_expiry: Mapped[bool] = mapped_column(default=False)
    rule_id: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_rules.id"), default=None)
    invoice_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("invoices.id"), default=None, index=True
    )
    voided_invoice_id: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.id"), default=None)
    credit_note_id: Mapped[UUID | None] = mapped_column(ForeignKey("credit_notes.id"), default=None)
    purchase_order_number: Mapped[str | None] = mapped_column(default=None)
    payment_method_type: Mapped[str | None] = mapped_column(default=None)
    settled_at: Mapped[datetime | None] = mapped_column(default=None)
    failed_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    wallet: Mapped[Wallet] = relationship(lazy="selectin", init=False)


class WalletConsumption(TenantRow, kw_only=True):
    """What an outbound entry took of an inbound one (money.md 4.4.2)."""

    __tablename__ = "wallet_consumptions"
    __table_args__ = (
        UniqueConstraint("inbound_id", "outbound_id"),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
    )

    inbound_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_transactions.id"))
    outbound_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_transactions.id"), index=True)
    amount_cents: Mapped[int]
    inbound: Mapped[WalletTransaction] = relationship(
        lazy="selectin", init=False, foreign_keys=[inbound_id]
    )
    outbound: Mapped[WalletTransaction] = relationship(
        lazy="selectin", init=False, foreign_keys=[outbound_id]
    )


class WalletRefresh(TenantRow, kw_only=True):
    """A note that the ongoing balances of a customer's wallets are to be computed anew.

    `promised` tells that a job will do it at once, and nobody need wait for the clock.
    """

    __tablename__ = "wallet_refreshes"
    __table_args__ = (UniqueConstraint("customer_id"),)

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    promised: Mapped[bool] = mapped_column(default=False)
