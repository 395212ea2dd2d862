"""Credit notes, and their use on invoices, on the wire; amounts are minor units."""

from datetime import date
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import DecimalText, In, Instant, Number, Out
from billing_core.wire.charges import Reference
from billing_core.wire.customers import CustomerOut
from billing_core.wire.fees import FeeOut
from billing_core.wire.metadata import Metadata
from billing_core.wire.types import MAX_CENTS, Cents, LongText, Whole

Reason = Literal[
    "duplicated_charge",
    "product_unsatisfactory",
    "order_change",
    "order_cancellation",
    "fraudulent_charge",
    "other",
]
REASONS = get_args(Reason)


class CreditNoteItemIn(In):
    """The part of a fee to take back; a negative one is refused by the rules of notes."""

    fee_id: Reference
    amount_cents: Annotated[Whole, Field(ge=-MAX_CENTS, le=MAX_CENTS)]


class CreditNoteEstimateIn(In):
    """What a note might take back."""

    invoice_id: Reference
    items: Annotated[list[CreditNoteItemIn], Field(max_length=1000)]


class CreditNoteIn(CreditNoteEstimateIn):
    """What a note takes back, and where to: later invoices, the payer, or the invoice itself."""

    reason: Reason | None = None
    description: LongText | None = None
    credit_amount_cents: Cents | None = None
    refund_amount_cents: Cents | None = None
    offset_amount_cents: Cents | None = None
    metadata: Metadata | None = None


class CreditNoteChange(In):
    """What a caller may change on a note; metadata is merged."""

    refund_status: Literal["pending", "succeeded", "failed"] | None = None
    metadata: Metadata | None = None


class CreditNoteItemOut(Out):
    """The part of a fee that a note takes back, before coupons and taxes."""

    lago_id: UUID = Field(validation_alias="id")
    amount_cents: int
    precise_amount_cents: DecimalText
    amount_currency: str
    fee: FeeOut


class CreditNoteAppliedTaxOut(Out):
    """A tax of a note, as it stood on the invoice."""

    lago_id: UUID = Field(validation_alias="id")
    lago_credit_note_id: UUID = Field(validation_alias="credit_note_id")
    lago_tax_id: UUID | None = Field(validation_alias="tax_id")
    tax_name: str
    tax_code: str
    tax_rate: Number
    tax_description: str | None
    base_amount_cents: int
    amount_cents: int
    amount_currency: str
    created_at: Instant


class CreditNoteOut(Out):
    """A credit note; `total = credit + refund + offset`, `balance` is what is left of `credit`."""

    lago_id: UUID = Field(validation_alias="id")
    billing_entity_code: str
    sequential_id: int
    number: str
    lago_invoice_id: UUID = Field(validation_alias="invoice_id")
    invoice_number: str
    issuing_date: date
    credit_status: str | None
    refund_status: str | None
    reason: str
    description: str | None
    currency: str
    total_amount_cents: int
    taxes_amount_cents: int
    taxes_rate: Number
    sub_total_excluding_taxes_amount_cents: int
    balance_amount_cents: int
    credit_amount_cents: int
    refund_amount_cents: int
    offset_amount_cents: int
    coupons_adjustment_amount_cents: int
    self_billed: bool
    file_url: str | None
    xml_url: str | None
    created_at: Instant
    updated_at: Instant
    customer: CustomerOut
    items: list[CreditNoteItemOut]
    applied_taxes: list[CreditNoteAppliedTaxOut]
    metadata: dict[str, str | None] | None
    error_details: list[Any]


class EstimatedItemOut(Out):
    """What of a fee the note would take back."""

    amount_cents: int
    lago_fee_id: UUID


class EstimatedTaxOut(Out):
    """A tax of an estimated note."""

    lago_tax_id: UUID
    tax_name: str
    tax_code: str
    tax_rate: Number
    tax_description: str
    base_amount_cents: int
    amount_cents: int
    amount_currency: str


class EstimatedCreditNoteOut(Out):
    """What a note on these items could be worth at most, by what it would be for."""

    lago_invoice_id: UUID
    invoice_number: str
    currency: str
    taxes_amount_cents: int
    precise_taxes_amount_cents: DecimalText
    taxes_rate: Number
    sub_total_excluding_taxes_amount_cents: int
    max_creditable_amount_cents: int
    max_refundable_amount_cents: int
    max_offsettable_amount_cents: int
    coupons_adjustment_amount_cents: int
    precise_coupons_adjustment_amount_cents: DecimalText
    items: list[EstimatedItemOut]
    applied_taxes: list[EstimatedTaxOut]


class CreditItemOut(Out):
    """What was used on an invoice: a credit note by its number, and the invoice it is on."""

    lago_item_id: UUID
    type: str
    code: str
    name: str


class CreditInvoiceOut(Out):
    """The invoice on which a credit was used."""

    lago_id: UUID
    payment_status: str


class CreditOut(Out):
    """An amount that something other than a payment took off an invoice."""

    lago_id: UUID = Field(validation_alias="id")
    amount_cents: int
    amount_currency: str
    before_taxes: bool
    item: CreditItemOut
    invoice: CreditInvoiceOut
