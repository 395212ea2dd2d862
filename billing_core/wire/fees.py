"""Fees on the wire."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import DecimalText, In, Instant, Number, Out


class FeeChange(In):
    """What a caller may change on a fee that stands on no invoice."""

    payment_status: Literal["pending", "succeeded", "failed", "refunded"]


class FeeAppliedTaxOut(Out):
    """A tax of a fee, as it stood when it was computed."""

    lago_id: UUID = Field(validation_alias="id")
    lago_fee_id: UUID = Field(validation_alias="fee_id")
    lago_tax_id: UUID | None = Field(validation_alias="tax_id")
    tax_name: str
    tax_code: str
    tax_rate: Number
    tax_description: str | None
    amount_cents: int
    amount_currency: str
    created_at: Instant


class FeeItemOut(Out):
    """What a fee is for."""

    type: str
    code: str
    name: str
    description: str | None
    invoice_display_name: str
    filters: dict[str, Any] | None
    filter_invoice_display_name: str | None
    lago_item_id: UUID
    item_type: str
    grouped_by: dict[str, Any]


class FeeOut(Out):
    """One priced line (`docs/rules/metering.md` 3.17 gives the types)."""

    lago_id: UUID = Field(validation_alias="id")
    lago_charge_id: UUID | None = Field(validation_alias="charge_id")
    lago_charge_filter_id: UUID | None = Field(validation_alias="charge_filter_id")
    lago_fixed_charge_id: UUID | None = Field(validation_alias="fixed_charge_id")
    lago_invoice_id: UUID | None = Field(validation_alias="invoice_id")
    lago_true_up_fee_id: UUID | None
    lago_true_up_parent_fee_id: UUID | None = Field(validation_alias="true_up_parent_fee_id")
    lago_subscription_id: UUID | None = Field(validation_alias="subscription_id")
    external_subscription_id: str | None
    lago_customer_id: UUID = Field(validation_alias="customer_id")
    external_customer_id: str
    item: FeeItemOut
    pay_in_advance: bool
    invoiceable: bool
    amount_cents: int
    amount_currency: str
    precise_amount: DecimalText
    precise_total_amount: DecimalText
    taxes_amount_cents: int
    taxes_precise_amount: DecimalText
    taxes_rate: Number
    total_aggregated_units: DecimalText
    total_amount_cents: int
    total_amount_currency: str
    units: DecimalText
    precise_unit_amount: DecimalText
    precise_coupons_amount_cents: DecimalText
    sub_total_excluding_taxes_amount_cents: int
    sub_total_excluding_taxes_precise_amount_cents: DecimalText
    events_count: int | None
    description: str | None
    payment_status: str
    created_at: Instant
    succeeded_at: Instant | None
    failed_at: Instant | None
    refunded_at: Instant | None
    amount_details: dict[str, Any]
    self_billed: bool
    pricing_unit_details: dict[str, Any] | None
    presentation_breakdowns: list[Any]
    from_date: Instant | None
    to_date: Instant | None
    event_transaction_id: str | None
    applied_taxes: list[FeeAppliedTaxOut]
