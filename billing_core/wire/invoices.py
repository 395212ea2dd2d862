"""Invoices, their periods and taxes on the wire."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, InstantMs, Number, Out
from billing_core.wire.charges import Reference
from billing_core.wire.credit_notes import CreditOut
from billing_core.wire.types import Cents, ShortText
from billing_core.wire.usage_thresholds import AppliedUsageThresholdOut


class InvoiceMetadataIn(In):
    """A note on an invoice; with `id` it changes a known one."""

    id: Reference | None = None
    key: Annotated[ShortText, Field(min_length=1, max_length=20)]
    value: Annotated[ShortText, Field(min_length=1, max_length=140)]


class InvoiceChange(In):
    """What a caller may change on an invoice."""

    payment_status: Literal["pending", "succeeded", "failed"] | None = None
    metadata: list[InvoiceMetadataIn] | None = None


class InvoiceVoid(In):
    """What is given back of an invoice that is voided; amounts count only with a credit note."""

    generate_credit_note: Flag | None = None
    credit_amount: Cents | None = None
    refund_amount: Cents | None = None


class InvoiceMetadataOut(Out):
    """A note as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    key: str
    value: str
    created_at: Instant


class InvoiceAppliedTaxOut(Out):
    """A tax of an invoice, as it stood when it was computed."""

    lago_id: UUID = Field(validation_alias="id")
    lago_invoice_id: UUID = Field(validation_alias="invoice_id")
    lago_tax_id: UUID | None = Field(validation_alias="tax_id")
    tax_name: str
    tax_code: str
    tax_rate: Number
    tax_description: str | None
    amount_cents: int
    amount_currency: str
    fees_amount_cents: int
    created_at: Instant


class BillingPeriodOut(Out):
    """The windows one subscription was billed for; ends are inclusive."""

    lago_subscription_id: UUID
    external_subscription_id: str
    lago_plan_id: UUID
    subscription_from_datetime: Instant
    subscription_to_datetime: Instant
    charges_from_datetime: Instant | None
    charges_to_datetime: Instant | None
    fixed_charges_from_datetime: Instant | None
    fixed_charges_to_datetime: Instant | None
    invoicing_reason: str


class InvoiceOut(Out):
    """An invoice as every endpoint shows it; amounts are minor units."""

    lago_id: UUID = Field(validation_alias="id")
    billing_entity_code: str
    sequential_id: int | None
    number: str
    issuing_date: date
    payment_due_date: date
    net_payment_term: int
    invoice_type: str
    status: str
    payment_status: str
    payment_dispute_lost_at: InstantMs | None
    payment_overdue: bool
    currency: str
    fees_amount_cents: int
    taxes_amount_cents: int
    progressive_billing_credit_amount_cents: int
    coupons_amount_cents: int
    credit_notes_amount_cents: int
    sub_total_excluding_taxes_amount_cents: int
    sub_total_including_taxes_amount_cents: int
    total_amount_cents: int
    total_paid_amount_cents: int
    total_due_amount_cents: int
    prepaid_credit_amount_cents: int
    prepaid_granted_credit_amount_cents: int | None
    prepaid_purchased_credit_amount_cents: int | None
    file_url: str | None
    xml_url: str | None
    web_url: str | None
    version_number: int
    self_billed: bool
    voided_at: Instant | None
    purchase_order_number: str | None
    created_at: Instant
    updated_at: Instant
    customer: Any
    metadata: list[InvoiceMetadataOut]
    applied_taxes: list[InvoiceAppliedTaxOut]
    applied_invoice_custom_sections: list[Any]
    applied_usage_thresholds: list[AppliedUsageThresholdOut]


class InvoiceFullOut(InvoiceOut):
    """An invoice with everything on it."""

    billing_periods: list[BillingPeriodOut]
    credits: list[CreditOut]
    fees: list[Any]
    subscriptions: list[Any]
    error_details: list[Any]
