"""What is given back: credit notes, what they take back, and their use on invoices."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.customers import Customer
from billing_core.store.tables.invoices import Fee, Invoice


class CreditNoteItem(TenantRow, kw_only=True):
    """The part of a fee that a note takes back, before coupons and taxes."""

    __tablename__ = "credit_note_items"

    credit_note_id: Mapped[UUID] = mapped_column(ForeignKey("credit_notes.id"), index=True)
    fee_id: Mapped[UUID] = mapped_column(ForeignKey("fees.id"), index=True)
    amount_cents: Mapped[int]
    precise_amount_cents: Mapped[Decimal] = mapped_column(Exact)
    amount_currency: Mapped[str]
    fee: Mapped[Fee] = relationship(lazy="selectin", init=False)


class CreditNoteAppliedTax(TenantRow, kw_only=True):
    """A tax as it stood on the invoice, for the part that a note takes back."""

    __tablename__ = "credit_note_applied_taxes"

    credit_note_id: Mapped[UUID] = mapped_column(ForeignKey("credit_notes.id"), index=True)
    tax_id: Mapped[UUID | None] = mapped_column(default=None)
    tax_name: Mapped[str]
    tax_code: Mapped[str]
    tax_rate: Mapped[Decimal] = mapped_column(Exact)
    tax_description: Mapped[str | None] = mapped_column(default=None)
    base_amount_cents: Mapped[int]
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]


class CreditNote(TenantRow, kw_only=True):
    """A document that takes back part of an invoice. Amounts are minor units of `currency`.

    `total = credit + refund + offset`: a balance for later invoices, money back, and what is no
    longer due on the invoice itself. `balance` is what is left of `credit`.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        UniqueConstraint("invoice_id", "sequential_id"),
        CheckConstraint("balance_amount_cents >= 0", name="balance_not_negative"),
        Index("ix_credit_notes_org_id_created_at", "org_id", "created_at"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    number: Mapped[str]
    sequential_id: Mapped[int]
    issuing_date: Mapped[date]
    status: Mapped[str]
    credit_status: Mapped[str | None] = mapped_column(default=None)
    refund_status: Mapped[str | None] = mapped_column(default=None)
    reason: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    currency: Mapped[str]
    total_amount_cents: Mapped[int] = mapped_column(default=0)
    credit_amount_cents: Mapped[int] = mapped_column(default=0)
    refund_amount_cents: Mapped[int] = mapped_column(default=0)
    offset_amount_cents: Mapped[int] = mapped_column(default=0)
    balance_amount_cents: Mapped[int] = mapped_column(default=0)
    sub_total_excluding_taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    taxes_amount_cents: Mapped[int] = mapped_column(default=0)
    precise_taxes_amount_cents: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    taxes_rate: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    coupons_adjustment_amount_cents: Mapped[int] = mapped_column(default=0)
    precise_coupons_adjustment_amount_cents: Mapped[Decimal] = mapped_column(
        Exact, default=Decimal(0)
    )
    custom_metadata: Mapped[dict[str, Any] | None] = mapped_column("metadata", default=None)
    finalized_at: Mapped[datetime | None] = mapped_column(default=None)
    refunded_at: Mapped[datetime | None] = mapped_column(default=None)
    voided_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship(lazy="selectin", init=False)
    invoice: Mapped[Invoice] = relationship(lazy="selectin", init=False)
    items: Mapped[list[CreditNoteItem]] = relationship(
        lazy="selectin", init=False, order_by=CreditNoteItem.id, cascade="all, delete-orphan"
    )
    applied_taxes: Mapped[list[CreditNoteAppliedTax]] = relationship(
        lazy="selectin",
        init=False,
        order_by=CreditNoteAppliedTax.tax_code,
        cascade="all, delete-orphan",
    )


class Credit(TenantRow, kw_only=True):
    """What one credit note paid of one invoice, or got back when that was voided.

    Written once, never changed: a note's balance is its credit less what it paid, plus what it got
    back.
    """

    __tablename__ = "credits"
    __table_args__ = (
        UniqueConstraint("invoice_id", "credit_note_id", "given_back"),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
    )

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    credit_note_id: Mapped[UUID] = mapped_column(ForeignKey("credit_notes.id"), index=True)
    amount_cents: Mapped[int]
    amount_currency: Mapped[str]
    given_back: Mapped[bool] = mapped_column(default=False)
    note: Mapped[CreditNote] = relationship(lazy="selectin", init=False)
