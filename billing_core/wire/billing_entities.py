"""Billing entities on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from billing_core.wire.base import Flag, In, Instant, Out
from billing_core.wire.organizations import BillingConfigurationIn, Prefix
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import (
    Code,
    Country,
    Currency,
    Days,
    Email,
    Name,
    ShortText,
    Timezone,
    refuse,
)


def _link(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise refuse("url_is_invalid")
    return value


Link = Annotated[ShortText, AfterValidator(_link)]


class BillingEntitySettings(In):
    """What may be set on creation and later; a document shows the seller as it is by then.

    `net_payment_term` counts days. `logo` is the address of an image. Source of the fields:
    `docs/rules/subscriptions.md` 7.1 and 11.
    """

    default_currency: Currency | None = None
    document_numbering: Literal["per_customer", "per_billing_entity"] | None = None
    document_number_prefix: Prefix | None = None
    finalize_zero_amount_invoice: Flag | None = None
    billing_configuration: BillingConfigurationIn | None = None
    net_payment_term: Days | None = None
    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    country: Country = None
    zipcode: ShortText | None = None
    email: Email = None
    legal_name: ShortText | None = None
    legal_number: ShortText | None = None
    tax_identification_number: ShortText | None = None
    timezone: Timezone | None = None
    email_settings: (
        list[Literal["invoice.finalized", "credit_note.created", "payment_receipt.created"]] | None
    ) = None
    eu_tax_management: Flag | None = None
    logo: Link | None = None


class BillingEntityIn(BillingEntitySettings):
    """What a caller may set on creation."""

    code: Code
    name: Name


class BillingEntityChange(BillingEntitySettings):
    """What a caller may change: all but the code. Lists replace the ones there are."""

    name: Name | None = None
    tax_codes: list[ShortText] | None = None
    invoice_custom_section_codes: list[ShortText] | None = None


class BillingEntityOut(Out):
    """A billing entity as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    code: str
    name: str
    default_currency: str
    document_locale: str
    document_numbering: str
    document_number_prefix: str
    finalize_zero_amount_invoice: bool
    invoice_footer: str | None
    invoice_grace_period: int
    subscription_invoice_issuing_date_anchor: str
    subscription_invoice_issuing_date_adjustment: str
    is_default: bool
    net_payment_term: int
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    country: str | None
    zipcode: str | None
    email: str | None
    legal_name: str | None
    legal_number: str | None
    tax_identification_number: str | None
    timezone: str
    email_settings: list[str]
    eu_tax_management: bool
    logo_url: str | None
    created_at: Instant
    updated_at: Instant


class BillingEntityFullOut(BillingEntityOut):
    """A billing entity with what its customers inherit."""

    taxes: list[TaxOut]
    selected_invoice_custom_sections: list[Any]
