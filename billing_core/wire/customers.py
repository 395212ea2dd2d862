"""Customers on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, Out
from billing_core.wire.charges import Reference
from billing_core.wire.types import Country, Currency, Days, Email, Language, ShortText, Timezone

Anchor = Literal["current_period_end", "next_period_start"]
Adjustment = Literal["align_with_finalization_date", "keep_anchor"]
ExternalId = Annotated[ShortText, Field(min_length=1)]


class BillingConfigurationIn(In):
    """How a customer is invoiced; null means the billing entity's value."""

    invoice_grace_period: Days | None = None
    subscription_invoice_issuing_date_anchor: Anchor | None = None
    subscription_invoice_issuing_date_adjustment: Adjustment | None = None
    payment_provider: ShortText | None = None
    payment_provider_code: ShortText | None = None
    provider_customer_id: ShortText | None = None
    sync: Flag | None = None
    sync_with_provider: Flag | None = None
    document_locale: Language | None = None
    provider_payment_methods: list[Any] | None = None


class AddressIn(In):
    """A postal address."""

    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    city: ShortText | None = None
    country: Country = None
    state: ShortText | None = None
    zipcode: ShortText | None = None


class MetadataIn(In):
    """A note: with `id` it changes a known one."""

    id: Reference | None = None
    key: Annotated[ShortText, Field(min_length=1, max_length=20)]
    value: Annotated[ShortText, Field(min_length=1, max_length=100)]
    display_in_invoice: Flag | None = None


class CustomerIn(In):
    """What a caller may set; on a known external id only given keys change."""

    external_id: ExternalId
    billing_entity_code: ShortText | None = None
    name: ShortText | None = None
    firstname: ShortText | None = None
    lastname: ShortText | None = None
    legal_name: ShortText | None = None
    legal_number: ShortText | None = None
    tax_identification_number: ShortText | None = None
    email: Email = None
    phone: ShortText | None = None
    url: ShortText | None = None
    logo_url: ShortText | None = None
    account_type: Literal["customer", "partner"] | None = None
    customer_type: Literal["company", "individual"] | None = None
    currency: Currency | None = None
    timezone: Timezone | None = None
    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    zipcode: ShortText | None = None
    country: Country = None
    shipping_address: AddressIn | None = None
    net_payment_term: Days | None = None
    finalize_zero_amount_invoice: Literal["inherit", "skip", "finalize"] | None = None
    skip_invoice_custom_sections: Flag | None = None
    billing_configuration: BillingConfigurationIn | None = None
    metadata: list[MetadataIn] | None = None
    tax_codes: list[str] | None = None
    integration_customers: list[Any] | None = None


class CustomerMetadataOut(Out):
    """A note as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    key: str
    value: str
    display_in_invoice: bool
    created_at: Instant


class BillingConfigurationOut(Out):
    """How a customer is invoiced, as set on the customer itself."""

    invoice_grace_period: int | None
    subscription_invoice_issuing_date_anchor: str | None
    subscription_invoice_issuing_date_adjustment: str | None
    payment_provider: str | None
    payment_provider_code: str | None
    provider_customer_id: str | None
    sync_with_provider: bool
    document_locale: str | None
    provider_payment_methods: list[Any] | None


class AddressOut(Out):
    """A postal address as a caller reads it."""

    address_line1: str | None
    address_line2: str | None
    city: str | None
    zipcode: str | None
    state: str | None
    country: str | None


class CustomerOut(Out):
    """What a caller reads, as it also stands inside an invoice."""

    lago_id: UUID = Field(validation_alias="id")
    billing_entity_code: str
    external_id: str
    account_type: str
    name: str | None
    firstname: str | None
    lastname: str | None
    customer_type: str | None
    sequential_id: int
    slug: str
    created_at: Instant
    updated_at: Instant
    country: str | None
    address_line1: str | None
    address_line2: str | None
    state: str | None
    zipcode: str | None
    email: str | None
    city: str | None
    url: str | None
    phone: str | None
    logo_url: str | None
    legal_name: str | None
    legal_number: str | None
    currency: str | None
    tax_identification_number: str | None
    timezone: str | None
    applicable_timezone: str
    net_payment_term: int | None
    finalize_zero_amount_invoice: str
    skip_invoice_custom_sections: bool
    billing_configuration: BillingConfigurationOut
    shipping_address: AddressOut
    metadata: list[CustomerMetadataOut]


class CustomerFullOut(CustomerOut):
    """A customer with its taxes and the relations of the customer endpoints."""

    taxes: list[Any]
    integration_customers: list[Any]
    applicable_invoice_custom_sections: list[Any]
