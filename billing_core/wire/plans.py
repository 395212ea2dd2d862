"""Plans on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, Number, Out
from billing_core.wire.charges import ChargeIn, ChargeOut, Codes
from billing_core.wire.commitments import MinimumCommitmentIn, MinimumCommitmentOut
from billing_core.wire.fixed_charges import FixedChargeIn, FixedChargeOut
from billing_core.wire.metadata import Metadata
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Cents, Code, Currency, Exact, LongText, Name, ShortText
from billing_core.wire.usage_thresholds import (
    ApplicableUsageThresholdOut,
    UsageThresholdOut,
    UsageThresholds,
)
from billing_core.wire.validation import validate

Interval = Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"]
Trial = Annotated[Exact, Field(ge=0, le=36500)]


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
    fixed_charges: list[FixedChargeIn] | None = None
    usage_thresholds: UsageThresholds | None = None
    minimum_commitment: MinimumCommitmentIn | None = None
    metadata: Metadata | None = None


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
    fixed_charges: list[FixedChargeIn] | None = None
    usage_thresholds: UsageThresholds | None = None
    minimum_commitment: MinimumCommitmentIn | None = None
    metadata: Metadata | None = None
    cascade_updates: Flag | None = None


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
    fixed_charges: list[FixedChargeOut]
    taxes: list[TaxOut]
    usage_thresholds: list[UsageThresholdOut]
    applicable_usage_thresholds: list[ApplicableUsageThresholdOut]
    minimum_commitment: MinimumCommitmentOut | None
    entitlements: list[Any]
    metadata: dict[str, Any] | None


class CascadeIn(In):
    """What a deletion may say besides."""

    cascade_updates: Flag | None = None


def wants_cascade(body: Mapping[str, Any], root: str) -> bool:
    """Tell whether the body of a deletion asks that overrides follow; most have none."""
    part = body.get(root)
    return isinstance(part, dict) and bool(validate(CascadeIn, part).cascade_updates)
