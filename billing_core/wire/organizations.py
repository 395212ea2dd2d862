"""Organizations, keys and billing entities on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from billing_core.wire.base import Flag, In, Instant, Out
from billing_core.wire.dates import parse_instant
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import (
    Country,
    Currency,
    Days,
    Email,
    Language,
    LongText,
    Name,
    ShortText,
    Timezone,
    refuse,
)

Prefix = Annotated[ShortText, Field(min_length=1, max_length=10)]


def _instant(value: str) -> str:
    if parse_instant(value) is None:
        raise refuse("invalid_date")
    return value


class OrganizationIn(In):
    """What the admin may set on creation."""

    name: Name
    sandbox: Flag | None = None
    defaults: Flag | None = None
    resolve_customer_ids: Flag | None = None
    timezone: Timezone | None = None
    default_currency: Currency | None = None
    country: Country = None
    document_number_prefix: Prefix | None = None
    legal_name: ShortText | None = None
    email: Email = None
    net_payment_term: Days | None = None
    invoice_grace_period: Days | None = None

    def entity_fields(self) -> dict[str, Any]:
        """Return what goes to the default billing entity under the same name."""
        names = ("country", "legal_name", "email", "net_payment_term", "invoice_grace_period")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class BillingConfigurationIn(In):
    """Invoicing defaults."""

    invoice_footer: LongText | None = None
    invoice_grace_period: Days | None = None
    document_locale: Language | None = None
    subscription_invoice_issuing_date_anchor: (
        Literal["current_period_end", "next_period_start"] | None
    ) = None
    subscription_invoice_issuing_date_adjustment: (
        Literal["align_with_finalization_date", "keep_anchor"] | None
    ) = None


class OrganizationChange(In):
    """What a key of the organization may change."""

    name: Name | None = None
    webhook_url: ShortText | None = None
    country: Country = None
    default_currency: Currency | None = None
    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    state: ShortText | None = None
    zipcode: ShortText | None = None
    city: ShortText | None = None
    email: Email = None
    legal_name: ShortText | None = None
    legal_number: ShortText | None = None
    tax_identification_number: ShortText | None = None
    document_numbering: Literal["per_customer", "per_organization", "per_billing_entity"] | None = (
        None
    )
    document_number_prefix: Prefix | None = None
    net_payment_term: Days | None = None
    timezone: Timezone | None = None
    email_settings: list[str] | None = None
    finalize_zero_amount_invoice: Flag | None = None
    billing_configuration: BillingConfigurationIn | None = None
    resolve_customer_ids: Flag | None = None


class KeyIn(In):
    """What may be set on an API key."""

    name: ShortText | None = None
    permissions: dict[str, Any] | None = None
    expires_at: Annotated[ShortText, AfterValidator(_instant)] | None = None

    def expires_instant(self) -> datetime | None:
        """Return the end of the key's life."""
        return parse_instant(self.expires_at) if self.expires_at else None


class KeyOut(Out):
    """A key as it is listed: masked."""

    lago_id: UUID = Field(validation_alias="id")
    name: str | None
    value: str
    permissions: dict[str, Any] | None
    expires_at: Instant | None
    last_used_at: Instant | None
    created_at: Instant


class OrganizationOut(Out):
    """What a caller reads."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    sandbox: bool
    default_currency: str
    created_at: Instant
    webhook_url: str | None
    webhook_urls: list[str]
    country: str | None
    address_line1: str | None
    address_line2: str | None
    state: str | None
    zipcode: str | None
    email: str | None
    city: str | None
    legal_name: str | None
    legal_number: str | None
    timezone: str
    net_payment_term: int
    email_settings: list[str]
    document_numbering: str
    document_number_prefix: str
    tax_identification_number: str | None
    finalize_zero_amount_invoice: bool
    events_store: str
    resolve_customer_ids: bool
    billing_configuration: dict[str, Any]
    taxes: list[TaxOut]
