"""Plans and their charges on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from billing_core.wire.base import Flag, In, Instant, Number, Out
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Cents, Code, Currency, Exact, LongText, Name, ShortText

Interval = Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"]
ChargeModel = Literal["standard", "graduated", "package", "percentage", "volume"]
Codes = list[str]
Trial = Annotated[Exact, Field(ge=0, le=36500)]


def _uuid(value: Any) -> Any:
    # a reference that is no id at all names nothing: the caller gets a 404 like for unknown ids
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return UUID(int=0)


Reference = Annotated[UUID, BeforeValidator(_uuid)]


class ChargeIn(In):
    """One charge of a plan request; with `id` it names an existing charge."""

    id: Reference | None = None
    billable_metric_id: Reference | None = None
    code: Code | None = None
    charge_model: ChargeModel | None = None
    invoice_display_name: ShortText | None = None
    pay_in_advance: Flag | None = None
    invoiceable: Flag | None = None
    prorated: Flag | None = None
    regroup_paid_fees: Literal["invoice"] | None = None
    min_amount_cents: Cents | None = None
    accepts_target_wallet: Flag | None = None
    properties: dict[str, Any] | None = None
    filters: list[Any] | None = None
    tax_codes: Codes | None = None
    applied_pricing_unit: dict[str, Any] | None = None


class PlanIn(In):
    """What a caller may set on creation."""

    name: Name
    code: Code
    invoice_display_name: ShortText | None = None
    interval: Interval
    description: LongText | None = None
    amount_cents: Cents
    amount_currency: Currency
    trial_period: Trial | None = None
    pay_in_advance: Flag
    bill_charges_monthly: Flag | None = None
    bill_fixed_charges_monthly: Flag | None = None
    tax_codes: Codes | None = None
    charges: list[ChargeIn] | None = None
    fixed_charges: list[Any] | None = None
    usage_thresholds: list[Any] | None = None
    minimum_commitment: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class PlanChange(In):
    """What a caller may change; an omitted key keeps its value."""

    name: Name | None = None
    code: Code | None = None
    invoice_display_name: ShortText | None = None
    interval: Interval | None = None
    description: LongText | None = None
    amount_cents: Cents | None = None
    amount_currency: Currency | None = None
    trial_period: Trial | None = None
    pay_in_advance: Flag | None = None
    bill_charges_monthly: Flag | None = None
    bill_fixed_charges_monthly: Flag | None = None
    tax_codes: Codes | None = None
    charges: list[ChargeIn] | None = None
    fixed_charges: list[Any] | None = None
    usage_thresholds: list[Any] | None = None
    minimum_commitment: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class ChargeOut(Out):
    """A charge as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    lago_billable_metric_id: UUID = Field(validation_alias="billable_metric_id")
    code: str
    billable_metric_code: str
    invoice_display_name: str | None
    created_at: Instant
    charge_model: str
    pay_in_advance: bool
    invoiceable: bool
    regroup_paid_fees: str | None
    prorated: bool
    min_amount_cents: int
    accepts_target_wallet: bool
    properties: dict[str, Any]
    filters: list[Any]
    taxes: list[TaxOut]
    applied_pricing_unit: dict[str, Any] | None
    lago_parent_id: UUID | None = Field(validation_alias="parent_id")


class PlanOut(Out):
    """A plan as a caller reads it; counters are always 0 (metering.md 2.1)."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    invoice_display_name: str | None
    created_at: Instant
    code: str
    interval: str
    description: str | None
    amount_cents: int
    amount_currency: str
    trial_period: Number | None
    pay_in_advance: bool
    bill_charges_monthly: bool | None
    bill_fixed_charges_monthly: bool | None
    customers_count: int
    active_subscriptions_count: int
    draft_invoices_count: int
    parent_id: UUID | None
    pending_deletion: bool
    charges: list[ChargeOut]
    fixed_charges: list[Any]
    taxes: list[TaxOut]
    usage_thresholds: list[Any]
    applicable_usage_thresholds: list[Any]
    minimum_commitment: dict[str, Any] | None
    entitlements: list[Any]
    metadata: dict[str, Any] | None
